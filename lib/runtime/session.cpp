#include "runtime_core.hpp"
#include "session_extras.hpp"

#include <muster/error.hpp>

#include <utility>

namespace muster::detail {

session::session(runtime_core& core, session_id id, const spawn_options& options)
    : light_strand_state{core.context().get_executor()}, checkpoint_target{core.scheduler(),
                                                                           core.timers()},
      core_{&core}, id_{std::move(id)}, channel_{core.session_settings()},
      policy_{&core.default_policy()}, counts_{core.metrics_enabled()} {
    keep_own_options(options);
}

/// Most sessions have none.
void session::keep_own_options(const spawn_options& options) {
    if (options.checkpoint) {
        policy_ = (more().policy = runtime_core::prepared(*options.checkpoint)).get();
    }
    if (options.restart.when != restart_policy::mode::never || options.silence.after.count() != 0) {
        more().supervision = std::make_unique<const supervision_options>(
            supervision_options{options.restart, options.silence});
    }
}

session::~session() {
    if (worker_) {
        worker_.reset();
        core_->worker_gone();
    }
    delete if_more();
}

void session::dispose() noexcept {
    delete this;
}

void session::require_running() const {
    const auto now = status();
    const bool lost = abandoned();
    if (now == session_status::running && !lost) {
        return;
    }
    const auto name = "session '" + id_.str() + "'";
    if (lost) {
        throw error{errc::shutting_down, name + " has been abandoned: its runtime is gone"};
    }
    if (now == session_status::starting) {
        throw error{errc::session_starting, name + " is starting: wait until spawn has returned"};
    }
    throw error{errc::session_not_running, name + " is not running (" +
                                               std::string{to_string(now)} +
                                               "): remove it and spawn it anew"};
}

std::chrono::nanoseconds session::age(std::uint64_t now) const noexcept {
    const auto started = started_.load(std::memory_order_relaxed);
    const auto* const extra = if_more();
    const auto ended = extra == nullptr ? 0 : extra->ended.load(std::memory_order_relaxed);
    return started == 0 ? std::chrono::nanoseconds{0}
                        : core_->elapsed(started, ended != 0 ? ended : now);
}

std::atomic<std::uint64_t>& session::ticket() {
    return more().ticket;
}

session_info session::info() const {
    session_info shown{id_};
    shown.status = status();
    shown.visibility = focused() ? visibility::focused : visibility::background;
    shown.age = age(core_->clock().now());
    shown.turn_active = turn_active_.load(std::memory_order_relaxed);
    if (const auto* extra = if_more()) {
        shown.queue_position =
            core_->admission().position(extra->ticket.load(std::memory_order_relaxed));
        const std::lock_guard lock{extra->mutex};
        shown.open_questions = extra->open_questions;
        shown.dropped_questions = extra->dropped_questions;
        shown.end = extra->end;
        shown.restarts = extra->restarts;
    }
    return shown;
}

// ---- calls of the facade

session_awaitable<> session::send_input(std::string bytes) {
    const worker_use use{*this};
    require_running();
    if (!worker_->try_send_input(bytes)) {
        co_await worker_->send_input(std::move(bytes));
    }
}

session_awaitable<> session::resize(terminal_size size) {
    const worker_use use{*this};
    require_running();
    co_await worker_->resize(size);
}

session_awaitable<> session::respond(needs_input_response response) {
    const worker_use use{*this};
    require_running();
    const auto question = take_question(response);
    std::exception_ptr refused;
    try {
        co_await worker_->respond(std::move(response));
    } catch (...) {
        refused = std::current_exception();
    }
    if (refused) {
        restore_question(question);
    }
    answer_settled();
    if (refused) {
        std::rethrow_exception(refused);
    }
}

} // namespace muster::detail