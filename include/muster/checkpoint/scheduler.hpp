#pragma once

#include <muster/checkpoint/policy.hpp>
#include <muster/metrics/clock.hpp>
#include <muster/sync/shared_mutex.hpp>
#include <muster/time/wheel_service.hpp>

#include <boost/intrusive/slist.hpp>
#include <boost/intrusive/slist_hook.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace muster {

class checkpoint_scheduler;

/// One due prompt on its way to the session.
struct checkpoint_tick {
    std::uint64_t lock_wait;           ///< waited for the registry's lock, in clock readings
    std::uint64_t handed_over;         ///< the reading just now, which may begin what follows
    std::chrono::nanoseconds lateness; ///< from the due time until then
};

/// What is prompted at an interval; the base of a session. No allocation.
///
/// The scheduler holds a reference to it while it is registered.
class checkpoint_target : wheel_entry, public boost::intrusive::slist_base_hook<> {
protected:
    checkpoint_target(checkpoint_scheduler& scheduler, const wheel_service& timers) noexcept
        : wheel_entry{timers, &checkpoint_target::on_due}, scheduler_{&scheduler} {}
    ~checkpoint_target() = default;

private:
    friend class checkpoint_scheduler;

    /// A tick is due, and the registry's read lock was got. Called on the timers' executor; may end
    /// the target and everything else.
    virtual void checkpoint_due(const checkpoint_tick& due) noexcept = 0;
    virtual void hold_target() noexcept = 0;
    virtual void let_go_of_target() noexcept = 0;

    static tick on_due(wheel_entry& entry, tick due, tick now) noexcept;
    [[nodiscard]] tick next_after(tick due, tick now) const noexcept;

    checkpoint_scheduler* scheduler_;
    std::uint64_t interval_ = 0;  ///< ticks
    std::uint64_t queued_at_ = 0; ///< clock reading; not 0 while it waits for the lock
    std::chrono::nanoseconds queued_late_{0};
    std::uint32_t grid_ = 1; ///< ticks; its cadence begins at a multiple, and divides into them
    bool delays_missed_ = false;
    bool registered_ = false;
};

/// Due ticks flow in from one shared wheel, prompts flow out to the sessions that they are due at;
/// owns no session. No ticker per session: a session that is not due costs nothing but its entry.
///
/// Each tick takes the registry's read lock: at once if it is free, else all ticks that come due
/// meanwhile wait for it together, behind the writer. The cadence is fixed: the next tick is placed
/// before the prompt is sent, at due + interval, so that neither a slow backend nor a slow lock
/// lets it drift; what was missed is left out, never sent in a burst.
///
/// Thread-safe; `add`, `remove` and `postpone` of one target on one executor at a time.
class checkpoint_scheduler {
public:
    checkpoint_scheduler(wheel_service& timers, shared_mutex& registry_lock,
                         const tick_clock& clock);
    checkpoint_scheduler(const checkpoint_scheduler&) = delete;
    checkpoint_scheduler& operator=(const checkpoint_scheduler&) = delete;

    /// Registers `target`: first due one interval from now, or with `spread_phase` after the part
    /// of it that `phase`, a hash, stands for; up to the policy's leeway later. A policy that is
    /// not periodic registers nothing. O(1); with a leeway of n ticks up to n divisions, where the
    /// interval has no divisor near it.
    void add(checkpoint_target& target, const checkpoint_policy& policy, std::size_t phase);

    /// Ends the registration, if there is one. No tick comes later, but for one that has been
    /// waiting for the lock. O(1).
    void remove(checkpoint_target& target) noexcept;

    /// The next tick comes after `delay`, or up to the policy's leeway later, and the cadence goes
    /// on from there. Nothing if `target` is not registered.
    void postpone(checkpoint_target& target, std::chrono::nanoseconds delay);

    /// Lets go of all ticks that wait for the lock.
    void close() noexcept;

private:
    friend checkpoint_target;
    class deliver_when_locked;
    using queue = boost::intrusive::slist<checkpoint_target, boost::intrusive::cache_last<true>,
                                          boost::intrusive::constant_time_size<false>>;

    [[nodiscard]] tick next_tick() const noexcept;
    void begin(checkpoint_target& target, std::uint64_t after);
    void on_due(checkpoint_target& target, tick due, tick now) noexcept;
    void enqueue(checkpoint_target& target, std::uint64_t began, std::chrono::nanoseconds late);
    void deliver_queued() noexcept;
    std::uint64_t end_wait(checkpoint_target& target) noexcept;
    [[nodiscard]] queue take_queue() noexcept;

    wheel_service& timers_;
    shared_mutex& lock_;
    tick_clock clock_;
    // Wake-ups read both clocks once; within one, the cheap one says how much time has passed.
    tick wake_up_ = tick::never();
    wheel_service::time_point wake_up_time_;
    std::uint64_t wake_up_reading_ = 0;

    std::mutex queue_lock_; ///< guards the queue and what its targets remember
    queue queue_;
};

} // namespace muster
