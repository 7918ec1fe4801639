#include "workloads/one_pipe.hpp"

#include "workloads/shared/measure.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace muster::work {
namespace {

[[noreturn]] void fail(std::string_view what, int code) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(code));
}

void write_all(int file, std::uint64_t bytes) {
    const std::vector<char> block(std::size_t(1) << 20U, 'a');
    while (bytes != 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, block.size()));
        const ssize_t written = ::write(file, block.data(), wanted);
        if (written < 0 && errno != EINTR) {
            fail("cannot write a scratch file; free some space, or point TMPDIR elsewhere", errno);
        }
        bytes -= static_cast<std::uint64_t>(std::max<ssize_t>(written, 0));
    }
}

pid_t start_cat(const std::string& file, int output) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    std::string program = "cat";
    std::string name = file;
    const std::array<char*, 3> arguments{program.data(), name.data(), nullptr};
    pid_t child = 0;
    const int problem = ::posix_spawnp(&child, "cat", &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (problem != 0) {
        fail("cannot start cat", problem);
    }
    return child;
}

std::uint64_t read_all(int input) {
    std::vector<char> block(std::size_t(1) << 16U);
    std::uint64_t bytes = 0;
    for (;;) {
        const ssize_t got = ::read(input, block.data(), block.size());
        if (got == 0) {
            return bytes;
        }
        if (got < 0 && errno != EINTR) {
            fail("cannot read a pipe", errno);
        }
        bytes += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    }
}

} // namespace

scratch_file::scratch_file(std::uint64_t bytes)
    : name_((std::filesystem::temp_directory_path() / "muster-perf-XXXXXX").string()),
      bytes_(bytes) {
    const int file = ::mkostemp(name_.data(), O_CLOEXEC);
    if (file < 0) {
        fail("cannot make a scratch file", errno);
    }
    try {
        write_all(file, bytes);
    } catch (...) {
        ::close(file);
        ::unlink(name_.c_str());
        throw;
    }
    ::close(file);
}

scratch_file::~scratch_file() {
    ::unlink(name_.c_str());
}

std::uint64_t read_through_one_pipe(const scratch_file& file) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        fail("cannot make a pipe", errno);
    }
    const auto begin = clock::now();
    const pid_t child = start_cat(file.name(), ends[1]);
    ::close(ends[1]);
    const auto bytes = read_all(ends[0]);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    const auto taken = nanos(clock::now() - begin);
    if (bytes != file.bytes()) {
        throw std::runtime_error("cat did not write the whole file");
    }
    return taken;
}

} // namespace muster::work
