#include <muster/metrics/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

namespace muster {

void histogram::merge(const histogram& other) noexcept {
    for (std::size_t i = 0; i < bucket_count; ++i) {
        const std::uint64_t amount = other.buckets_[i].load(std::memory_order_relaxed);
        if (amount != 0) {
            bump(buckets_[i], amount);
        }
    }
    bump(sum_, other.sum_.load(std::memory_order_relaxed));
    min_.store(
        std::min(min_.load(std::memory_order_relaxed), other.min_.load(std::memory_order_relaxed)),
        std::memory_order_relaxed);
    max_.store(std::max(max(), other.max()), std::memory_order_relaxed);
}

std::uint64_t histogram::count() const noexcept {
    std::uint64_t total = 0;
    for (const auto& bucket : buckets_) {
        total += bucket.load(std::memory_order_relaxed);
    }
    return total;
}

std::uint64_t histogram::min() const noexcept {
    const std::uint64_t value = min_.load(std::memory_order_relaxed);
    return value <= max() ? value : 0;
}

std::uint64_t histogram::nth(std::uint64_t rank) const noexcept {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
        seen += buckets_[i].load(std::memory_order_relaxed);
        if (seen >= rank) {
            return std::clamp(middle_of(i), min(), std::max(min(), max()));
        }
    }
    return max();
}

std::uint64_t histogram::quantile(double fraction) const noexcept {
    const std::uint64_t total = count();
    if (total == 0) {
        return 0;
    }
    const double rank = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total));
    return nth(std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rank), 1, total));
}

histogram_summary histogram::summary(const tick_clock& clock) const noexcept {
    histogram_summary result;
    result.count = count();
    if (result.count == 0) {
        return result;
    }
    result.min_ns = clock.to_nanos(min());
    result.mean_ns = clock.to_nanos(sum_.load(std::memory_order_relaxed)) / result.count;
    result.p50_ns = clock.to_nanos(quantile(0.5));
    result.p90_ns = clock.to_nanos(quantile(0.9));
    result.p99_ns = clock.to_nanos(quantile(0.99));
    result.p999_ns = clock.to_nanos(quantile(0.999));
    result.max_ns = clock.to_nanos(max());
    return result;
}

std::string_view to_string(latency which) noexcept {
    switch (which) {
    case latency::dispatch: return "dispatch";
    case latency::publish_to_receive: return "publish_to_receive";
    case latency::checkpoint_send: return "checkpoint_send";
    case latency::checkpoint_lateness: return "checkpoint_lateness";
    case latency::registry_read_lock_wait: return "registry_read_lock_wait";
    }
    return "unknown";
}

struct shared_latencies::registry {
    mutable std::mutex mutex;
    std::map<std::thread::id, std::unique_ptr<latency_histograms>> by_thread;
};

thread_local constinit shared_latencies::cache_entry shared_latencies::cached_{};

namespace {

std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

} // namespace

shared_latencies::shared_latencies() : id_{next_id()}, registry_{std::make_unique<registry>()} {}

shared_latencies::~shared_latencies() = default;

latency_histograms& shared_latencies::find_local() {
    const std::lock_guard lock{registry_->mutex};
    auto& own = registry_->by_thread[std::this_thread::get_id()];
    if (!own) {
        own = std::make_unique<latency_histograms>();
    }
    cached_ = {id_, own.get()};
    return *own;
}

std::array<histogram_summary, latency_count>
shared_latencies::summaries(const tick_clock& clock) const {
    const auto merged = std::make_unique<latency_histograms>();
    {
        const std::lock_guard lock{registry_->mutex};
        for (const auto& [thread, own] : registry_->by_thread) {
            for (std::size_t i = 0; i < latency_count; ++i) {
                const auto which = static_cast<latency>(i);
                (*merged)[which].merge((*own)[which]);
            }
        }
    }
    std::array<histogram_summary, latency_count> result;
    for (std::size_t i = 0; i < latency_count; ++i) {
        result[i] = (*merged)[static_cast<latency>(i)].summary(clock);
    }
    return result;
}

} // namespace muster
