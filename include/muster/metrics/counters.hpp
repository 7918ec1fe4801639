#pragma once

#include <muster/detail/single_threaded.hpp>
#include <muster/metrics/clock.hpp>
#include <muster/metrics/counter.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace muster {

/// The counters of one session, in cells that the session's own strand writes and any thread may
/// read. Increments go in, `session_counter_values` come out.
///
/// - An increment is a load, an addition and a store, all relaxed: about 0.25 ns. No two threads
///   may `add` at once (the session's strand is the one writer); `add_shared` is for the rare
///   counters that others write too, and costs an atomic read-modify-write.
/// - A reader sees each cell whole, but not all cells at one instant: in a quiet session the values
///   reconcile, in a busy one they are apart by what happened meanwhile.
/// - Durations are added in ticks of a `tick_clock` and converted when read.
/// - 88 bytes; the first 48 are what a dispatch writes. The rare counters are in a second block
///   (128 bytes) that the first use of one allocates, so that a million idle sessions do not pay
///   for what never happens to them.
class session_counters {
public:
    constexpr session_counters() noexcept = default;
    session_counters(const session_counters&) = delete;
    session_counters& operator=(const session_counters&) = delete;
    ~session_counters() { delete rare_.load(std::memory_order_relaxed); }

    /// Adds on the session's strand. Throws `std::bad_alloc` only at the first use of a rare one.
    template <counter Which>
    void add(std::uint64_t amount = 1) {
        cell& target = writable<Which>();
        // Single writer: nothing can come between the load and the store.
        target.store(target.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }

    /// Adds from any thread. A counter is written either this way or by `add`, never both; only
    /// for rare ones.
    template <counter Which>
    void add_shared(std::uint64_t amount = 1) {
        static_assert(traits_of(Which).cells == counter_cells::rare);
        writable<Which>().fetch_add(amount, std::memory_order_relaxed);
    }

    /// Adds the time between two readings of the clock; only for counters in nanoseconds.
    template <counter Which>
    void add_elapsed(std::uint64_t earlier, std::uint64_t later) {
        static_assert(traits_of(Which).kind == counter_kind::nanos);
        add<Which>(tick_clock::between(earlier, later));
    }

    /// How many receivers the session's and the runtime's channel had at the last dispatch.
    void set_receivers(std::uint32_t session, std::uint32_t global) noexcept {
        session_receivers_.store(session, std::memory_order_relaxed);
        global_receivers_.store(global, std::memory_order_relaxed);
    }

    /// All values, all measured. Thread-safe; `clock` is the one that the readings came from.
    [[nodiscard]] session_counter_values read(const tick_clock& clock) const noexcept;

private:
    using cell = std::atomic<std::uint64_t>;
    static constexpr std::size_t dispatch_words = index_of(counter::checkpoint_ticks_total);
    static constexpr std::size_t hot_words = index_of(counter::session_receiver_count_last);
    static_assert(hot_words + 2 == hot_counter_count, "the two gauges are the last hot ones");

    struct rare_cells {
        std::array<cell, rare_counter_count> words{};
    };

    template <counter Which>
    cell& writable() {
        static_assert(is_per_session(Which), "this counter exists in total only");
        static_assert(traits_of(Which).kind != counter_kind::gauge, "use set_receivers");
        if constexpr (index_of(Which) < dispatch_words) {
            return dispatch_[index_of(Which)];
        } else if constexpr (index_of(Which) < hot_words) {
            return checkpoint_[index_of(Which) - dispatch_words];
        } else {
            return rare().words[index_of(Which) - hot_counter_count];
        }
    }

    rare_cells& rare() {
        // acquire: pairs with the installation, so that the cells are seen zeroed.
        auto* present = rare_.load(std::memory_order_acquire);
        return present != nullptr ? *present : install_rare();
    }
    rare_cells& install_rare();
    /// What the cell of a hot counter holds.
    template <counter Which>
    [[nodiscard]] std::uint64_t hot() const noexcept {
        constexpr std::size_t index = index_of(Which);
        if constexpr (index < dispatch_words) {
            return dispatch_[index].load(std::memory_order_relaxed);
        } else if constexpr (index < hot_words) {
            return checkpoint_[index - dispatch_words].load(std::memory_order_relaxed);
        } else if constexpr (index == hot_words) {
            return session_receivers_.load(std::memory_order_relaxed);
        } else {
            return global_receivers_.load(std::memory_order_relaxed);
        }
    }

    std::array<cell, dispatch_words> dispatch_{};
    std::atomic<std::uint32_t> session_receivers_{0};
    std::atomic<std::uint32_t> global_receivers_{0};
    std::array<cell, hot_words - dispatch_words> checkpoint_{};
    std::atomic<rare_cells*> rare_{nullptr}; // installed once, freed with the session
};

static_assert(sizeof(session_counters) <= 88, "a million sessions have one each");

/// The counters that exist in total only, and what removed sessions had counted.
///
/// Thread-safe. The total-only counters are written on rare paths (calls of the facade, lagging
/// subscribers) with an atomic read-modify-write. Folding takes place when a session is removed, so
/// totals never go back: `read` with the living sessions' values added is the runtime's total,
/// provided that the caller keeps removals and snapshots apart (both happen under the registry's
/// lock).
class total_counters {
public:
    total_counters() noexcept = default;
    total_counters(const total_counters&) = delete;
    total_counters& operator=(const total_counters&) = delete;

    /// Adds to a counter that exists in total only.
    template <counter Which>
    void add(std::uint64_t amount = 1) noexcept {
        static_assert(!is_per_session(Which), "this counter is counted by sessions");
        detail::fetch_add(cells_[index_of(Which)], amount, std::memory_order_relaxed);
    }

    /// Keeps what a session has counted, as the session goes. Gauges are not kept.
    void fold(const session_counter_values& session) noexcept;

    /// The total-only counters and the removed sessions' sums; everything measured. The caller adds
    /// the living sessions.
    [[nodiscard]] total_counter_values read() const noexcept;

private:
    std::array<std::atomic<std::uint64_t>, counter_count> cells_{};
};

} // namespace muster
