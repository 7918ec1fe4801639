#pragma once

#include <muster/backend/backend.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace muster {

namespace detail {
class guardian_link;
}

/// What a child's standard streams are.
enum class process_mode : std::uint8_t {
    pipe, ///< three pipes; stdout and stderr are told apart; no terminal, so no resizing
    pty,  ///< a terminal of its own; everything it prints is stdout
};

/// How long each rung of the ladder waits for the whole process group to be gone before the next
/// one is climbed; it never waits longer than that takes. Zero skips the rung, except the last:
/// SIGKILL is always sent, and `kill` bounds the wait for its effect.
struct kill_grace {
    std::chrono::nanoseconds close_input = std::chrono::milliseconds{500};
    std::chrono::nanoseconds interrupt = std::chrono::milliseconds{500};
    std::chrono::nanoseconds terminate = std::chrono::seconds{1};
    std::chrono::nanoseconds kill = std::chrono::seconds{5};

    kill_grace() = default;
    kill_grace(std::chrono::nanoseconds after_close, std::chrono::nanoseconds after_interrupt,
               std::chrono::nanoseconds after_terminate,
               std::chrono::nanoseconds after_kill = std::chrono::seconds{5})
        : close_input{after_close}, interrupt{after_interrupt}, terminate{after_terminate},
          kill{after_kill} {}
};

/// What can be chosen for each session.
struct process_settings {
    process_mode mode = process_mode::pipe;
    terminal_size terminal{80, 24}; ///< of a new terminal; `pty` only
    /// Lines on stdout that follow protocol.hpp become events, and answers can be given; everything
    /// else stays output.
    bool protocol = false;
    std::size_t max_protocol_line = std::size_t{1} << 20; ///< bytes; a longer line is output
    kill_grace grace;
    /// After the child's exit: how long its output is read on while something else (a grandchild)
    /// still holds the stream open.
    std::chrono::nanoseconds drain = std::chrono::milliseconds{100};

    process_settings() = default;
};

/// How a session's processes ended.
struct process_report {
    int pid = 0;                  ///< of the child, which led a process group of the same number
    std::optional<int> exit_code; ///< if the child exited
    std::optional<int> signal;    ///< if a signal ended it
    /// The proof: after the last process was reaped, the kernel knew no process in the group (but
    /// zombies, if their parent is one that left the group and does not reap them).
    bool group_empty = false;

    process_report() = default;

    /// "exited with code 3", "killed by signal 9 (SIGKILL)", or that it is not known.
    [[nodiscard]] std::string text() const;
};

struct process_options {
    process_settings defaults;
    /// Changes the settings of one session before it is spawned. Called on its executor.
    std::function<void(const spawn_request&, process_settings&)> adjust;
    /// Called on the session's executor once its group is proven empty (or could not be), before
    /// `run` or `kill` returns. Not called for a worker that was destroyed before.
    std::function<void(const session_id&, const process_report&)> on_ended;

    process_options() = default;
};

/// Sessions that are child processes: requests go in, workers on pipes or terminals come out.
///
/// It owns a *guardian*, a small process that is forked when the backend is made and is the parent
/// of every child. It starts them, reaps them, signals their groups, and outlives a supervisor that
/// was killed just long enough to end everything that it started:
/// - every child leads a process group of its own (`pty`: a session with a controlling terminal)
///   and gets SIGKILL when the guardian dies;
/// - orphaned grandchildren become the guardian's (it is their subreaper), so none is left as a
///   zombie and a group is *proven* empty before a session's end is reported;
/// - when the supervisor ends, even by SIGKILL, or the backend is destroyed, the guardian kills all
///   groups and everything that left its group, and ends once it has no descendant. Until then a
///   process that left its group lives on: a daemon, a background job of an interactive shell;
/// - the supervisor has no child of its own: no SIGCHLD (but one, while the backend is made), no
///   zombies, no signal dispositions changed, and spawning never copies or stops it.
///
/// A child's end: exit code 0 ends `run` normally (the runtime's `done`); another exit code pushes
/// `crashed{"exited with code 3"}`, a signal `crashed{"killed by signal 9 (SIGKILL)"}`; if `kill`
/// is the reason, `run` just returns. A child that closes its streams but lives on has not ended. A
/// terminal event of the protocol ends the child through the ladder of `kill_grace`. What remains
/// in the group after the child's end is killed.
///
/// Requests: `command` is needed; a program without '/' is looked for in the child's PATH, a
/// relative one is relative to `workdir`. The environment is the supervisor's (it must not be
/// changed while a spawn runs), MUSTER_SESSION_ID, MUSTER_MODEL if there is a model, then the
/// request's. `model` and `instruction_prelude` are not interpreted. `spawn` throws
/// `configuration` for an empty command, an unusable directory or a file that cannot be executed,
/// `dependency_unavailable` for a missing program, `process` for what the system refuses.
///
/// Input: `try_send_input` takes bytes whenever nobody waits and the stream has room; senders that
/// wait are served in order. `input_closed` once the child closed its end or ended. A terminal in
/// line mode, as each is at first, keeps 4095 bytes of a line: the kernel drops the rest of a
/// longer one, and the send succeeds all the same.
///
/// Thread safety: a backend may serve sessions on any threads of its context. Like any Asio I/O
/// object, it and its workers must not outlive the context. Not usable in a child of fork(): make
/// it after daemonising. File descriptors: three a child, and two for the backend.
/// Make it early, but after dropping privileges: the guardian keeps the supervisor's memory of that
/// moment (copy on write), and the children get its credentials, umask, limits, nice value and CPU
/// affinity of that moment, whatever the supervisor changes later.
class process_backend final : public backend {
public:
    /// Starts the guardian. Throws `error{errc::process}` if the system refuses.
    explicit process_backend(asio::io_context& context, process_options options = {});
    ~process_backend() override;

    session_awaitable<std::unique_ptr<worker>> spawn(const spawn_request& request,
                                                     session_executor executor) override;

    /// Process groups that were started and are not yet proven empty, those of destroyed workers
    /// included. Thread-safe.
    [[nodiscard]] std::size_t live_groups() const noexcept;

private:
    std::shared_ptr<const process_options> options_;
    std::shared_ptr<detail::guardian_link> guardian_;
};

} // namespace muster
