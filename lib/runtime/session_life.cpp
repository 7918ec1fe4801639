// A session from its worker's start to its end.

#include "runtime_core.hpp"
#include "session_extras.hpp"

#include <muster/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace muster::detail {
namespace {

std::string text_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "unknown exception";
    }
}

} // namespace

/// What the ingestion coroutine ends in.
class session::stream_end {
public:
    explicit stream_end(session_ptr of) noexcept : of_{std::move(of)} {}
    stream_end(stream_end&&) noexcept = default;
    stream_end& operator=(stream_end&&) = delete;
    /// Destroyed uncalled: the context has died, and the coroutine with it.
    ~stream_end() {
        if (of_) {
            of_->stream_dropped();
        }
    }

    void operator()(const std::exception_ptr& thrown) {
        const auto of = std::exchange(of_, {});
        of->stream_ended(thrown);
    }

private:
    session_ptr of_;
};

/// While the backend makes the worker: it counts as one already, so that a shutdown waits for it.
class session::spawn_under_way {
public:
    explicit spawn_under_way(session& of) : of_{of} {
        of_.spawning_ = true;
        of_.core_->worker_came();
    }
    spawn_under_way(const spawn_under_way&) = delete;
    spawn_under_way& operator=(const spawn_under_way&) = delete;
    ~spawn_under_way() {
        if (of_.spawning_) {
            of_.core_->worker_gone();
            succeed();
        }
    }
    /// The session has its worker.
    void succeed() noexcept {
        of_.spawning_ = false;
        of_.changed_.wake_all();
    }

private:
    session& of_;
};

session_awaitable<> session::start(spawn_request request) {
    const worker_use use{*this};
    plan_restarts(request);
    co_await spawn_worker(request, {});
    watch_silence();
    if (request.instruction_prelude) {
        co_await send_prelude(std::move(*request.instruction_prelude));
    }
}

/// `restart_reason`: how the previous worker ended, if there was one.
session_awaitable<> session::spawn_worker(const spawn_request& request,
                                          std::optional<std::string> restart_reason) {
    spawn_under_way spawning{*this};
    require_open(); // counted already, so that the backend stays if it is open
    auto spawned = co_await core_->workers().spawn(request, executor());
    if (spawned->id() != id_) {
        co_await refuse(std::move(spawned));
    }
    spawning.succeed();
    worker_ = std::move(spawned);
    if (core_->closing()) {
        worker_->abandon();
    }
    require_open();
    status_.store(session_status::running, std::memory_order_release);
    stream_open_ = true;
    if (restart_reason) {
        announce_restart(std::move(*restart_reason));
    } else {
        started_.store(core_->clock().now(), std::memory_order_relaxed);
    }
    run_worker();
}

/// The worker may end right here, so what its end undoes is done before. If it throws, it does not
/// run.
void session::run_worker() {
    core_->scheduler().add(*this, *policy_, id_.hash());
    try {
        if (!worker_->try_run(*this)) {
            asio::co_spawn(executor(), worker_->run(*this), stream_end{session_ptr{this}});
        }
    } catch (...) {
        core_->scheduler().remove(*this);
        stream_open_ = false;
        if (!is_terminal(status())) {
            status_.store(session_status::starting, std::memory_order_release);
        }
        throw;
    }
}

void session::require_open() const {
    if (core_->closing()) {
        throw error{errc::shutting_down,
                    "session '" + id_.str() + "': the runtime is shutting down"};
    }
}

/// The backend gave us somebody else's worker.
session_awaitable<> session::refuse(std::unique_ptr<worker> wrong) {
    const auto claimed = wrong->id().str();
    try {
        co_await wrong->kill();
    } catch (...) {
        wrong->abandon(); // it cannot be killed gently, and nobody may own it
    }
    throw error{errc::internal, "session '" + id_.str() + "': the backend returned a worker for '" +
                                    claimed + "'; both were ended"};
}

/// Input that is part of spawning: a failure undoes the spawn.
session_awaitable<> session::send_prelude(std::string text) {
    std::exception_ptr failed;
    try {
        co_await send_input(std::move(text));
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        try {
            co_await stop();
        } catch (...) {
            abandon(); // the input's failure is the one to tell
        }
        std::rethrow_exception(failed);
    }
}

session_awaitable<> session::stop() {
    const worker_use use{*this};
    while (killing_) {
        co_await wait_for_change();
    }
    if (cancel_restart()) {
        finish(session_status::killed, event{killed{}});
        co_return;
    }
    require_running();
    killing_ = true;
    std::exception_ptr failed;
    try {
        co_await worker_->kill();
    } catch (...) {
        failed = std::current_exception();
    }
    if (!failed) {
        finish(session_status::killed, event{killed{}});
    }
    while (!failed && stream_open_) {
        co_await wait_for_change();
    }
    killing_ = false;
    settle_held_end();
    changed_.wake_all();
    if (failed) {
        std::rethrow_exception(failed);
    }
}

/// Who finds a kill under way waits for it; if it fails, this is the next one.
session_awaitable<> session::stop_unless_over() {
    while (killing_) {
        co_await wait_for_change();
    }
    if (const auto* plan = if_planned();
        status() == session_status::running || (plan != nullptr && plan->waiting)) {
        co_await stop();
    }
}

session_awaitable<> session::end_for_good() {
    co_await stop_unless_over();
    while (worker_ || spawning_) {
        co_await wait_for_change();
    }
}

/// By post, as a coroutine's end would come: the worker may be in the middle of something.
void session::end(std::exception_ptr failed) {
    asio::post(executor(), [ended = stream_end{session_ptr{this}},
                            failed = std::move(failed)]() mutable { ended(failed); });
}

void session::stream_ended(const std::exception_ptr& thrown) {
    stream_open_ = false;
    std::optional<std::string> crash;
    if (thrown) {
        crash = "worker output stream failed: " + text_of(thrown);
    }
    if (killing_) {
        more().held_end = std::move(crash); // the kill decides what this end was
    } else {
        end_by_itself(std::move(crash));
    }
    changed_.wake_all();
    release_worker();
}

/// Nothing of the session will ever run again: what it owns, and what that keeps, is let go.
void session::stream_dropped() noexcept {
    stream_open_ = false;
    killing_ = false;
    dropped_ = true;
    release_worker();
}

/// The stream ended while a kill was under way that then failed: it ended by itself after all.
void session::settle_held_end() {
    if (auto* extra = if_more(); extra != nullptr && extra->held_end) {
        auto crash = std::move(*extra->held_end);
        extra->held_end.reset();
        end_by_itself(std::move(crash));
    }
}

void session::end_by_itself(std::optional<std::string> crash) {
    std::string reason = crash ? *crash : "the worker's output ended";
    if (begin_restart(crash.has_value(), std::move(reason))) {
        return;
    }
    auto* const plan = if_planned();
    if (plan != nullptr && plan->last_words) {
        auto last_words = std::move(*std::exchange(plan->last_words, std::nullopt));
        finish_with(last_words);
    } else if (crash) {
        finish(session_status::crashed, event{crashed{std::move(*crash)}});
    } else {
        finish(session_status::done, event{done{}});
    }
}

/// The first terminal state wins; its event is the last that the session says.
void session::finish(session_status status, event last_words) {
    if (is_terminal(this->status())) {
        return;
    }
    core_->scheduler().remove(*this);
    stop_watching();
    const auto now = core_->clock().now();
    core_->session_ended(*this); // while nobody can remove it yet
    auto published = publish_status(last_words, core_->since_start(now));
    more().ended.store(now, std::memory_order_relaxed);
    status_.store(status, std::memory_order_release);
    channel_.close();
    {
        auto& extra = more();
        const std::lock_guard lock{extra.mutex};
        extra.open_questions.clear();
        extra.end = std::move(published);
    }
    if (stream_open_ && !killing_) {
        reap_later();
    }
}

/// The worker said that it is done, but it has not gone: make sure that it does. By post, since it
/// is saying so just now.
void session::reap_later() {
    asio::post(executor(), [self = session_ptr{this}] {
        asio::co_spawn(self->executor(), self->reap_worker(), asio::detached);
    });
}

session_awaitable<> session::reap_worker() {
    const worker_use use{*this};
    if (killing_ || !stream_open_ || abandoned()) {
        co_return; // whoever kills it sees to that, or it goes by itself
    }
    killing_ = true;
    try {
        co_await worker_->kill();
    } catch (...) {
        worker_->abandon(); // nothing else can end it; the session is over either way
    }
    killing_ = false;
    settle_held_end();
    changed_.wake_all();
}

/// Frees the worker once its stream has ended and no coroutine uses it any more.
void session::release_worker() noexcept {
    if (!worker_ || stream_open_ || killing_ ||
        (status() == session_status::running && !dropped_)) {
        return;
    }
    if (worker_uses_ != 0) {
        worker_->abandon(); // releases whoever still waits for it; the last one comes back here
        return;
    }
    worker_.reset();
    core_->worker_gone();
    changed_.wake_all();
}

void session::abandon() noexcept {
    abandoned_.store(true, std::memory_order_relaxed);
    if (cancel_restart()) {
        channel_.close(); // there is no worker whose end would do it
    }
    stop_watching();
    core_->scheduler().remove(*this);
    if (worker_) {
        worker_->abandon();
    }
    changed_.wake_all(asio::error::operation_aborted); // else who waits here would keep us for ever
}

} // namespace muster::detail
