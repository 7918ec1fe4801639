#pragma once

#include <muster/metrics/counter.hpp>
#include <muster/metrics/histogram.hpp>
#include <muster/session/session_id.hpp>
#include <muster/session/status.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster {

inline constexpr std::size_t session_status_count =
    static_cast<std::size_t>(session_status::killed) + 1;

/// A thousand times the rate of `count` things in `age`; 0 for no age. Saturates.
[[nodiscard]] std::uint64_t rate_per_sec_x1000(std::uint64_t count,
                                               std::chrono::nanoseconds age) noexcept;

/// One session at the time of a snapshot.
struct session_row {
    session_id id;
    session_status status = session_status::starting;
    muster::visibility visibility = muster::visibility::background;
    std::chrono::nanoseconds age{0}; ///< since the spawn; a terminal session's stops at its end
    session_counter_values counters;

    explicit session_row(session_id name) : id{std::move(name)} {}
    /// With what `read()` returns as its counters, which are not copied.
    template <typename Read>
    session_row(session_id name, const Read& read) : id{std::move(name)}, counters{read()} {}

    /// `events_received_rate_per_sec_x1000`, by this session's age; nothing if not measured.
    [[nodiscard]] std::optional<std::uint64_t> events_received_rate_per_sec_x1000() const noexcept;
};

/// One subscriber at the time of a snapshot, seen from outside.
struct subscriber_row {
    std::string name;
    std::optional<session_id> session; ///< nothing: subscribed to all
    std::uint64_t cursor = 0;          ///< sequence number of the last event delivered, 0 for none
    std::uint64_t backlog_events = 0;  ///< kept and not yet delivered
    std::uint64_t backlog_bytes = 0;
    std::optional<std::chrono::nanoseconds> oldest_unread_age; ///< nothing without a backlog
    std::uint64_t lagged_events = 0;                           ///< lost so far
    std::uint64_t lagged_bytes = 0;
    std::optional<std::chrono::nanoseconds> since_last_poll; ///< nothing: it never polled
    std::uint64_t delivered_events = 0;

    subscriber_row(std::string label, std::optional<session_id> source)
        : name{std::move(label)}, session{std::move(source)} {}
};

/// All counters at one instant, as plain values that share nothing with the runtime.
///
/// With metrics off, counters and latencies are "not measured"; sessions and subscribers are there.
struct runtime_snapshot {
    std::chrono::system_clock::time_point taken_at;
    std::chrono::nanoseconds uptime{0}; ///< of the runtime
    bool metrics_enabled = true;
    total_counter_values totals;
    std::array<std::uint64_t, session_status_count> sessions_by_status{};
    std::vector<session_row> sessions; ///< sorted by id
    std::vector<subscriber_row> subscribers;
    std::array<std::optional<histogram_summary>, latency_count> latencies;

    [[nodiscard]] std::uint64_t session_count() const noexcept { return sessions.size(); }
    [[nodiscard]] std::uint64_t session_count(session_status status) const noexcept {
        return sessions_by_status[static_cast<std::size_t>(status)];
    }
    /// The total rate, by the runtime's uptime.
    [[nodiscard]] std::optional<std::uint64_t> events_received_rate_per_sec_x1000() const noexcept;

    /// Adds a session: its row, its status, and its counters to the totals. Call with the removed
    /// sessions' sums already in `totals`. Amortised constant time.
    void add(session_row row);
    /// The same for a row that is in `sessions` already.
    void count(const session_row& row) noexcept;
};

} // namespace muster
