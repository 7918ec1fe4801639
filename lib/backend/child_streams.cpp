#include "child_streams.hpp"

#include <muster/error.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <system_error>

namespace muster::detail {
namespace {

[[noreturn]] void refuse(const session_id& id, const char* what) {
    const int code = errno;
    const char* advice = code == EMFILE || code == ENFILE ? " (raise the limit of open files)" : "";
    throw error{errc::process, "session '" + id.str() + "': " + what + ": " +
                                   std::generic_category().message(code) + advice};
}

void set_nonblocking(const unique_fd& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

void make_pipe(const session_id& id, unique_fd& read_end, unique_fd& write_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        refuse(id, "no pipe for its streams");
    }
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
}

child_streams make_pipes(const session_id& id) {
    child_streams streams;
    make_pipe(id, streams.child[0], streams.input);
    make_pipe(id, streams.output, streams.child[1]);
    make_pipe(id, streams.errors, streams.child[2]);
    set_nonblocking(streams.input);
    set_nonblocking(streams.output);
    set_nonblocking(streams.errors);
    return streams;
}

unique_fd duplicate(const session_id& id, const unique_fd& fd) {
    unique_fd copy{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)};
    if (!copy) {
        refuse(id, "no descriptor for its terminal");
    }
    return copy;
}

child_streams make_terminal(const session_id& id, terminal_size size) {
    child_streams streams;
    streams.output.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    int locked = 0;
    if (!streams.output || ::ioctl(streams.output.get(), TIOCSPTLCK, &locked) != 0) {
        refuse(id, "no terminal");
    }
    streams.child[0].reset(
        ::ioctl(streams.output.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!streams.child[0] || set_terminal_size(streams.output.get(), size) != 0) {
        refuse(id, "no terminal");
    }
    streams.child[1] = duplicate(id, streams.child[0]);
    streams.child[2] = duplicate(id, streams.child[0]);
    streams.terminal = duplicate(id, streams.child[0]);
    streams.input = duplicate(id, streams.output);
    return streams;
}

sigset_t sigpipe_set() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    return set;
}

bool sigpipe_pending() noexcept {
    sigset_t pending;
    return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
}

} // namespace

child_streams make_streams(const session_id& id, const process_settings& settings) {
    return settings.mode == process_mode::pty ? make_terminal(id, settings.terminal)
                                              : make_pipes(id);
}

unique_fd open_workdir(const spawn_request& request) {
    const char* path = request.workdir.empty() ? "." : request.workdir.c_str();
    unique_fd directory{::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!directory && (errno == EMFILE || errno == ENFILE)) {
        refuse(request.id, "no descriptor for its working directory");
    }
    if (!directory) {
        throw error{errc::configuration, "session '" + request.id.str() + "': working directory '" +
                                             path + "': " + std::generic_category().message(errno) +
                                             ": name an existing directory"};
    }
    return directory;
}

// The signal goes to the writing thread, so blocking it there is enough; one that this write made
// pending is taken back. Refused: SIG_IGN (the application's to decide) and sockets with
// MSG_NOSIGNAL (programs treat a socket on stdin specially: bash reads its startup files).
std::ptrdiff_t write_quietly(int fd, std::string_view bytes) noexcept {
    static const sigset_t sigpipe = sigpipe_set();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    const bool was_blocked = ::sigismember(&before, SIGPIPE) == 1;
    const bool was_pending = was_blocked && sigpipe_pending();
    const std::ptrdiff_t written = ::write(fd, bytes.data(), bytes.size());
    const int code = errno;
    if (written < 0 && code == EPIPE && !was_pending) {
        const timespec now{0, 0};
        ::sigtimedwait(&sigpipe, nullptr, &now);
    }
    if (!was_blocked) {
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    errno = code;
    return written;
}

int set_terminal_size(int terminal, terminal_size size) noexcept {
    winsize window{};
    window.ws_col = size.columns;
    window.ws_row = size.rows;
    return ::ioctl(terminal, TIOCSWINSZ, &window) == 0 ? 0 : errno;
}

void end_terminal_input(int terminal) noexcept {
    termios state{};
    if (::tcgetattr(terminal, &state) == 0 && (state.c_lflag & ICANON) != 0) {
        const char end = static_cast<char>(state.c_cc[VEOF]);
        [[maybe_unused]] const auto written = write_quietly(terminal, {&end, 1});
    }
}

} // namespace muster::detail
