#pragma once

#include <muster/metrics/clock.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace muster {

/// What a histogram says about durations, in nanoseconds. All but the count are 0 if it is empty.
struct histogram_summary {
    std::uint64_t count = 0;
    std::uint64_t min_ns = 0;  ///< exact
    std::uint64_t mean_ns = 0; ///< exact up to rounding
    std::uint64_t p50_ns = 0;  ///< within 1 % (so are the others)
    std::uint64_t p90_ns = 0;
    std::uint64_t p99_ns = 0;
    std::uint64_t p999_ns = 0;
    std::uint64_t max_ns = 0; ///< exact

    friend bool operator==(const histogram_summary&, const histogram_summary&) = default;
};

/// A distribution of whole numbers in fixed memory: values go in one at a time, quantiles within
/// 1 % come out, and histograms add up.
///
/// Log-linear (as in HdrHistogram): values below 128 have a bucket each; above, each power of two
/// is divided into 64 buckets, and a bucket answers with its middle, so no answer is off by more
/// than 1/128 of the value. Covers all 64-bit values, 30 KB.
///
/// One thread records at a time; any thread may read or merge from it meanwhile (cells are relaxed
/// atomics, so what it sees is a little old, never torn). Recording costs 1–2 ns and never
/// allocates.
class histogram {
public:
    histogram() noexcept = default;
    histogram(const histogram&) = delete;
    histogram& operator=(const histogram&) = delete;

    void record(std::uint64_t value) noexcept { record(value, 1); }

    /// The same for `times` equal values (what a batch shares), at the price of one.
    void record(std::uint64_t value, std::uint64_t times) noexcept {
        if (times == 0) {
            return;
        }
        bump(buckets_[bucket_of(value)], times);
        bump(sum_, value * times);
        if (value < min_.load(std::memory_order_relaxed)) {
            min_.store(value, std::memory_order_relaxed);
        }
        if (value > max_.load(std::memory_order_relaxed)) {
            max_.store(value, std::memory_order_relaxed);
        }
    }

    /// Adds what `other` has recorded; counts as recording here.
    void merge(const histogram& other) noexcept;

    /// Linear in the number of buckets between the smallest and the largest value; so are merging
    /// and the others below.
    [[nodiscard]] std::uint64_t count() const noexcept;
    [[nodiscard]] std::uint64_t min() const noexcept; ///< 0 if empty
    [[nodiscard]] std::uint64_t max() const noexcept {
        return max_.load(std::memory_order_relaxed);
    }

    /// The smallest recorded value (up to the error) that at least `fraction` of all do not exceed;
    /// 0 if empty. Below 0 and NaN count as 0, above 1 as 1.
    [[nodiscard]] std::uint64_t quantile(double fraction) const noexcept;

    /// The summary; recorded values are ticks of `clock`.
    [[nodiscard]] histogram_summary summary(const tick_clock& clock) const noexcept;

    static constexpr std::size_t bucket_count = 57 * 64 + 128;

    [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
        const unsigned shift = static_cast<unsigned>(std::bit_width(value | 64)) - 7;
        return std::size_t{shift} * 64 + static_cast<std::size_t>(value >> shift);
    }
    /// The value that stands for a bucket.
    [[nodiscard]] static constexpr std::uint64_t middle_of(std::size_t bucket) noexcept {
        if (bucket < 128) {
            return bucket;
        }
        const std::size_t shift = bucket / 64 - 1;
        const std::uint64_t low = static_cast<std::uint64_t>(bucket - shift * 64) << shift;
        return low + (std::uint64_t{1} << shift) / 2;
    }

private:
    using cell = std::atomic<std::uint64_t>;

    // Single writer: nothing can come between the load and the store.
    static void bump(cell& target, std::uint64_t amount) noexcept {
        target.store(target.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
    struct bucket_range {
        std::size_t first = 0;
        std::size_t end = 0;
    };
    [[nodiscard]] bucket_range used() const noexcept;
    [[nodiscard]] std::uint64_t count(bucket_range used) const noexcept;
    void find(bucket_range used, std::uint64_t total, std::span<const double> fractions,
              std::uint64_t* values) const noexcept;

    cell sum_{0};
    cell min_{UINT64_MAX};
    cell max_{0};
    std::array<cell, bucket_count> buckets_{};
};

/// The runtime's distributions.
enum class latency : std::uint8_t {
    dispatch,                ///< an event's way through count, envelope and publish
    publish_to_receive,      ///< from the publication until a subscriber has it
    checkpoint_send,         ///< a backend's send, from call to completion
    checkpoint_lateness,     ///< from the due time until the tick is handled
    registry_read_lock_wait, ///< what a checkpoint tick waits for the registry
};

inline constexpr std::size_t latency_count = 5;

[[nodiscard]] std::string_view to_string(latency which) noexcept;

/// One thread's distributions; see `histogram`.
class latency_histograms {
public:
    void record(latency which, std::uint64_t ticks) noexcept { (*this)[which].record(ticks); }

    [[nodiscard]] histogram& operator[](latency which) noexcept {
        return histograms_[static_cast<std::size_t>(which)];
    }
    [[nodiscard]] const histogram& operator[](latency which) const noexcept {
        return histograms_[static_cast<std::size_t>(which)];
    }

private:
    std::array<histogram, latency_count> histograms_;
};

/// The runtime's distributions, recorded by any thread: each thread that records gets histograms of
/// its own (150 KB, at its first use), and reading merges them.
///
/// Thread-safe. `record` costs about 1 ns more than the histogram's. The histograms of a thread
/// that has ended are kept, since their contents count.
class shared_latencies {
public:
    shared_latencies();
    ~shared_latencies();
    shared_latencies(const shared_latencies&) = delete;
    shared_latencies& operator=(const shared_latencies&) = delete;

    /// May throw `std::bad_alloc` at a thread's first use.
    void record(latency which, std::uint64_t ticks) { local().record(which, ticks); }

    /// The calling thread's own; valid as long as this object, to be written by this thread only.
    [[nodiscard]] latency_histograms& local() {
        return cached_.owner == id_ ? *cached_.histograms : find_local();
    }

    [[nodiscard]] std::array<histogram_summary, latency_count>
    summaries(const tick_clock& clock) const;

private:
    struct cache_entry {
        std::uint64_t owner = 0;
        latency_histograms* histograms = nullptr;
    };
    struct registry;

    latency_histograms& find_local();

    // The object that this thread used last.
    [[gnu::tls_model("initial-exec")]] static thread_local constinit cache_entry cached_;

    const std::uint64_t id_; // never reused, so a stale cache entry cannot match
    std::unique_ptr<registry> registry_;
};

} // namespace muster
