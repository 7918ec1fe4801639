#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace muster {

/// Every counter: X(name, cells, kind). The only place that lists them: the enumeration, the cells,
/// the JSON document and the tests are made from it.
///
/// cells: `hot` and `rare` exist per session and in total and differ in where the session keeps
/// them (see `session_counters`); `total` exists for the runtime only. The per-session ones come
/// first. The rate `events_received_rate_per_sec_x1000` is derived, see `rate_per_sec_x1000`.
#define MUSTER_COUNTERS(X)                                                                         \
    X(events_received_total, hot, count)                                                           \
    X(events_forwarded_session_total, hot, count)                                                  \
    X(events_forwarded_global_total, hot, count)                                                   \
    X(output_bytes_total, hot, bytes)                                                              \
    X(event_dispatch_nanos_total, hot, nanos)                                                      \
    X(checkpoint_ticks_total, hot, count)                                                          \
    X(checkpoint_send_attempts_total, hot, count)                                                  \
    X(checkpoint_loop_read_lock_wait_nanos_total, hot, nanos)                                      \
    X(checkpoint_send_nanos_total, hot, nanos)                                                     \
    X(session_receiver_count_last, hot, gauge)                                                     \
    X(global_receiver_count_last, hot, gauge)                                                      \
    X(event_clone_ops_total, rare, count)                                                          \
    X(queue_pressure_dropped_events_total, rare, count)                                            \
    X(queue_pressure_dropped_bytes_total, rare, bytes)                                             \
    X(output_truncation_markers_total, rare, count)                                                \
    X(done_events_total, rare, count)                                                              \
    X(crashed_events_total, rare, count)                                                           \
    X(killed_events_total, rare, count)                                                            \
    X(checkpoint_skips_focused_total, rare, count)                                                 \
    X(checkpoint_skips_not_running_total, rare, count)                                             \
    X(checkpoint_send_failures_total, rare, count)                                                 \
    X(checkpoint_send_timeouts_total, rare, count)                                                 \
    X(checkpoint_deferred_busy_total, rare, count)                                                 \
    X(checkpoint_coalesced_total, rare, count)                                                     \
    X(checkpoint_task_failures_total, rare, count)                                                 \
    X(checkpoint_backoffs_total, rare, count)                                                      \
    X(checkpoint_disables_total, rare, count)                                                      \
    X(subscribe_session_calls_total, total, count)                                                 \
    X(subscribe_global_calls_total, total, count)                                                  \
    X(subscribe_session_failures_total, total, count)                                              \
    X(subscriber_lagged_errors_session_total, total, count)                                        \
    X(subscriber_lagged_errors_global_total, total, count)                                         \
    X(subscriber_lagged_events_session_total, total, count)                                        \
    X(subscriber_lagged_events_global_total, total, count)                                         \
    X(subscriber_closed_session_total, total, count)                                               \
    X(subscriber_closed_global_total, total, count)                                                \
    X(spawn_requests_total, total, count)                                                          \
    X(spawn_successes_total, total, count)                                                         \
    X(spawn_failures_total, total, count)                                                          \
    X(kill_requests_total, total, count)                                                           \
    X(kill_successes_total, total, count)                                                          \
    X(kill_failures_total, total, count)                                                           \
    X(send_input_requests_total, total, count)                                                     \
    X(send_input_failures_total, total, count)                                                     \
    X(resize_requests_total, total, count)                                                         \
    X(resize_failures_total, total, count)                                                         \
    X(respond_requests_total, total, count)                                                        \
    X(respond_failures_total, total, count)                                                        \
    X(focus_requests_total, total, count)                                                          \
    X(focus_failures_total, total, count)

/// A counter; the enumerators are the names that reports use.
enum class counter : std::uint8_t {
#define MUSTER_COUNTER_ENUMERATOR(name, cells, kind) name,
    MUSTER_COUNTERS(MUSTER_COUNTER_ENUMERATOR)
#undef MUSTER_COUNTER_ENUMERATOR
};

/// Where a counter lives.
enum class counter_cells : std::uint8_t { hot, rare, total };

/// What a counter counts. A gauge is the last value seen; all others only grow.
enum class counter_kind : std::uint8_t { count, bytes, nanos, gauge };

struct counter_traits {
    std::string_view name;
    counter_cells cells;
    counter_kind kind;
};

inline constexpr std::array counter_table{
#define MUSTER_COUNTER_ROW(name, cells, kind)                                                      \
    counter_traits{#name, counter_cells::cells, counter_kind::kind},
    MUSTER_COUNTERS(MUSTER_COUNTER_ROW)
#undef MUSTER_COUNTER_ROW
};

/// All counters; those that exist in total.
inline constexpr std::size_t counter_count = counter_table.size();

[[nodiscard]] constexpr std::size_t index_of(counter which) noexcept {
    return static_cast<std::size_t>(which);
}
[[nodiscard]] constexpr const counter_traits& traits_of(counter which) noexcept {
    return counter_table[index_of(which)];
}
[[nodiscard]] constexpr std::string_view to_string(counter which) noexcept {
    return traits_of(which).name;
}

namespace detail {

constexpr std::size_t count_cells(counter_cells cells) noexcept {
    std::size_t found = 0;
    for (const auto& row : counter_table) {
        found += row.cells == cells ? 1 : 0;
    }
    return found;
}

constexpr bool cells_are_grouped() noexcept {
    for (std::size_t i = 1; i < counter_count; ++i) {
        if (counter_table[i].cells < counter_table[i - 1].cells) {
            return false;
        }
    }
    return true;
}

} // namespace detail

inline constexpr std::size_t hot_counter_count = detail::count_cells(counter_cells::hot);
inline constexpr std::size_t rare_counter_count = detail::count_cells(counter_cells::rare);
/// The counters that exist per session: those before this index.
inline constexpr std::size_t session_counter_count = hot_counter_count + rare_counter_count;

static_assert(detail::cells_are_grouped(), "hot counters come first, then rare, then total");
static_assert(counter_count <= 64, "counter_values keeps one bit for each");

[[nodiscard]] constexpr bool is_per_session(counter which) noexcept {
    return index_of(which) < session_counter_count;
}

/// The counter of that name, if there is one. Linear in the table.
[[nodiscard]] constexpr std::optional<counter> find_counter(std::string_view name) noexcept {
    for (std::size_t i = 0; i < counter_count; ++i) {
        if (counter_table[i].name == name) {
            return static_cast<counter>(i);
        }
    }
    return std::nullopt;
}

/// Plain values of the first `Size` counters of the table, each of which may be "not measured".
///
/// Not measured and zero differ: `get` returns nothing for the former, and reports write null.
/// A new object has measured nothing.
template <std::size_t Size>
class basic_counter_values {
public:
    [[nodiscard]] static constexpr std::size_t size() noexcept { return Size; }

    constexpr basic_counter_values() noexcept = default;
    /// All measured: `value_of(std::integral_constant<counter, …>)` is asked for each in turn.
    template <typename ValueOf>
    [[nodiscard]] static constexpr basic_counter_values all(const ValueOf& value_of) noexcept {
        return basic_counter_values{value_of, std::make_index_sequence<Size>{}};
    }

    [[nodiscard]] constexpr std::optional<std::uint64_t> get(counter which) const noexcept {
        const std::size_t index = index_of(which);
        return index < Size && (measured_ >> index & 1) != 0 ? std::optional{values_[index]}
                                                             : std::nullopt;
    }
    /// The value, or 0 where nothing was measured; for sums.
    [[nodiscard]] constexpr std::uint64_t value_or_zero(counter which) const noexcept {
        return index_of(which) < Size ? values_[index_of(which)] : 0;
    }

    /// `which` must be among the first `Size`; so below.
    constexpr void set(counter which, std::uint64_t value) noexcept {
        values_[index_of(which)] = value;
        measured_ |= std::uint64_t{1} << index_of(which);
    }
    constexpr void add(counter which, std::uint64_t value) noexcept {
        set(which, values_[index_of(which)] + value);
    }
    /// Back to "not measured".
    constexpr void reset(counter which) noexcept {
        values_[index_of(which)] = 0;
        measured_ &= ~(std::uint64_t{1} << index_of(which));
    }

    /// Adds what `other` has measured. Gauges are added as well: the sum of the sessions' last
    /// values.
    template <std::size_t Other>
    constexpr void add(const basic_counter_values<Other>& other) noexcept {
        static_assert(Other <= Size);
        for (std::size_t i = 0; i < Other; ++i) {
            values_[i] += other.values_[i];
        }
        measured_ |= other.measured_;
    }

    friend bool operator==(const basic_counter_values&, const basic_counter_values&) = default;

private:
    template <std::size_t>
    friend class basic_counter_values;

    template <typename ValueOf, std::size_t... Index>
    constexpr basic_counter_values(const ValueOf& value_of,
                                   std::index_sequence<Index...> /*all*/) noexcept
        : values_{value_of(std::integral_constant<counter, static_cast<counter>(Index)>{})...},
          measured_{~std::uint64_t{0} >> (64 - Size)} {}

    std::array<std::uint64_t, Size> values_{}; // 0 where not measured
    std::uint64_t measured_ = 0;               // one bit for each
};

/// What one session counted.
using session_counter_values = basic_counter_values<session_counter_count>;
/// What the runtime counted: the sums over sessions, living and removed, and its own.
using total_counter_values = basic_counter_values<counter_count>;

} // namespace muster
