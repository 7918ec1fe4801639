#include "guardian_process.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace muster::detail {
namespace {

/// Why a child could not become the program; goes through a pipe that closes on success.
struct failure {
    std::int32_t error;
    spawn_step step;
};

/// Everything that the child needs, ready before it is made.
struct child_plan {
    const int* fds;
    std::uint64_t token;
    bool terminal;
    pid_t guardian;
    int failures; ///< write end, close-on-exec
    char* const* programs;
    char* const* arguments;
    char* const* environment;
};

// ---- in the child: after vfork, on the guardian's memory ----

[[noreturn]] void fail(const child_plan& plan, spawn_step step, int code) noexcept {
    const failure reason{code, step};
    [[maybe_unused]] const auto written = ::write(plan.failures, &reason, sizeof reason);
    leave(127);
}

void require(const child_plan& plan, spawn_step step, bool done) noexcept {
    if (!done) {
        fail(plan, step, errno);
    }
}

void join_group(const child_plan& plan) noexcept {
    require(plan, spawn_step::group, plan.terminal ? ::setsid() != -1 : ::setpgid(0, 0) == 0);
    require(plan, spawn_step::group, ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    if (::getppid() != plan.guardian) {
        leave(127); // it died before the death signal was set
    }
}

void announce(const child_plan& plan) noexcept {
    const guard_report report{guard_news::starting, -1, plan.token, ::getpid(), 0,
                              spawn_step::group,    0};
    ::send(socket_fd, &report, sizeof report, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void take_streams(const child_plan& plan) noexcept {
    require(plan, spawn_step::directory, ::fchdir(plan.fds[fd_directory]) == 0);
    if (plan.terminal) {
        require(plan, spawn_step::terminal, ::ioctl(plan.fds[fd_in], TIOCSCTTY, 0) == 0);
    }
    for (int target = 0; target < 3; ++target) {
        const int source = plan.fds[fd_in + static_cast<std::size_t>(target)];
        require(plan, spawn_step::streams, ::dup2(source, target) == target);
    }
}

// As execvp does: a file that may not be executed does not end the search, but is remembered.
[[noreturn]] void execute(const child_plan& plan) noexcept {
    int code = ENOENT;
    for (char* const* program = plan.programs; *program != nullptr; ++program) {
        ::execve(*program, plan.arguments, plan.environment);
        if (errno == EACCES) {
            code = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            fail(plan, spawn_step::execute, errno);
        }
    }
    fail(plan, spawn_step::execute, code);
}

[[noreturn]] void become_child(const child_plan& plan) noexcept {
    join_group(plan);
    announce(plan);
    take_streams(plan);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    execute(plan);
}

// ---- in the guardian ----

void relocate(char* base, std::uint64_t table) noexcept {
    for (auto* entry = reinterpret_cast<std::uint64_t*>(base + table); *entry != 0; ++entry) {
        *entry += reinterpret_cast<std::uint64_t>(base);
    }
}

/// A command image in memory, with its tables turned into pointers.
class mapped_image {
public:
    explicit mapped_image(int file) noexcept {
        struct stat status {};
        if (::fstat(file, &status) != 0) {
            return;
        }
        size_ = static_cast<std::size_t>(status.st_size);
        void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
        base_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
        if (base_ != nullptr) {
            relocate(base_, head().programs);
            relocate(base_, head().arguments);
            relocate(base_, head().environment);
        }
    }
    mapped_image(const mapped_image&) = delete;
    mapped_image& operator=(const mapped_image&) = delete;
    ~mapped_image() {
        if (base_ != nullptr) {
            ::munmap(base_, size_);
        }
    }

    explicit operator bool() const noexcept { return base_ != nullptr; }
    [[nodiscard]] const image_head& head() const noexcept {
        return *reinterpret_cast<const image_head*>(base_);
    }
    [[nodiscard]] char* const* table(std::uint64_t offset) const noexcept {
        return reinterpret_cast<char* const*>(base_ + offset);
    }

private:
    char* base_ = nullptr;
    std::size_t size_ = 0;
};

// vfork, so that the cost does not grow with the memory inherited from the supervisor. A function
// of its own: its frame is shared with the child.
[[gnu::noinline]] pid_t start(const child_plan& plan) noexcept {
    const pid_t pid = ::vfork();
    if (pid == 0) {
        become_child(plan);
    }
    return pid;
}

spawn_result start_and_check(const child_plan& plan, int failures) noexcept {
    spawn_result result;
    result.pid = start(plan);
    const int fork_error = errno;
    ::close(plan.failures);
    if (result.pid < 0) {
        result.error = fork_error;
        result.step = spawn_step::fork;
        return result;
    }
    failure reason{};
    if (::read(failures, &reason, sizeof reason) == sizeof reason) {
        ::waitpid(result.pid, nullptr, 0);
        result.error = reason.error;
        result.step = reason.step;
    }
    return result;
}

} // namespace

void leave(int code) noexcept {
    while (true) {
        ::syscall(SYS_exit_group, code);
    }
}

spawn_result spawn_child(const int* fds, std::uint64_t token, bool terminal) noexcept {
    spawn_result refused;
    const mapped_image image{fds[fd_image]};
    int failures[2];
    if (!image || ::pipe2(failures, O_CLOEXEC) != 0) {
        refused.error = errno;
        return refused;
    }
    const image_head& head = image.head();
    const child_plan plan{fds,
                          token,
                          terminal,
                          ::getpid(),
                          failures[1],
                          image.table(head.programs),
                          image.table(head.arguments),
                          image.table(head.environment)};
    const spawn_result result = start_and_check(plan, failures[0]);
    ::close(failures[0]);
    return result;
}

} // namespace muster::detail
