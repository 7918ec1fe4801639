#include "comparison/program.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster::perf {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t most_output = 1U << 20U;

[[noreturn]] void give_up(const char* what) {
    throw error{errc::dependency_unavailable, std::string{"cannot run a program: "} + what + ": " +
                                                  std::generic_category().message(errno)};
}

class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : number_{number} {}
    descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() { close(); }

    [[nodiscard]] int get() const noexcept { return number_; }
    void close() noexcept {
        if (number_ >= 0) {
            ::close(std::exchange(number_, -1));
        }
    }

private:
    int number_;
};

struct pipe_ends {
    descriptor read;
    descriptor write;

    pipe_ends() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            give_up("pipe");
        }
        read = descriptor{ends[0]};
        write = descriptor{ends[1]};
    }
};

/// What the child does between fork and exec: nothing that is not async-signal-safe.
[[noreturn]] void become(char* const* words, int out, int complaint, int failed,
                         const sigset_t& mask, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(127); // the parent died before it could be watched
    }
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(complaint, STDERR_FILENO);
    for (const int ignored : {SIGXFSZ, SIGPIPE}) {
        ::signal(ignored, SIG_DFL);
    }
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execv(words[0], words);
    const int reason = errno;
    [[maybe_unused]] const auto written = ::write(failed, &reason, sizeof reason);
    ::_exit(127);
}

/// A running child; whatever happens, nothing of its group outlives this.
class child {
public:
    child(const std::vector<std::string>& command, const sigset_t& mask) {
        std::vector<char*> words;
        for (const auto& word : command) {
            words.push_back(const_cast<char*>(word.c_str())); // execv does not write
        }
        words.push_back(nullptr);
        pipe_ends out;
        pipe_ends complaint;
        pipe_ends failed;
        const pid_t parent = ::getpid();
        id_ = ::fork();
        if (id_ < 0) {
            give_up("fork");
        }
        if (id_ == 0) {
            become(words.data(), out.write.get(), complaint.write.get(), failed.write.get(), mask,
                   parent);
        }
        ::setpgid(id_, id_); // whoever is first; afterwards the group exists for both
        failed.write.close();
        start_error_ = read_error(failed.read.get());
        outputs_ = {std::move(out.read), std::move(complaint.read)};
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child() {
        if (!reaped_) {
            reap();
        }
    }

    /// Not 0: the program could not be started.
    [[nodiscard]] int start_error() const noexcept { return start_error_; }
    [[nodiscard]] descriptor& output(std::size_t which) noexcept { return outputs_[which]; }

    [[nodiscard]] bool has_ended() const noexcept {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == id_;
    }

    /// Kills the group while its leader still holds the name, then takes the leader's status.
    int reap() noexcept {
        ::kill(-id_, SIGKILL);
        int status = 0;
        while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
        }
        reaped_ = true;
        return status;
    }

private:
    static int read_error(int from) noexcept {
        int reason = 0;
        ssize_t got = 0;
        do {
            got = ::read(from, &reason, sizeof reason);
        } while (got < 0 && errno == EINTR);
        return got == sizeof reason ? reason : 0; // closed by exec: all is well
    }

    pid_t id_ = -1;
    int start_error_ = 0;
    bool reaped_ = false;
    std::array<descriptor, 2> outputs_;
};

/// Takes what is there; closes at the end.
void take(descriptor& from, std::string& to) {
    std::array<char, 16384> chunk{};
    const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
    if (got > 0) {
        to.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
        from.close();
    }
}

/// Reads until the child has ended; gives what is wrong with how long it took, or how much it said.
class listener {
public:
    listener(child& process, int signals, program_end& to)
        : process_{process}, signals_{signals}, texts_{&to.output, &to.complaint} {}

    std::string listen(std::chrono::milliseconds limit) {
        const auto end = steady_clock::now() + limit;
        while (!process_.has_ended()) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
            if (left.count() <= 0) {
                return "took longer than " + std::to_string(limit.count() / 1000) + " s";
            }
            wait(static_cast<int>(left.count()));
            if (std::max(texts_[0]->size(), texts_[1]->size()) > most_output) {
                return "printed more than 1 MiB";
            }
        }
        while (wait(0) && std::max(texts_[0]->size(), texts_[1]->size()) <= most_output) {
        }
        return {};
    }

private:
    /// False if nothing was there to be read.
    bool wait(int milliseconds) {
        std::array<pollfd, 3> watched{pollfd{process_.output(0).get(), POLLIN, 0},
                                      pollfd{process_.output(1).get(), POLLIN, 0},
                                      pollfd{signals_, POLLIN, 0}};
        if (::poll(watched.data(), watched.size(), milliseconds) < 0 && errno != EINTR) {
            give_up("poll");
        }
        if (watched[2].revents != 0) {
            take_signal();
        }
        for (std::size_t i = 0; i < 2; ++i) {
            if (watched[i].revents != 0) {
                take(process_.output(i), *texts_[i]);
            }
        }
        return (watched[0].revents | watched[1].revents) != 0;
    }

    void take_signal() const {
        signalfd_siginfo came{};
        if (::read(signals_, &came, sizeof came) == sizeof came && came.ssi_signo != SIGCHLD) {
            throw interrupted{static_cast<int>(came.ssi_signo)};
        }
    }

    child& process_;
    int signals_;
    std::array<std::string*, 2> texts_;
};

std::string last_line(std::string text) {
    constexpr std::size_t most = 300;
    text.erase(text.find_last_not_of('\n') + 1);
    text.erase(0, text.find_last_of('\n') + 1);
    return text.substr(0, most);
}

std::string with_complaint(std::string problem, const std::string& complaint) {
    const auto said = last_line(complaint);
    return said.empty() ? problem : problem + ": " + said;
}

void set_end(program_end& end, int status) {
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        end.problem = with_complaint("killed by signal " + std::to_string(signal) + " (" +
                                         ::strsignal(signal) + ')',
                                     end.complaint);
        return;
    }
    end.exit_code = WEXITSTATUS(status);
    if (end.exit_code != 0) {
        end.problem = with_complaint("exit code " + std::to_string(end.exit_code), end.complaint);
    }
}

} // namespace

program_runner::program_runner() {
    ::signal(SIGCHLD,
             SIG_DFL); // inherited as ignored, children would be gone before they are asked
    sigset_t watched;
    ::sigemptyset(&watched);
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
        ::sigaddset(&watched, each);
    }
    ::pthread_sigmask(SIG_BLOCK, &watched, &before_);
    signals_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) {
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        give_up("signalfd");
    }
}

program_runner::~program_runner() {
    ::close(signals_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

program_end program_runner::run(const std::vector<std::string>& command,
                                std::chrono::milliseconds limit) const {
    program_end end;
    child process{command, before_};
    if (process.start_error() != 0) {
        end.problem = command.front() + " cannot be started: " +
                      std::generic_category().message(process.start_error());
        return end;
    }
    end.problem = listener{process, signals_, end}.listen(limit);
    const int status = process.reap();
    if (end.problem.empty()) {
        set_end(end, status);
    }
    return end;
}

} // namespace muster::perf
