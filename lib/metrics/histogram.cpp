#include <muster/metrics/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

namespace muster {

/// Where something has been recorded.
histogram::bucket_range histogram::used() const noexcept {
    const std::uint64_t smallest = min_.load(std::memory_order_relaxed);
    const std::uint64_t largest = max();
    return smallest <= largest ? bucket_range{bucket_of(smallest), bucket_of(largest) + 1}
                               : bucket_range{};
}

void histogram::merge(const histogram& other) noexcept {
    const auto range = other.used();
    for (std::size_t i = range.first; i < range.end; ++i) {
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
    return count(used());
}

std::uint64_t histogram::count(bucket_range used) const noexcept {
    std::uint64_t total = 0;
    for (std::size_t i = used.first; i < used.end; ++i) {
        total += buckets_[i].load(std::memory_order_relaxed);
    }
    return total;
}

std::uint64_t histogram::min() const noexcept {
    const std::uint64_t value = min_.load(std::memory_order_relaxed);
    return value <= max() ? value : 0;
}

/// The quantiles of ascending `fractions`, in one pass; `total` values are in `used`, at least one.
void histogram::find(bucket_range used, std::uint64_t total, std::span<const double> fractions,
                     std::uint64_t* values) const noexcept {
    const std::uint64_t smallest = min();
    const std::uint64_t largest = std::max(smallest, max());
    std::uint64_t seen = 0;
    std::size_t next = used.first;
    for (const double fraction : fractions) {
        const double share = fraction > 0 ? std::min(fraction, 1.0) : 0; // NaN, too, is 0
        const double exact = std::ceil(share * static_cast<double>(total));
        const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact), 1, total);
        while (seen < rank && next < used.end) {
            seen += buckets_[next++].load(std::memory_order_relaxed);
        }
        *values++ = seen < rank ? largest : std::clamp(middle_of(next - 1), smallest, largest);
    }
}

std::uint64_t histogram::quantile(double fraction) const noexcept {
    const auto range = used();
    const std::uint64_t total = count(range);
    std::uint64_t value = 0;
    if (total != 0) {
        find(range, total, std::span{&fraction, 1}, &value);
    }
    return value;
}

histogram_summary histogram::summary(const tick_clock& clock) const noexcept {
    const auto range = used();
    histogram_summary result;
    result.count = count(range);
    if (result.count == 0) {
        return result;
    }
    constexpr std::array fractions{0.5, 0.9, 0.99, 0.999};
    std::array<std::uint64_t, fractions.size()> found{};
    find(range, result.count, fractions, found.data());
    result.min_ns = clock.to_nanos(min());
    result.mean_ns = clock.to_nanos(sum_.load(std::memory_order_relaxed)) / result.count;
    result.p50_ns = clock.to_nanos(found[0]);
    result.p90_ns = clock.to_nanos(found[1]);
    result.p99_ns = clock.to_nanos(found[2]);
    result.p999_ns = clock.to_nanos(found[3]);
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
    std::array<histogram_summary, latency_count> result;
    const std::lock_guard lock{registry_->mutex};
    const auto& all = registry_->by_thread;
    for (std::size_t i = 0; i < latency_count; ++i) {
        const auto which = static_cast<latency>(i);
        if (all.size() == 1) {
            result[i] = (*all.begin()->second)[which].summary(clock);
        } else if (!all.empty()) {
            const auto merged = std::make_unique<histogram>();
            for (const auto& [thread, own] : all) {
                merged->merge((*own)[which]);
            }
            result[i] = merged->summary(clock);
        }
    }
    return result;
}

} // namespace muster
