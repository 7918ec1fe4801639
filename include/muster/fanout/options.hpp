#pragma once

#include <muster/error.hpp>

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

namespace sys = boost::system;

/// A bound that never binds.
inline constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

/// What a subscriber did not get: events that the channel overwrote before it read them.
///
/// `first_sequence` and `last_sequence` are the first and the last event that this subscriber will
/// never see, `events` and `bytes` count exactly those. Latest values of conflation keys survive:
/// those in front of the first lost event come before the gap, those between its ends right after
/// it; they are not counted. Converts to false when nothing is missing.
struct gap {
    std::uint64_t first_sequence = 0;
    std::uint64_t last_sequence = 0;
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;

    explicit operator bool() const noexcept { return events != 0; }
};

/// How much a channel keeps for subscribers that start in the past: at most the newest `events`,
/// and of those no more than fit into `bytes` (by the weights given to `publish`).
///
/// Exact to the event for who asks; memory is kept in whole segments, shared with the ring.
struct retention {
    std::uint64_t events = 0;
    std::uint64_t bytes = unlimited;

    retention() = default;
    explicit retention(std::uint64_t max_events, std::uint64_t max_bytes = unlimited) noexcept
        : events{max_events}, bytes{max_bytes} {}
};

/// What happens to a subscriber that is more than its capacity behind.
enum class overflow_policy : std::uint8_t {
    drop_oldest, ///< it loses the oldest events; the next delivery carries the gap
    disconnect,  ///< its next receive fails with `errc::subscriber_lagged`, later ones with
                 ///< `errc::stream_closed`
};

/// Where a subscription starts.
class start_position {
public:
    enum class kind { latest, from_sequence, last };

    /// With the next event that is published.
    [[nodiscard]] static start_position latest() noexcept { return {kind::latest, 0}; }
    /// With the first kept event whose sequence is at least `sequence`. An event from `sequence` on
    /// that is no longer kept: `errc::stream_expired`. Nothing published from there yet: as latest.
    [[nodiscard]] static start_position from_sequence(std::uint64_t sequence) noexcept {
        return {kind::from_sequence, sequence};
    }
    /// With the newest `events` that are kept, or all if there are fewer; never expires.
    [[nodiscard]] static start_position last(std::uint64_t events) noexcept {
        return {kind::last, events};
    }

    [[nodiscard]] kind which() const noexcept { return kind_; }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
    start_position(kind which, std::uint64_t value) noexcept : kind_{which}, value_{value} {}

    kind kind_;
    std::uint64_t value_;
};

/// What a subscriber asks for. A start in the past does not widen the capacity: what does not fit
/// is reported as a gap, like any other lag.
struct subscribe_options {
    std::string name;                         ///< for whoever inspects the channel
    std::uint64_t capacity = 1024;            ///< events; exact; zero is a configuration error
    std::uint64_t capacity_bytes = unlimited; ///< the newest event is kept even if it alone exceeds
    start_position start = start_position::latest();
    overflow_policy overflow = overflow_policy::drop_oldest;

    subscribe_options() = default;
    explicit subscribe_options(std::uint64_t max_events) noexcept : capacity{max_events} {}
    explicit subscribe_options(std::string subscriber_name, std::uint64_t max_events = 1024,
                               start_position from = start_position::latest(),
                               overflow_policy policy = overflow_policy::drop_oldest)
        : name{std::move(subscriber_name)}, capacity{max_events}, start{from}, overflow{policy} {}
};

/// Thrown by `subscribe` for a start that is no longer kept; its code is `stream_expired`.
class expired : public error {
public:
    expired(std::string message, std::uint64_t oldest)
        : error{errc::stream_expired, std::move(message)}, oldest_kept_{oldest} {}

    /// The sequence from which on everything is kept.
    [[nodiscard]] std::uint64_t oldest_kept() const noexcept { return oldest_kept_; }

private:
    std::uint64_t oldest_kept_;
};

/// Why `subscribe` refused.
struct subscribe_failure {
    sys::error_code code;          ///< configuration, stream_closed or stream_expired
    std::uint64_t oldest_kept = 0; ///< with stream_expired: the sequence from which on all is kept

    explicit operator bool() const noexcept { return code.failed(); }
};

/// A subscriber as the channel sees it, without its help.
///
/// `delivered_events + lagged_events + unread_events` is the number of events published since its
/// start position. Of the unread ones `overrun_events` are out of reach already: the next delivery
/// reports them as a gap, except for those that are the latest value of their conflation key.
struct subscriber_info {
    std::string_view name;                ///< valid during the visit
    std::uint64_t next_sequence = 0;      ///< all events before this one are accounted for
    std::uint64_t capacity = 0;           ///< events
    std::uint64_t unread_events = 0;      ///< the backlog
    std::uint64_t unread_bytes = 0;       //
    std::uint64_t overrun_events = 0;     ///< the part of the backlog that exceeds the capacity
    std::uint64_t overrun_bytes = 0;      //
    std::uint64_t delivered_events = 0;   ///< handed out so far
    std::uint64_t delivered_bytes = 0;    //
    std::uint64_t lagged_events = 0;      ///< reported in gaps so far
    std::uint64_t lagged_bytes = 0;       //
    std::uint64_t gaps = 0;               ///< how many gaps were reported
    std::uint64_t oldest_unread_time = 0; ///< `broadcast_traits<T>::time` of it; 0: none or unknown
    std::uint64_t polls = 0;              ///< receive calls so far, successful or not
    std::uint64_t last_poll_time = 0;     ///< by the channel's clock; 0: never, or no clock
    bool waiting = false;                 ///< a receive is pending
    bool disconnected = false;            ///< fell behind under `overflow_policy::disconnect`
};

/// Told what the receiving side learns, so that a program may count it. Called outside the
/// channel's lock, on the thread of the receive that found out; must not throw.
class broadcast_observer {
public:
    /// A delivery (or a disconnection) reports `missing`.
    virtual void lagged(std::string_view subscriber, const gap& missing) noexcept = 0;
    /// A receive ended with `errc::stream_closed` for the first time.
    virtual void closed(std::string_view subscriber) noexcept = 0;

protected:
    ~broadcast_observer() = default;
};

/// Customisation point: specialise for a T that knows when it was published.
template <typename T>
struct broadcast_traits {
    /// Monotonic time of publication in the program's unit; 0: unknown.
    static std::uint64_t time(const T&) noexcept { return 0; }
};

} // namespace muster
