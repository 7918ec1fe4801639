#include <muster/checkpoint/scheduler.hpp>

#include <algorithm>
#include <utility>

namespace muster {
namespace {

/// The greatest divisor of `interval` that is at most `leeway`, at least 1. Found by trying, in a
/// few steps where both are round.
std::uint32_t grid_for(std::uint64_t interval, std::uint64_t leeway) noexcept {
    constexpr std::uint64_t widest = 1 << 16; // so many steps at most
    std::uint64_t divisor = std::clamp<std::uint64_t>(leeway, 1, std::min(interval, widest));
    while (interval % divisor != 0) {
        --divisor;
    }
    return static_cast<std::uint32_t>(divisor);
}

} // namespace

tick checkpoint_target::on_due(wheel_entry& entry, tick due, tick now) noexcept {
    auto& self = static_cast<checkpoint_target&>(entry);
    const tick next = self.next_after(due, now);
    self.scheduler_->on_due(self, due, now); // may end the session, and everything
    return next;
}

tick checkpoint_target::next_after(tick due, tick now) const noexcept {
    if (delays_missed_) {
        const tick on_cadence = due + interval_;
        return on_cadence > now ? on_cadence : now + interval_;
    }
    return next_on_cadence(due, interval_, now);
}

/// What waits for the registry's lock. It keeps one of the waiting targets, and through it the
/// scheduler, alive.
class checkpoint_scheduler::deliver_when_locked {
public:
    deliver_when_locked(checkpoint_scheduler& scheduler, checkpoint_target& kept) noexcept
        : scheduler_{&scheduler}, kept_{&kept} {
        kept_->hold_target();
    }
    deliver_when_locked(deliver_when_locked&& other) noexcept
        : scheduler_{other.scheduler_}, kept_{std::exchange(other.kept_, nullptr)} {}
    deliver_when_locked& operator=(deliver_when_locked&&) = delete;
    ~deliver_when_locked() {
        if (kept_ != nullptr) {
            kept_->let_go_of_target();
        }
    }

    void operator()(boost::system::error_code aborted, shared_lock reading) {
        reading.unlock();
        if (!aborted) {
            scheduler_->deliver_queued();
        }
    }

private:
    checkpoint_scheduler* scheduler_;
    checkpoint_target* kept_;
};

checkpoint_scheduler::checkpoint_scheduler(wheel_service& timers, shared_mutex& registry_lock,
                                           const tick_clock& clock)
    : timers_{timers}, lock_{registry_lock}, clock_{clock} {}

void checkpoint_scheduler::add(checkpoint_target& target, const checkpoint_policy& policy,
                               std::size_t phase) {
    if (!policy.is_periodic() || target.registered_) {
        return;
    }
    target.interval_ = timers_.ticks_in(policy.interval);
    target.grid_ = grid_for(target.interval_,
                            static_cast<std::uint64_t>(policy.leeway / timers_.tick_length()));
    target.delays_missed_ = policy.when_missed == missed_tick_action::delay;
    target.registered_ = true;
    target.hold_target();
    const auto first = policy.spread_phase ? 1 + phase % target.interval_ : target.interval_;
    begin(target, first);
}

void checkpoint_scheduler::remove(checkpoint_target& target) noexcept {
    if (std::exchange(target.registered_, false)) {
        target.retire();
        target.let_go_of_target();
    }
}

void checkpoint_scheduler::postpone(checkpoint_target& target, std::chrono::nanoseconds delay) {
    if (target.registered_) {
        target.cancel(); // within a tick: else the old cadence would win when it returns
        begin(target, timers_.ticks_in(delay));
    }
}

void checkpoint_scheduler::begin(checkpoint_target& target, std::uint64_t after) {
    const std::uint64_t earliest = (next_tick() + after).value();
    target.schedule(tick{(earliest + target.grid_ - 1) / target.grid_ * target.grid_});
}

/// The tick at or after now: what is counted from it is never early.
tick checkpoint_scheduler::next_tick() const noexcept {
    return timers_.tick_at(timers_.state()->source().now());
}

void checkpoint_scheduler::on_due(checkpoint_target& target, tick due, tick now) noexcept {
    if (now != wake_up_) {
        wake_up_ = now;
        wake_up_time_ = timers_.state()->source().now();
        wake_up_reading_ = clock_.now();
    }
    const auto began = clock_.now();
    const auto passed = std::chrono::nanoseconds{
        static_cast<std::int64_t>(clock_.to_nanos(tick_clock::between(wake_up_reading_, began)))};
    const auto late = wake_up_time_ + passed - timers_.time_of(due);
    if (!lock_.try_lock_shared()) { // held for a moment: to be behind every writer is the point
        enqueue(target, began, late);
        return;
    }
    const auto locked = clock_.now();
    target.checkpoint_due({tick_clock::between(began, locked), locked, late});
}

void checkpoint_scheduler::enqueue(checkpoint_target& target, std::uint64_t began,
                                   std::chrono::nanoseconds late) {
    std::unique_lock lock{queue_lock_};
    if (target.queued_at_ != 0) {
        return; // its last tick still waits; one prompt stands for both
    }
    const bool first = queue_.empty();
    target.queued_at_ = began;
    target.queued_late_ = late;
    target.hold_target();
    queue_.push_back(target);
    lock.unlock();
    if (first) {
        lock_.async_lock_shared(deliver_when_locked{*this, target});
    }
}

void checkpoint_scheduler::deliver_queued() noexcept {
    auto due = take_queue();
    const auto locked = clock_.now();
    while (!due.empty()) {
        auto& target = due.front();
        due.pop_front();
        const auto late = target.queued_late_; // before the wait ends: then it may be queued again
        const auto wait = tick_clock::between(end_wait(target), locked);
        const std::chrono::nanoseconds waited{static_cast<std::int64_t>(clock_.to_nanos(wait))};
        target.checkpoint_due({wait, clock_.now(), late + waited});
        target.let_go_of_target();
    }
}

/// From here on the target may be queued again; says when it was queued.
std::uint64_t checkpoint_scheduler::end_wait(checkpoint_target& target) noexcept {
    const std::lock_guard lock{queue_lock_};
    return std::exchange(target.queued_at_, 0);
}

checkpoint_scheduler::queue checkpoint_scheduler::take_queue() noexcept {
    const std::lock_guard lock{queue_lock_};
    queue taken;
    taken.swap(queue_);
    return taken;
}

void checkpoint_scheduler::close() noexcept {
    auto waiting = take_queue();
    while (!waiting.empty()) {
        auto& target = waiting.front();
        waiting.pop_front();
        end_wait(target);
        target.let_go_of_target();
    }
}

} // namespace muster
