#include <muster/checkpoint/prompter.hpp>

namespace muster {

prompter::verdict prompter::periodic_due(busy_action when_busy, bool focused) noexcept {
    return focused ? verdict::skip_focused : requested(when_busy);
}

prompter::verdict prompter::requested(busy_action when_busy) noexcept {
    if (in_flight_) {
        return verdict::coalesce;
    }
    if (waiting_ || (turn_active_ && when_busy == busy_action::skip)) {
        return verdict::refuse;
    }
    if (turn_active_ && when_busy == busy_action::coalesce) {
        deferred_ = true;
        return verdict::defer_busy;
    }
    deferred_ = false; // this prompt stands for one that was deferred
    in_flight_ = true;
    return verdict::send;
}

bool prompter::take_deferred(bool focused) noexcept {
    if (!deferred_ || turn_active_ || waiting_ || in_flight_ || focused) {
        return false;
    }
    deferred_ = false;
    in_flight_ = true;
    return true;
}

prompter::failure_verdict prompter::failed(const failure_policy& policy) noexcept {
    ++failures_;
    const bool disable = policy.disables(failures_);
    return {failures_, disable ? std::nullopt : policy.delay_after(failures_), disable};
}

} // namespace muster
