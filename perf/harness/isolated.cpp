#include "harness/isolated.hpp"

#include "workloads/shared/params.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster::perf {
namespace {

using work::json;

[[noreturn]] void refuse(const std::string& what) {
    throw error{errc::internal, what};
}

json to_json(const work::outcome& done) {
    return {{"operations", done.operations()},      {"checksum", done.checksum()},
            {"wall_ns", done.time().wall_ns},       {"cpu_ns", done.time().cpu_ns},
            {"peak_bytes", work::peak_rss_bytes()}, {"figures", done.figures()}};
}

json run_here(const std::function<work::outcome()>& workload) {
    try {
        return to_json(workload());
    } catch (const work::usage_error& wrong) {
        return {{"usage", wrong.what()}};
    } catch (const std::exception& failed) {
        return {{"failed", failed.what()}};
    }
}

void write_all(int to, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = ::write(to, text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR) {
            return; // nobody reads any more
        }
        done += static_cast<std::size_t>(std::max<ssize_t>(written, 0));
    }
}

std::string read_all(int from) {
    std::string text;
    std::array<char, 4096> block{};
    for (;;) {
        const ssize_t got = ::read(from, block.data(), block.size());
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return text;
        }
        text.append(block.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
}

/// The child: does its work, says what came of it, and leaves without the parent's clean-up.
[[noreturn]] void be_the_child(const std::function<work::outcome()>& workload, int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    write_all(to, run_here(workload).dump());
    ::_exit(0);
}

std::string how_it_ended(int status) {
    return WIFSIGNALED(status)
               ? "was ended by signal " + std::to_string(WTERMSIG(status)) +
                     (WTERMSIG(status) == SIGKILL ? "; if memory ran out, take fewer" : "")
               : "left with exit code " + std::to_string(WEXITSTATUS(status));
}

isolated_outcome parsed(const std::string& text, int status) {
    const json said = json::parse(text, nullptr, false);
    if (said.is_discarded()) {
        refuse("the workload's process " + how_it_ended(status));
    }
    if (said.contains("usage")) {
        throw work::usage_error{said.at("usage").get<std::string>()};
    }
    if (said.contains("failed")) {
        refuse(said.at("failed").get<std::string>());
    }
    isolated_outcome done;
    done.operations = said.at("operations").get<std::uint64_t>();
    done.checksum = said.at("checksum").get<std::uint64_t>();
    done.wall = std::chrono::nanoseconds{said.at("wall_ns").get<std::int64_t>()};
    done.cpu = std::chrono::nanoseconds{said.at("cpu_ns").get<std::int64_t>()};
    done.peak_bytes = said.at("peak_bytes").get<std::uint64_t>();
    done.figures = said.at("figures");
    return done;
}

} // namespace

isolated_outcome run_isolated(const std::function<work::outcome()>& workload) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        refuse(std::string{"cannot make a pipe: "} + std::strerror(errno));
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        be_the_child(workload, ends[1]);
    }
    ::close(ends[1]);
    if (child < 0) {
        ::close(ends[0]);
        refuse(std::string{"cannot start a process: "} + std::strerror(errno));
    }
    const std::string said = read_all(ends[0]);
    ::close(ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return parsed(said, status);
}

} // namespace muster::perf
