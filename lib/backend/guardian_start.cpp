#include "guardian_link.hpp"
#include "guardian_process.hpp"

#include <muster/error.hpp>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace muster::detail {
namespace {

[[noreturn]] void refuse(const char* what, int code) {
    throw error{errc::process, std::string{"cannot start the guardian of child processes: "} +
                                   what + ": " + std::generic_category().message(code)};
}

// In a fork of the supervisor: leaves a grandchild behind, which is nobody's zombie later.
[[noreturn]] void fork_again(int socket, int supervisor) noexcept {
    const pid_t pid = ::fork();
    if (pid == 0) {
        run_guardian(socket, supervisor);
    }
    leave(pid < 0 ? 1 : 0);
}

void await_intermediate(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return; // reaped by the application's own SIGCHLD handling
        }
    }
    if (status != 0) {
        refuse("fork", EAGAIN);
    }
}

} // namespace

unique_fd start_guardian() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        refuse("socketpair", errno);
    }
    unique_fd ours{ends[0]};
    const unique_fd theirs{ends[1]};
    const unique_fd self{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
    const pid_t pid = ::fork();
    if (pid == 0) {
        ours.reset(); // else the guardian would never see its end
        fork_again(theirs.get(), self.get());
    }
    if (pid < 0) {
        refuse("fork", errno);
    }
    await_intermediate(pid);
    return ours;
}

} // namespace muster::detail
