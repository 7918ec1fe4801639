#include "workloads/one_pipe.hpp"

#include "workloads/shared/measure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace muster::work {
namespace {

[[noreturn]] void fail(const std::string& what, int code) {
    throw std::runtime_error(what + ": " + std::strerror(code));
}

/// `cat /dev/zero` and the end of the pipe that it writes to; ended with this object.
class endless_cat {
public:
    endless_cat() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            fail("cannot make a pipe", errno);
        }
        output_ = ends[0];
        const int problem = start(ends[1]);
        ::close(ends[1]);
        if (problem != 0) {
            ::close(output_);
            fail("cannot start cat", problem);
        }
    }
    endless_cat(const endless_cat&) = delete;
    endless_cat& operator=(const endless_cat&) = delete;
    ~endless_cat() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        ::close(output_);
    }

    void read(std::uint64_t bytes) {
        while (bytes != 0) {
            const ssize_t got = ::read(output_, block_.data(), block_.size());
            if (got == 0 || (got < 0 && errno != EINTR)) {
                fail("cannot read from cat", got == 0 ? EPIPE : errno);
            }
            bytes -= std::min(bytes, static_cast<std::uint64_t>(std::max<ssize_t>(got, 0)));
        }
    }

private:
    int start(int output) {
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        std::string program = "cat";
        std::string file = "/dev/zero";
        const std::array<char*, 3> arguments{program.data(), file.data(), nullptr};
        const int problem =
            ::posix_spawnp(&child_, "cat", &actions, nullptr, arguments.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        return problem;
    }

    pid_t child_ = 0;
    int output_ = -1;
    std::vector<char> block_ = std::vector<char>(std::size_t(1) << 16U);
};

} // namespace

std::uint64_t read_through_one_pipe(std::uint64_t bytes) {
    endless_cat source;
    source.read(1);
    const auto begin = clock::now();
    source.read(bytes);
    return nanos(clock::now() - begin);
}

} // namespace muster::work
