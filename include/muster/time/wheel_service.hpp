#pragma once

#include <muster/time/detail/wheel_state.hpp>
#include <muster/time/tick.hpp>
#include <muster/time/time_source.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace muster {

/// Deadlines of many timers flow in, wake-ups of one alarm flow out; owns the wheel and the alarm.
///
/// - Tickless: the alarm is armed for the earliest deadline only, and again only when that moves to
///   an earlier point. While nothing is due, nothing wakes up. (A deadline that was cancelled may
///   cost one wake-up, after which it is forgotten.) An empty wheel keeps no context running.
/// - Nothing fires early; entries fire at the first tick at or after their deadline, at most one
///   tick length late, plus what the executor adds. A deadline that has passed already fires within
///   a tick.
/// - Callbacks run on the time source's executor, one at a time and outside of the lock, in the
///   order of their ticks, first in, first out within one. After 1024 of them the executor gets its
///   thread back.
///
/// Ends cleanly in any order: when the service is destroyed, its entries are released and its
/// timers' waits complete with operation_aborted; entries and timers may outlive it and then do
/// nothing. When the execution context dies first, waits are destroyed with it, uncalled.
///
/// Thread-safe, except for the destructor.
class wheel_service {
public:
    using clock_type = time_source::clock;
    using duration = time_source::duration;
    using time_point = time_source::time_point;

    static constexpr duration default_tick = std::chrono::milliseconds{1};

    /// Runs on the steady clock. A tick length that is not positive: `errc::configuration`, thrown
    /// as `muster::error`.
    explicit wheel_service(asio::any_io_executor executor, duration tick_length = default_tick);
    /// Runs on `source`, which must outlive the service and all that was made for it.
    explicit wheel_service(time_source& source, duration tick_length = default_tick);
    wheel_service(const wheel_service&) = delete;
    wheel_service& operator=(const wheel_service&) = delete;
    /// Waits for a callback that runs on another thread.
    ~wheel_service();

    [[nodiscard]] asio::any_io_executor get_executor() const {
        return state_->source().get_executor();
    }
    [[nodiscard]] duration tick_length() const noexcept { return state_->tick_length(); }

    /// The last tick whose time has come; reads the clock.
    [[nodiscard]] tick now() const noexcept { return state_->now(); }
    /// The first tick at or after `at`.
    [[nodiscard]] tick tick_at(time_point at) const noexcept { return state_->tick_at(at); }
    [[nodiscard]] time_point time_of(tick at) const noexcept { return state_->time_of(at); }
    /// How many ticks a span takes, rounded up; at least one.
    [[nodiscard]] std::uint64_t ticks_in(duration span) const noexcept;

    /// How many entries and timers are scheduled.
    [[nodiscard]] std::size_t size() const noexcept { return state_->size(); }
    /// How often the alarm went off so far.
    [[nodiscard]] std::uint64_t wake_ups() const noexcept { return state_->wake_ups(); }

    [[nodiscard]] const boost::intrusive_ptr<detail::wheel_state>& state() const noexcept {
        return state_;
    }

private:
    boost::intrusive_ptr<detail::wheel_state> state_;
};

inline wheel_entry::wheel_entry(const wheel_service& service, function on_due) noexcept
    : state_{service.state()}, on_due_{on_due} {}

/// The next tick of a cadence that ticked at `due`: the first of `due + n * interval` after `now`.
/// The phase stays, and what was missed is left out. `interval` is at least 1.
[[nodiscard]] constexpr tick next_on_cadence(tick due, std::uint64_t interval, tick now) noexcept {
    const tick next = due + interval;
    return next > now ? next : due + ((now - due) / interval + 1) * interval;
}

} // namespace muster
