#pragma once

#include <muster/time/tick.hpp>
#include <muster/time/timer_wheel.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <cstdint>
#include <utility>

namespace muster {

class wheel_service;

namespace detail {
class wheel_state;
}

/// What a cancelled entry's callback does.
enum class cancel_result : std::uint8_t {
    prevented, ///< it was scheduled, and will not be called for that
    idle,      ///< it was not scheduled
    running,   ///< it was not scheduled, but is being called right now
};

/// The cheapest way to be called at a tick: an object to derive from, or to hold. 48 bytes, no
/// allocation.
///
///     struct session : wheel_entry {
///         explicit session(wheel_service& service) : wheel_entry{service, &session::due} {}
///         static tick due(wheel_entry& entry, tick due, tick now) noexcept {
///             static_cast<session&>(entry).work();
///             return next_on_cadence(due, interval, now);
///         }
///     };
///
/// The function runs on the service's executor; it gets the tick that the entry was due at and the
/// one that it is, and returns the tick at which to be called again, or `tick::never()`. It may do
/// anything to any entry, and destroy its own.
///
/// Thread-safe: any function from any thread, except for the destructor.
class wheel_entry : timer_entry {
public:
    using function = tick (*)(wheel_entry&, tick due, tick now) noexcept;

    /// `on_due` must not be null. The service may be destroyed before the entry.
    wheel_entry(const wheel_service& service, function on_due) noexcept;

    /// As `retire`.
    ~wheel_entry() { retire(); }

    /// Has the function called at `due`, or at the next tick if that has passed; an earlier
    /// deadline is forgotten. After the service's end it does nothing. O(1). Throws what arming an
    /// alarm throws (std::bad_alloc), if the alarm has to be moved.
    void schedule(tick due);

    /// Says whether a call was prevented. If the function runs right now, that is not stopped, but
    /// the tick that it returns will be ignored. O(1).
    cancel_result cancel() noexcept;

    /// Cancels it, and returns when no callback of it runs any more: the entry may be destroyed.
    /// Within its own callback it returns at once; elsewhere, do not hold what the callback may
    /// wait for.
    void retire() noexcept;

protected:
    /// Without a function: operations wait in it.
    explicit wheel_entry(boost::intrusive_ptr<detail::wheel_state> state) noexcept
        : state_{std::move(state)} {}

    [[nodiscard]] detail::wheel_state& state() const noexcept { return *state_; }
    /// Joins the service of `other`. Requires that this entry is not scheduled.
    void join(const wheel_entry& other) noexcept { state_ = other.state_; }

private:
    friend detail::wheel_state;

    boost::intrusive_ptr<detail::wheel_state> state_;
    function on_due_ = nullptr;
};

} // namespace muster

// Last: whoever includes only this header needs the state's definition, which needs the entry's.
#include <muster/time/detail/wheel_state.hpp>
