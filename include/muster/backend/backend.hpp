#pragma once

#include <muster/session/event.hpp>
#include <muster/session/session_id.hpp>
#include <muster/session/spawn_request.hpp>
#include <muster/sync/light_strand.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace muster {

namespace asio = boost::asio;

/// Every session has one: all calls on its worker, and all of the worker's events, happen on it,
/// one at a time.
using session_executor = light_strand;

/// A coroutine that runs on a session's executor. Inside, await Asio operations with
/// `asio::deferred` (a plain `asio::awaitable<T>` belongs to another executor type and cannot be
/// awaited).
template <typename T = void>
using session_awaitable = asio::awaitable<T, session_executor>;

/// Where a worker's events go: the runtime's side of a running session.
///
/// Strand-bound: call it on the session's executor only. Never waits; costs no allocation beyond
/// the event's own. After a terminal event (done, crashed) has been pushed, further events are
/// ignored. The end of a turn may call the worker's `try_send_input`, and begin its `send_input`,
/// before `push` returns, with a prompt that had been put off; nothing else of the worker is called
/// from within.
class event_sink {
public:
    /// Counts, numbers and publishes one event.
    virtual void push(event value) = 0;

    /// The same for several in order, with one reading of the clock; the events are moved from.
    virtual void push(std::span<event> values) = 0;

    /// For workers that have no `run` (see `worker::try_run`): the stream has ended, with an error
    /// or well. Takes effect by post; once, and nothing may be pushed after it.
    virtual void end(std::exception_ptr failed) = 0;

protected:
    ~event_sink() = default;
};

/// Size of a terminal in character cells.
struct terminal_size {
    std::uint16_t columns;
    std::uint16_t rows;

    constexpr terminal_size(std::uint16_t new_columns, std::uint16_t new_rows) noexcept
        : columns{new_columns}, rows{new_rows} {}
};

/// One living worker, owned by its session. All members are called on the session's executor.
///
/// The destructor must not wait, and must leave nothing behind: a worker that is destroyed without
/// having been killed (the runtime died) ends what it supervises by the hardest means it has.
class worker {
public:
    worker() = default;
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
    virtual ~worker() = default;

    /// The id that it was spawned under; the runtime refuses a worker whose id is not the
    /// request's.
    [[nodiscard]] virtual const session_id& id() const noexcept = 0;

    /// The worker's life as one coroutine: pushes what the worker says into `events` and returns
    /// when its stream has ended. Called once. An exception is a stream error; its text becomes the
    /// crash's reason. Must return promptly after `kill` has succeeded, and after
    /// `abandon`. Whoever overrides `try_run` need not override it.
    virtual session_awaitable<> run(event_sink& events);

    /// The same life without a coroutine, for workers that spend it waiting and are many (suspended
    /// frames are half of an idle session's memory): keeps `events`, returns true, pushes from
    /// handlers of its own, by post first, and calls `events.end` where `run` would return. False,
    /// as by default: the runtime calls `run`.
    virtual bool try_run(event_sink& events);

    /// Takes `bytes` at once if that needs no waiting: true if all were taken, false if nothing was
    /// (then the runtime awaits `send_input`). Throws `error` as `send_input` does. Must not block:
    /// a due prompt may be handed over while other sessions' ticks wait behind it. The default
    /// takes nothing.
    virtual bool try_send_input(std::string_view bytes);

    /// Feeds `bytes` to the worker; returns when all were taken. Terminal cancellation abandons the
    /// rest. Throws `error`: `input_closed`, `process`.
    virtual session_awaitable<> send_input(std::string bytes) = 0;

    /// Throws `error{unsupported}` unless the backend has terminals; so does the default.
    virtual session_awaitable<> resize(terminal_size size);

    /// Answers an open question, which the runtime has validated. The default throws
    /// `error{unsupported}`.
    virtual session_awaitable<> respond(needs_input_response response);

    /// Ends the worker and everything it started; when it returns, all of that is gone.
    /// Throws `error{process}` if the worker could not be ended; then it is still alive.
    virtual session_awaitable<> kill() = 0;

    /// The runtime goes away: ends what the worker supervises by the hardest means, without
    /// waiting, and cancels its I/O, so that every coroutine of this worker that is still under way
    /// ends soon. Only destruction follows.
    virtual void abandon() noexcept = 0;
};

/// What makes sessions real. One backend serves many sessions at once and outlives their workers.
class backend {
public:
    backend() = default;
    backend(const backend&) = delete;
    backend& operator=(const backend&) = delete;
    virtual ~backend() = default;

    /// Starts the worker of one session; runs on that session's `executor`. The request has been
    /// validated in general
    /// (`spawn_request::validate`), not against what this backend needs.
    /// Throws `error`: `configuration`, `dependency_unavailable`, `process`; then nothing was
    /// started.
    virtual session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                             session_executor executor) = 0;
};

} // namespace muster
