#pragma once

#include <muster/backend/backend.hpp>
#include <muster/checkpoint/prompter.hpp>
#include <muster/checkpoint/scheduler.hpp>
#include <muster/detail/wake_list.hpp>
#include <muster/fanout/broadcast.hpp>
#include <muster/metrics/counters.hpp>
#include <muster/runtime/options.hpp>
#include <muster/runtime/subscription_account.hpp>
#include <muster/session/envelope.hpp>
#include <muster/session/session_info.hpp>
#include <muster/session/spawn_request.hpp>
#include <muster/session/status.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muster::detail {

class runtime_core;
class session;
using session_ptr = boost::intrusive_ptr<session>;
using core_ptr = boost::intrusive_ptr<runtime_core>;
using session_channel = broadcast<envelope, asio::io_context::executor_type, 16>;
using global_channel = broadcast<envelope, asio::io_context::executor_type, 64>;

/// What of its options a session needs beyond its spawn.
struct supervision_options {
    restart_policy restart;
    silence_policy silence;
};

/// One supervised worker: its events flow in from the ingestion coroutine and out to the session's
/// and the runtime's channel; calls of the facade and due prompts flow in and go to the worker.
/// Owns the worker, the session's channel, counters and strand.
///
/// Strand-bound, but for what is marked; whoever is elsewhere posts to `executor()`. The reference
/// count is the strand's: the session lives as long as a handle to it or to its executor.
class session final : public light_strand_state,
                      public event_sink,
                      public checkpoint_target,
                      public subscription_account {
public:
    session(runtime_core& core, session_id id, const spawn_options& options);

    friend void intrusive_ptr_add_ref(session* counted) noexcept { counted->add_ref(); }
    friend void intrusive_ptr_release(session* counted) noexcept { counted->release(); }

    // ---- from any thread
    [[nodiscard]] const session_id& id() const noexcept { return id_; }
    [[nodiscard]] session_executor executor() noexcept { return session_executor{*this}; }
    [[nodiscard]] session_status status() const noexcept {
        return status_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool focused() const noexcept { return focused_.load(std::memory_order_relaxed); }
    void set_focused(bool focused);
    [[nodiscard]] session_counters& counters() noexcept { return counters_; }
    [[nodiscard]] session_channel& channel() noexcept { return channel_; }
    /// `now`: a reading of the metrics clock.
    [[nodiscard]] std::chrono::nanoseconds age(std::uint64_t now) const noexcept;
    [[nodiscard]] session_info info() const;
    /// Its worker has been abandoned, and only goes away.
    [[nodiscard]] bool abandoned() const noexcept {
        return abandoned_.load(std::memory_order_relaxed);
    }
    /// Throws `error` that names the session and its state, unless it is running.
    void require_running() const;

    // ---- on the strand: a coroutine for each call of the facade; the caller keeps the session
    /// Spawns the worker, opens its stream, starts prompting. Throws what the backend throws; then
    /// nothing is left.
    session_awaitable<> start(spawn_request request);
    /// Kills the worker; when it returns, the stream has ended and the session is terminal.
    session_awaitable<> stop();
    /// Stops it if it is running; returns when its worker is gone. Throws what `stop` throws.
    session_awaitable<> end_for_good();
    session_awaitable<> send_input(std::string bytes);
    session_awaitable<> resize(terminal_size size);
    session_awaitable<> respond(needs_input_response response);
    /// `text` is what `checkpoint_text` has made; `receipt` is filled in.
    session_awaitable<> prompt(std::string text, prompt_receipt& receipt);

    // ---- on the strand: plain steps
    void push(event value) override;
    void push(std::span<event> values) override;
    void end(std::exception_ptr failed) override;
    /// The runtime goes away.
    void abandon() noexcept;

    /// Its number among those who wait to be spawned; only for sessions that do.
    std::atomic<std::uint64_t>& ticket();
    std::uint32_t place = 0; ///< where the registry keeps it; guarded by the registry's lock

private:
    class worker_use;
    class stream_end;
    class spawn_under_way;
    struct extras;
    struct pending_send;
    struct restart_plan;
    struct silence_watch;

    ~session();
    void dispose() noexcept override;
    void keep_own_options(const spawn_options& options);
    /// What only some sessions need; made at the first call.
    extras& more();
    [[nodiscard]] extras* if_more() const noexcept {
        return extras_.load(std::memory_order_acquire);
    }
    /// Counts, unless metrics are off.
    template <counter Which>
    void count(std::uint64_t amount = 1);

    // the worker's life: session_life.cpp
    session_awaitable<> spawn_worker(const spawn_request& request,
                                     std::optional<std::string> restart_reason);
    void run_worker();
    void require_open() const;
    session_awaitable<> refuse(std::unique_ptr<worker> wrong);
    session_awaitable<> send_prelude(std::string text);
    session_awaitable<> stop_unless_over();
    [[nodiscard]] auto wait_for_change() {
        return changed_.async_wait(executor(), asio::as_tuple(asio::deferred));
    }
    void reap_later();
    session_awaitable<> reap_worker();
    void stream_ended(const std::exception_ptr& thrown);
    void stream_dropped() noexcept;
    void settle_held_end();
    void end_by_itself(std::optional<std::string> crash);
    void finish(session_status status, event last_words);
    void finish_with(event& last_words);
    void release_worker() noexcept;

    // starting anew, and watching for silence: session_supervision.cpp
    void plan_restarts(const spawn_request& request);
    [[nodiscard]] restart_plan* if_planned() const noexcept;
    [[nodiscard]] bool hold_last_words(event& value);
    [[nodiscard]] bool begin_restart(bool crash, std::string reason);
    session_awaitable<> restart(session_ptr kept, std::string reason);
    void announce_restart(std::string reason);
    bool cancel_restart() noexcept;
    void watch_silence();
    void stop_watching() noexcept;
    void note_sign_of_life() noexcept;
    void silence_due();
    void act_on_silence(silence_policy::action action, std::chrono::nanoseconds silent_for);
    session_awaitable<> kill_silent(session_ptr kept);

    // events and questions: session_events.cpp
    void take(event& value, std::chrono::nanoseconds received);
    void heed(const envelope& published);
    envelope envelop(event& value, std::chrono::nanoseconds received);
    void publish_output(event& value, std::chrono::nanoseconds received);
    envelope publish_status(event& value, std::chrono::nanoseconds received);
    void count_published(const envelope& published);
    void open_question(const envelope& published);
    envelope take_question(const needs_input_response& response);
    void restore_question(const envelope& question);
    void answer_settled();
    void lagged(const gap& missing, bool marked) noexcept override;
    void closed() noexcept override;
    void received(const envelope& oldest) noexcept override;

    // prompts: session_prompts.cpp
    void checkpoint_due(const checkpoint_tick& due) noexcept override;
    void tick(const checkpoint_tick& due, std::uint64_t began);
    std::optional<prompt_receipt> apply(prompter::verdict verdict, bool periodic,
                                        std::string_view text, std::uint64_t began);
    std::optional<prompt_receipt> send_prompt(std::string_view text, bool periodic,
                                              std::uint64_t began);
    void send_slowly(std::string text, bool periodic, std::uint64_t began);
    void send_overdue(pending_send& sending);
    void send_returned(pending_send& sending, const std::exception_ptr& thrown);
    void settle(const prompt_receipt& receipt, std::uint64_t began);
    void follow_failure(const prompter::failure_verdict& verdict, sys::error_code error);
    void send_deferred();
    void report(const prompt_receipt& receipt);

    // references are the strand's
    void hold_target() noexcept override { add_ref(); }
    void let_go_of_target() noexcept override { release(); }
    void hold() noexcept override { add_ref(); }
    void let_go() noexcept override { release(); }

    core_ptr core_;
    session_id id_;
    session_channel channel_;
    session_counters counters_;
    const checkpoint_policy* policy_; ///< the runtime's, or its own among the extras
    std::unique_ptr<worker> worker_;
    std::atomic<extras*> extras_{nullptr};
    wake_list
        changed_; ///< woken when the stream, a kill or a slow send has ended, the worker is gone
    std::atomic<std::uint64_t> started_{0}; ///< a reading of the metrics clock; 0: not yet
    prompter prompter_;
    std::uint32_t worker_uses_ = 0;
    std::atomic<session_status> status_{session_status::starting};
    std::atomic<bool> focused_{false};
    std::atomic<bool> turn_active_{false};
    std::atomic<bool> abandoned_{false};
    bool spawning_ = false; ///< the backend is making the worker
    bool stream_open_ = false;
    bool killing_ = false;
    bool dropped_ = false; ///< the context has died
    const bool counts_;    ///< metrics are on
};

template <counter Which>
void session::count(std::uint64_t amount) {
    if (counts_) {
        counters_.add<Which>(amount);
    }
}

} // namespace muster::detail
