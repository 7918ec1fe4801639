#include "guardian_process.hpp"

#include "guardian_proc.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace muster::detail {
namespace {

constexpr int supervisor_fd = 4;
constexpr int first_foreign_fd = 5;

class guardian {
public:
    /// Without a pidfd the end of the socket alone tells that the supervisor is gone.
    explicit guardian(bool has_pidfd) noexcept : supervisor_{has_pidfd ? supervisor_fd : -1} {}

    [[noreturn]] void run() noexcept {
        if (prepare()) {
            serve();
        }
        end_everything();
        leave(0);
    }

private:
    /// Orphaned members of a group that are not our children end unseen; look for that so often.
    static constexpr int tick_ms = 2;
    /// A look at every process of the machine costs more; from the first gap to the last by twos.
    static constexpr std::int64_t first_gap_ms = 32;
    static constexpr std::int64_t last_gap_ms = 1024;

    bool prepare() noexcept {
        sigset_t children;
        ::sigemptyset(&children);
        ::sigaddset(&children, SIGCHLD);
        signals_ = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
        return signals_ >= 0 && table_.reserve();
    }

    void serve() noexcept {
        bool supervised = true;
        while (supervised) {
            pollfd sources[] = {
                {socket_fd, POLLIN, 0}, {supervisor_, POLLIN, 0}, {signals_, POLLIN, 0}};
            ::poll(sources, 3, lingering_ > 0 ? tick_ms : -1);
            supervised = (sources[1].revents & POLLIN) == 0;
            if (supervised && sources[0].revents != 0) {
                supervised = take_requests();
            }
            if (sources[2].revents != 0) {
                drain_signals();
                reap();
            }
            if (lingering_ > 0) {
                look_after_lingering();
            }
        }
    }

    void drain_signals() noexcept {
        signalfd_siginfo info[8];
        while (::read(signals_, info, sizeof info) > 0) {
        }
    }

    // ---- requests ----

    /// Some at a time, so that children are reaped in between. False when the supervisor is gone.
    bool take_requests() noexcept {
        for (int count = 0; count < 16; ++count) {
            guard_request request;
            int fds[spawn_fds];
            std::size_t fd_count = 0;
            const ssize_t size = receive(request, fds, fd_count);
            if (size <= 0) {
                return size < 0 && (errno == EAGAIN || errno == EINTR);
            }
            if (request.verb == guard_verb::spawn) {
                const guard_report report = spawn(request, fds, fd_count);
                close_all(fds, fd_count); // before it is told: what the child closes is closed
                tell(report);
            } else {
                close_all(fds, fd_count);
                obey(request);
            }
        }
        return true;
    }

    static void close_all(const int* fds, std::size_t count) noexcept {
        for (std::size_t fd = 0; fd < count; ++fd) {
            ::close(fds[fd]);
        }
    }

    static ssize_t receive(guard_request& request, int* fds, std::size_t& fd_count) noexcept {
        iovec part{&request, sizeof request};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * spawn_fds)];
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t size = ::recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        const cmsghdr* head = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
        if (head != nullptr && head->cmsg_type == SCM_RIGHTS) {
            fd_count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            std::memcpy(fds, CMSG_DATA(head), fd_count * sizeof(int));
        }
        return size;
    }

    void obey(const guard_request& request) noexcept {
        guard_slot* slot = table_.find(request.slot, request.token);
        if (slot == nullptr) {
            return; // it has ended meanwhile; the supervisor will read so
        }
        if (request.verb == guard_verb::signal) {
            ::kill(-slot->pid, request.signal);
            return;
        }
        linger(*slot);
        slot->release = true;
        ::kill(-slot->pid, SIGKILL);
    }

    /// Says what has become of it.
    guard_report spawn(const guard_request& request, const int* fds,
                       std::size_t fd_count) noexcept {
        spawn_result result;
        const std::int32_t slot = table_.allocate();
        if (slot < 0 || fd_count != spawn_fds) {
            result.error = slot < 0 ? EAGAIN : EMFILE; // no room for the descriptors: they are lost
        } else {
            result = spawn_child(fds, request.token, request.terminal != 0);
        }
        guard_report report{guard_news::spawned, slot, request.token, result.pid, result.error,
                            result.step,         0};
        if (result.error == 0) {
            table_.set(slot, request.token, result.pid);
        } else {
            report.news = guard_news::refused;
            if (slot >= 0) {
                table_.free(slot);
            }
        }
        return report;
    }

    // ---- the ends of children and groups ----

    /// Reaps all that have ended: children, and orphans that became ours.
    void reap() noexcept {
        siginfo_t info{};
        while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
            const pid_t pid = info.si_pid;
            const pid_t group = ::getpgid(pid); // known only until it is reaped
            int status = 0;
            ::waitpid(pid, &status, WNOHANG);
            const std::int32_t slot = table_.find_pid(pid);
            if (slot >= 0) {
                child_ended(slot, status);
            } else if (const std::int32_t member_of = table_.find_pid(group); member_of >= 0) {
                check_group(member_of);
            }
            info.si_pid = 0;
        }
    }

    void child_ended(std::int32_t slot, int status) noexcept {
        guard_slot& ended = table_.at(slot);
        linger(ended);
        ended.exited = true;
        tell({guard_news::exited, slot, ended.token, ended.pid, status, spawn_step::prepare, 0});
        check_group(slot);
    }

    /// A group is lingering from its child's exit, or from its release, until it is empty.
    void linger(const guard_slot& slot) noexcept {
        if (slot.exited || slot.release) {
            return;
        }
        if (lingering_++ == 0) {
            gap_ms_ = first_gap_ms;
            next_look_ms_ = now_ms() + gap_ms_;
        }
    }

    void look_after_lingering() noexcept {
        for (std::int32_t slot = 0; slot < table_.end(); ++slot) {
            if (table_.at(slot).exited || table_.at(slot).release) {
                check_group(slot);
            }
        }
        if (now_ms() >= next_look_ms_) {
            look_for_zombies();
            gap_ms_ = std::min(2 * gap_ms_, last_gap_ms);
            next_look_ms_ = now_ms() + gap_ms_;
        }
    }

    static std::int64_t now_ms() noexcept {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
    }

    /// A zombie is a member until its parent reaps it, who may have left the group and never will.
    /// No living member can appear behind our back: a group that got SIGKILL does not fork.
    void look_for_zombies() noexcept {
        bool suspicious = false;
        for (std::int32_t slot = 0; slot < table_.end(); ++slot) {
            table_.at(slot).seen = group_state::unknown;
            suspicious = suspicious || (table_.at(slot).exited && table_.at(slot).release);
        }
        proc_list processes{"/proc"};
        while (suspicious && processes.next() >= 0) {
            note_member(read_member(processes));
        }
        for (std::int32_t slot = 0; slot < table_.end(); ++slot) {
            const guard_slot& group = table_.at(slot);
            if (group.exited && group.release && group.seen == group_state::zombies) {
                report_gone(slot);
            }
        }
    }

    void note_member(const group_member& member) noexcept {
        const std::int32_t slot = member.group > 0 ? table_.find_pid(member.group) : -1;
        if (slot >= 0) {
            group_state& seen = table_.at(slot).seen;
            seen = std::max(seen, member.dead ? group_state::zombies : group_state::living);
        }
    }

    /// Frees the slot once the kernel knows no process in the group, not even a zombie.
    void check_group(std::int32_t slot) noexcept {
        const guard_slot& checked = table_.at(slot);
        if (!checked.exited || checked.pid == 0) {
            return;
        }
        if (::kill(-checked.pid, checked.release ? SIGKILL : 0) != 0 && errno == ESRCH) {
            report_gone(slot);
        }
    }

    void report_gone(std::int32_t slot) noexcept {
        const guard_slot& gone = table_.at(slot);
        --lingering_;
        tell({guard_news::gone, slot, gone.token, gone.pid, 0, spawn_step::prepare, 0});
        table_.free(slot);
    }

    // ---- the supervisor ----

    /// Waits for room if the supervisor is slow to read; gives up when it is gone.
    void tell(const guard_report& report) noexcept {
        while (::send(socket_fd, &report, sizeof report, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            pollfd sources[] = {{socket_fd, POLLOUT, 0}, {supervisor_, POLLIN, 0}};
            if ((errno != EAGAIN && errno != EINTR && errno != ENOBUFS) ||
                ::poll(sources, 2, -1) < 0 || (sources[1].revents & POLLIN) != 0) {
                return; // the main loop will see that nobody is there
            }
        }
    }

    /// Returns when nothing that descends from us lives: every orphan becomes our child, and there
    /// is none left.
    void end_everything() noexcept {
        for (std::int32_t slot = 0; slot < table_.end(); ++slot) {
            if (table_.at(slot).pid != 0) {
                ::kill(-table_.at(slot).pid, SIGKILL);
            }
        }
        pid_t ended = 0;
        while ((ended = ::waitpid(-1, nullptr, WNOHANG)) >= 0) {
            if (ended == 0) {
                kill_children();
                pause();
            }
        }
    }

    static void pause() noexcept {
        sigset_t children;
        ::sigemptyset(&children);
        ::sigaddset(&children, SIGCHLD);
        const timespec limit{0, 10'000'000};
        ::sigtimedwait(&children, nullptr, &limit);
    }

    guard_table table_;
    int supervisor_;
    int signals_ = -1;
    std::int32_t lingering_ = 0;
    std::int64_t gap_ms_ = 0;
    std::int64_t next_look_ms_ = 0; // while some linger
};

void reset_signals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, &by_default, nullptr);
    }
}

/// Keeps the two descriptors under fixed numbers and nothing else of the supervisor's; false if
/// there is no pidfd.
bool settle_descriptors(int socket, int supervisor) noexcept {
    const int kept_socket = ::fcntl(socket, F_DUPFD_CLOEXEC, 16);
    const int kept_supervisor = supervisor < 0 ? -1 : ::fcntl(supervisor, F_DUPFD_CLOEXEC, 16);
    ::dup3(kept_socket, socket_fd, O_CLOEXEC);
    const bool has_pidfd =
        kept_supervisor >= 0 && ::dup3(kept_supervisor, supervisor_fd, O_CLOEXEC) >= 0;
    close_from(first_foreign_fd);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; ++fd) {
        ::dup2(null, fd);
    }
    return has_pidfd;
}

} // namespace

void run_guardian(int socket, int supervisor) noexcept {
    reset_signals();
    const bool has_pidfd = settle_descriptors(socket, supervisor);
    ::setsid();
    ::prctl(PR_SET_NAME, "muster-guardian");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    [[maybe_unused]] const int moved = ::chdir("/");
    guardian{has_pidfd}.run();
}

} // namespace muster::detail
