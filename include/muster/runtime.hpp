#pragma once

#include <muster/backend/backend.hpp>
#include <muster/checkpoint/policy.hpp>
#include <muster/fanout/broadcast.hpp>
#include <muster/metrics/snapshot.hpp>
#include <muster/runtime/event_subscription.hpp>
#include <muster/runtime/options.hpp>
#include <muster/runtime/subscribe_operation.hpp>
#include <muster/session/session_info.hpp>
#include <muster/session/spawn_request.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster {

namespace detail {
class runtime_core;
}

/// A stream of prompt receipts: how every prompt, periodic or asked for, ended.
using receipt_subscription = subscription<std::shared_ptr<const prompt_receipt>>;
/// A stream of what the failure policies did.
using diagnostic_subscription = subscription<std::shared_ptr<const checkpoint_diagnostic>>;

/// How one session ended, or did not, in a shutdown.
struct shutdown_entry {
    session_id id;
    session_status status; ///< terminal, unless it did not end in time, or was still starting
    bool ended;            ///< its worker is gone
    std::string problem;   ///< what its backend reported, if anything

    shutdown_entry(session_id session, session_status last, bool gone, std::string what)
        : id{std::move(session)}, status{last}, ended{gone}, problem{std::move(what)} {}
};

/// What `shutdown` achieved.
struct shutdown_report {
    std::vector<shutdown_entry> sessions; ///< all that existed, sorted by id
    std::size_t workers_left = 0; ///< whose end, or beginning, was not seen within the deadline

    [[nodiscard]] bool complete() const noexcept { return workers_left == 0; }
};

/// Supervises sessions: spawn requests and input flow in, events, receipts and snapshots flow out;
/// it owns the sessions, their timers and their channels.
///
/// Every member that waits is a coroutine for any executor; `co_spawn` it with any token. Unless
/// said otherwise each of them
/// - throws `muster::error`: `session_not_found`, `session_starting` or `session_not_running`,
///   naming the session and its state, where a session is not what the call needs; and what the
///   backend throws;
/// - waits for the registry's lock (a `co_await` point) and runs on the session's strand, so calls
///   for one session take effect one after the other and never wait for another session;
/// - once begun, runs to its end even if the caller is cancelled. `send_input`,
///   `respond_to_needs_input` and `prompt_checkpoint` are the exceptions: cancelling them abandons
///   what the backend has not taken. As in all coroutines, that means terminal cancellation, unless
///   yours lets other types through (`asio::this_coro::reset_cancellation_state`).
///
/// Thread-safe, but for construction and destruction. The context must outlive the runtime; it may
/// be run by several threads. The runtime's share of the backend goes with it, or with the last
/// worker if that ends later. Subscriptions may outlive all of them.
///
/// Destruction never waits: every session is abandoned (its worker is ended by the hardest means),
/// all channels close, pending calls complete with `operation_aborted`, `shutting_down` or the
/// session's end. Use `shutdown` to end sessions in an orderly way first.
class runtime {
public:
    /// Throws `error{configuration}` for invalid options.
    runtime(asio::io_context& context, std::shared_ptr<backend> workers,
            const runtime_options& options = runtime_options{});
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;
    ~runtime();

    // ---- sessions

    /// Reserves the id, spawns the worker, opens its stream and registers its checkpoints. Any
    /// failure undoes all of it. Errors: `configuration`, `session_exists`, `shutting_down`,
    /// `admission_refused`; `internal` if the backend returned another session's worker.
    [[nodiscard]] asio::awaitable<void> spawn(spawn_request request,
                                              spawn_options options = spawn_options{});

    /// Kills the worker; when it returns, the stream has ended and the session is terminal (killed,
    /// unless it had ended by itself first). If the backend fails, the session goes on.
    [[nodiscard]] asio::awaitable<void> kill(session_id id);

    [[nodiscard]] asio::awaitable<void> send_input(session_id id, std::string bytes);
    [[nodiscard]] asio::awaitable<void> resize(session_id id, terminal_size size);

    /// Answers an open question: a known prompt id, every question exactly once, options respected;
    /// else `prompt_not_found` or `configuration`. If the backend refuses, the question is open
    /// again.
    [[nodiscard]] asio::awaitable<void> respond_to_needs_input(session_id id,
                                                               needs_input_response response);

    /// Sends a prompt now, unless one is in flight, a turn is active or a question is open; the
    /// receipt says what became of it. Focus does not matter. Errors: `configuration` for a prompt
    /// of nothing but white space.
    [[nodiscard]] asio::awaitable<prompt_receipt> prompt_checkpoint(session_id id,
                                                                    std::string prompt);

    /// Makes a running session the focused one, or none; it gets no periodic prompts.
    [[nodiscard]] asio::awaitable<void> focus(std::optional<session_id> id);
    /// `focused` is `focus(id)`; `background` takes the focus away if this session has it.
    [[nodiscard]] asio::awaitable<void> set_visibility(session_id id, visibility value);

    [[nodiscard]] asio::awaitable<session_info> status(session_id id);
    /// Every session, sorted by id. Linear, under the read lock.
    [[nodiscard]] asio::awaitable<std::vector<session_info>> list();

    /// Frees a terminal session's id and memory; `session_not_terminal` otherwise. Subscribers keep
    /// what they have and drain.
    [[nodiscard]] asio::awaitable<void> remove(session_id id);

    /// Refuses further spawns, kills all sessions at once and waits until they have ended or
    /// `deadline` has passed. The report says who ended how.
    [[nodiscard]] asio::awaitable<shutdown_report> shutdown(std::chrono::nanoseconds deadline);

    // ---- listening

    /// Listens to one session. Errors: `session_not_found`, `session_starting`, `stream_closed`
    /// (the session is terminal), `stream_expired`, `configuration` (no capacity).
    [[nodiscard]] asio::awaitable<session_subscription>
    subscribe(session_id id, subscribe_options options = subscribe_options{});
    /// The same as an operation, for who subscribes often: `co_await` of it in an `asio::awaitable`
    /// needs no coroutine of its own, and does not suspend if the registry's lock is free. To be
    /// awaited, or called with a token, while the runtime exists. Completion:
    /// `void(std::exception_ptr, session_subscription)`, by post on the handler's executor
    /// (default: the context's), where its slot must be emitted. Cancellation: all types, while it
    /// waits for the lock; of a coroutine that awaits it, those that this lets through (default:
    /// terminal).
    [[nodiscard]] detail::subscribe_operation
    async_subscribe(session_id id, subscribe_options options = subscribe_options{}) {
        return {*core_, std::move(id), std::move(options)};
    }
    template <typename CompletionToken>
    auto async_subscribe(session_id id, subscribe_options options, CompletionToken&& token) {
        return async_subscribe(std::move(id),
                               std::move(options))(std::forward<CompletionToken>(token));
    }

    /// Listens to all sessions, present and future. Never waits. Errors: `stream_expired`,
    /// `configuration`.
    [[nodiscard]] global_subscription
    subscribe_all(const subscribe_options& options = subscribe_options{});

    /// How prompts end. Nobody listens: it costs nothing. Never waits.
    [[nodiscard]] receipt_subscription
    subscribe_receipts(const subscribe_options& options = subscribe_options{});
    /// What failure policies do. Never waits.
    [[nodiscard]] diagnostic_subscription
    subscribe_diagnostics(const subscribe_options& options = subscribe_options{});

    // ---- measuring

    /// All counters, sessions and subscribers. Lets go of the lock and the thread again and again,
    /// so nobody is stopped for long; consistent when the runtime is quiet.
    [[nodiscard]] asio::awaitable<runtime_snapshot> snapshot();

    [[nodiscard]] asio::io_context& context() const noexcept;

private:
    boost::intrusive_ptr<detail::runtime_core> core_;
};

} // namespace muster
