#include "runtime_core.hpp"
#include "session_extras.hpp"

#include <muster/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace muster::detail {
namespace {

/// The code that an exception stands for, as a receipt shows it.
sys::error_code code_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const sys::system_error& e) {
        return e.code();
    } catch (...) {
        return errc::process;
    }
}

prompt_outcome outcome_of(prompter::verdict verdict) {
    switch (verdict) {
    case prompter::verdict::skip_focused: return prompt_outcome::skipped_focused;
    case prompter::verdict::defer_busy: return prompt_outcome::deferred_busy;
    case prompter::verdict::coalesce: return prompt_outcome::coalesced;
    case prompter::verdict::refuse:
    case prompter::verdict::send: break;
    }
    return prompt_outcome::refused;
}

} // namespace

void session::set_focused(bool focused) {
    if (focused_.exchange(focused, std::memory_order_relaxed) && !focused) {
        asio::post(executor(), [self = session_ptr{this}] { self->send_deferred(); });
    }
}

/// Called by the scheduler, in no strand: an idle session's tick is dealt with at once, for two
/// queues and two allocations cost more than the whole tick. A busy one's goes to its strand.
void session::checkpoint_due(const checkpoint_tick& due) noexcept {
    const auto strand = executor();
    if (!strand.try_run([&] { tick(due, due.handed_over); })) {
        strand.post(
            [self = session_ptr{this}, due] { self->tick(due, self->core_->clock().now()); });
    }
}

/// `began`: a clock reading of just now; one more would be a tenth of the tick.
void session::tick(const checkpoint_tick& due, std::uint64_t began) {
    count<counter::checkpoint_ticks_total>();
    count<counter::checkpoint_loop_read_lock_wait_nanos_total>(due.lock_wait);
    core_->record(latency::registry_read_lock_wait, due.lock_wait);
    core_->record(latency::checkpoint_lateness, core_->clock().from_nanos(due.lateness));
    if (status() != session_status::running) {
        count<counter::checkpoint_skips_not_running_total>();
        core_->scheduler().remove(*this);
        return;
    }
    apply(prompter_.periodic_due(policy_->when_busy, focused()), true, policy_->prompt, began);
}

/// Carries a verdict out; returns the receipt unless the prompt is still under way.
std::optional<prompt_receipt> session::apply(prompter::verdict verdict, bool periodic,
                                             std::string_view text, std::uint64_t began) {
    if (verdict == prompter::verdict::send) {
        return send_prompt(text, periodic, began);
    }
    const prompt_receipt receipt{id_, outcome_of(verdict), periodic};
    switch (receipt.outcome) {
    case prompt_outcome::skipped_focused: count<counter::checkpoint_skips_focused_total>(); break;
    case prompt_outcome::coalesced: count<counter::checkpoint_coalesced_total>(); break;
    case prompt_outcome::deferred_busy:
        count<counter::checkpoint_deferred_busy_total>();
        if (!periodic) { // it goes out with its own words when the turn has ended
            more().deferred_text = std::string{text};
        }
        break;
    default: break;
    }
    report(receipt);
    return receipt;
}

/// A prompt that somebody asked for is not held back by the focus. So it goes out, or ends with its
/// worker, before another can stand for it.
void session::send_deferred() {
    auto* const extra = if_more();
    const bool asked_for = extra != nullptr && extra->deferred_text;
    if (status() != session_status::running || !prompter_.take_deferred(focused() && !asked_for)) {
        return;
    }
    std::optional<std::string> own_words;
    if (asked_for) {
        own_words.swap(extra->deferred_text);
    }
    send_prompt(own_words ? *own_words : policy_->prompt, !own_words, core_->clock().now());
}

/// Most backends take a prompt at once; the others get a coroutine and a deadline.
std::optional<prompt_receipt> session::send_prompt(std::string_view text, bool periodic,
                                                   std::uint64_t began) {
    count<counter::checkpoint_send_attempts_total>();
    prompt_receipt receipt{id_, prompt_outcome::sent, periodic};
    try {
        if (!worker_->try_send_input(text)) {
            send_slowly(std::string{text}, periodic, began);
            return std::nullopt;
        }
    } catch (...) {
        receipt.outcome = prompt_outcome::failed;
        receipt.error = code_of(std::current_exception());
    }
    settle(receipt, began);
    prompter_.settled();
    return receipt;
}

void session::send_slowly(std::string text, bool periodic, std::uint64_t began) {
    prompt_receipt started{id_, prompt_outcome::sent, periodic};
    auto sending =
        std::make_shared<pending_send>(std::move(started), began, executor(), core_->timers());
    more().sending = sending;
    sending->use.emplace(*this);
    sending->deadline.expires_after(policy_->send_deadline);
    sending->deadline.async_wait([self = session_ptr{this}, sending](sys::error_code cancelled) {
        if (!cancelled) {
            self->send_overdue(*sending);
        }
    });
    asio::co_spawn(executor(), worker_->send_input(std::move(text)),
                   asio::bind_cancellation_slot(
                       sending->give_up.slot(),
                       [self = session_ptr{this}, sending](const std::exception_ptr& thrown) {
                           self->send_returned(*sending, thrown);
                       }));
}

/// The receipt goes out now; the prompt stays in flight until the backend has let go of it.
void session::send_overdue(pending_send& sending) {
    if (std::exchange(sending.settled, true)) {
        return;
    }
    sending.receipt.outcome = prompt_outcome::timed_out;
    sending.receipt.error = errc::send_timed_out;
    settle(sending.receipt, sending.began);
    changed_.wake_all();
    sending.give_up.emit(asio::cancellation_type::terminal);
}

void session::send_returned(pending_send& sending, const std::exception_ptr& thrown) {
    sending.deadline.cancel();
    if (!std::exchange(sending.settled, true)) {
        if (thrown) {
            sending.receipt.outcome = prompt_outcome::failed;
            sending.receipt.error = code_of(thrown);
        }
        settle(sending.receipt, sending.began);
    }
    more().sending.reset();
    prompter_.settled();
    changed_.wake_all();
    sending.use.reset();
    send_deferred();
}

/// Counts and reports a prompt's end, and lets the failure policy speak. A prompt that was given up
/// and a session that has ended, or is being killed, in the meantime have not failed.
void session::settle(const prompt_receipt& receipt, std::uint64_t began) {
    if (counts_) {
        const auto elapsed = tick_clock::between(began, core_->clock().now());
        counters_.add<counter::checkpoint_send_nanos_total>(elapsed);
        core_->record(latency::checkpoint_send, elapsed);
    }
    if (receipt.outcome == prompt_outcome::sent) {
        prompter_.succeeded();
    } else {
        if (receipt.outcome == prompt_outcome::timed_out) {
            count<counter::checkpoint_send_timeouts_total>();
        } else {
            count<counter::checkpoint_send_failures_total>();
        }
        if (status() == session_status::running && !killing_ &&
            receipt.error != asio::error::operation_aborted) {
            follow_failure(prompter_.failed(policy_->on_failure), receipt.error);
        }
    }
    report(receipt);
}

void session::follow_failure(const prompter::failure_verdict& verdict, sys::error_code error) {
    using kind = checkpoint_diagnostic::kind_type;
    const std::chrono::nanoseconds none{0};
    core_->publish_diagnostic(id_, kind::failure, verdict.failures, none, error);
    if (verdict.disable) {
        count<counter::checkpoint_disables_total>();
        core_->scheduler().remove(*this);
        core_->publish_diagnostic(id_, kind::disabled, verdict.failures, none, error);
    } else if (verdict.delay) {
        count<counter::checkpoint_backoffs_total>();
        core_->scheduler().postpone(*this, *verdict.delay);
        core_->publish_diagnostic(id_, kind::backoff, verdict.failures, *verdict.delay, error);
    }
}

void session::report(const prompt_receipt& receipt) {
    core_->publish_receipt(receipt);
}

session_awaitable<> session::prompt(std::string text, prompt_receipt& receipt) {
    const worker_use use{*this};
    require_running();
    if (auto at_once =
            apply(prompter_.requested(policy_->when_busy), false, text, core_->clock().now())) {
        receipt = std::move(*at_once);
        co_return;
    }
    const auto sending = more().sending.lock();
    try {
        while (!sending->settled) {
            co_await wait_for_change();
        }
    } catch (...) { // the caller has been cancelled
        sending->give_up.emit(asio::cancellation_type::terminal);
        throw;
    }
    receipt = sending->receipt;
}

} // namespace muster::detail
