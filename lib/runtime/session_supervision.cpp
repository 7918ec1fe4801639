#include "runtime_core.hpp"
#include "session_extras.hpp"

#include <muster/detail/later.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

namespace muster::detail {

// ---- starting anew

void session::plan_restarts(const spawn_request& request) {
    auto* const extra = if_more();
    if (extra != nullptr && extra->supervision &&
        extra->supervision->restart.when != restart_policy::mode::never) {
        extra->restart =
            std::make_unique<restart_plan>(extra->supervision->restart, request, core_->timers());
    }
}

/// A worker that says how it ends, and is to be started anew, has not ended the session: its words
/// are kept until it has gone.
bool session::hold_last_words(event& value) {
    auto* const plan = if_planned();
    if (plan == nullptr || killing_ || core_->closing() ||
        !plan->tracker.applies(value.kind() == event_kind::crashed)) {
        return false;
    }
    plan->last_words = std::move(value);
    reap_later();
    return true;
}

/// The worker has ended by itself: whether it is started anew, after a pause.
bool session::begin_restart(bool crash, std::string reason) {
    auto* const plan = if_planned();
    if (plan == nullptr || is_terminal(status()) || core_->closing() || abandoned()) {
        return false;
    }
    if (plan->last_words) {
        const auto* words = plan->last_words->get_if<crashed>();
        crash = words != nullptr;
        reason = crash ? words->reason : "the worker was done";
    }
    if (!plan->tracker.applies(crash)) {
        return false;
    }
    const auto delay = plan->tracker.next(core_->timers().state()->source().now());
    if (!delay) {
        return false;
    }
    core_->scheduler().remove(*this);
    status_.store(session_status::starting, std::memory_order_release);
    plan->last_words.reset();
    plan->waiting = true;
    plan->timer.expires_after(*delay);
    plan->timer.async_wait(asio::bind_executor(
        executor(),
        [self = session_ptr{this}, reason = std::move(reason)](sys::error_code cancelled) mutable {
            if (!cancelled) {
                asio::co_spawn(self->executor(), self->restart(self, std::move(reason)),
                               asio::detached);
            }
        }));
    return true;
}

/// Starts the worker anew; a failure to do so is one more end.
session_awaitable<> session::restart(session_ptr /*kept*/, std::string reason) {
    while (worker_) {
        co_await wait_for_change();
    }
    auto* const plan = if_planned();
    if (!std::exchange(plan->waiting, false)) {
        co_return; // killed in the meantime
    }
    std::optional<std::string> failure;
    try {
        co_await spawn_worker(plan->request, std::move(reason));
    } catch (const std::exception& e) {
        failure = e.what();
    }
    if (failure) {
        release_worker();
        end_by_itself("the worker could not be started anew: " + *failure);
    }
}

/// Tells everybody, before the new worker can say anything.
void session::announce_restart(std::string reason) {
    auto& extra = more();
    prompter_.reset();
    extra.deferred_text.reset();
    turn_active_.store(false, std::memory_order_relaxed);
    std::uint32_t attempt = 0;
    {
        const std::lock_guard lock{extra.mutex};
        extra.open_questions.clear();
        attempt = ++extra.restarts;
    }
    event news{restarted{attempt, std::move(reason)}};
    publish_status(news, core_->since_start(core_->clock().now()));
}

bool session::cancel_restart() noexcept {
    auto* const plan = if_planned();
    if (plan == nullptr || !std::exchange(plan->waiting, false)) {
        return false;
    }
    plan->timer.cancel();
    return true;
}

// ---- silence

void session::watch_silence() {
    auto* const extra = if_more();
    if (extra == nullptr || !extra->supervision || extra->supervision->silence.after.count() == 0 ||
        is_terminal(status()) || core_->closing()) {
        return;
    }
    auto& watch = extra->silence;
    if (!watch) {
        watch = std::make_unique<silence_watch>(extra->supervision->silence, core_->timers());
    }
    watch->timer.expires_at(later(watch->last_event, watch->policy.after));
    watch->timer.async_wait(
        asio::bind_executor(executor(), [self = session_ptr{this}](sys::error_code cancelled) {
            if (!cancelled && !is_terminal(self->status())) {
                self->silence_due();
            }
        }));
}

void session::stop_watching() noexcept {
    if (auto* const extra = if_more(); extra != nullptr && extra->silence) {
        extra->silence->timer.cancel();
    }
}

/// The timer goes off once an interval, and the session may have spoken since it was set.
void session::silence_due() {
    auto& watch = *more().silence;
    const auto now = core_->timers().state()->source().now();
    const auto silent_for = now - watch.last_event;
    if (silent_for >= watch.policy.after) {
        watch.last_event = now;
        if (status() == session_status::running) { // else it is between two workers
            act_on_silence(watch.policy.then, silent_for);
        }
    }
    watch_silence();
}

void session::act_on_silence(silence_policy::action action, std::chrono::nanoseconds silent_for) {
    core_->publish_diagnostic(id_, checkpoint_diagnostic::kind_type::silent, 0, silent_for, {});
    if (action == silence_policy::action::prompt && !policy_->prompt.empty()) {
        apply(prompter_.requested(policy_->when_busy), true, policy_->prompt, core_->clock().now());
    } else if (action == silence_policy::action::kill) {
        asio::co_spawn(executor(), kill_silent(session_ptr{this}), asio::detached);
    }
}

/// What goes wrong is reported, and the watch goes on.
session_awaitable<> session::kill_silent(session_ptr /*kept*/) {
    try {
        co_await stop_unless_over();
    } catch (const sys::system_error& e) {
        core_->publish_diagnostic(id_, checkpoint_diagnostic::kind_type::failure, 1, {}, e.code());
    }
}

} // namespace muster::detail
