#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <signal.h>

namespace muster::perf {

/// How a program ended, and what it said.
struct program_end {
    int exit_code = -1; ///< below 0: it did not exit by itself
    std::string output;
    std::string complaint; ///< its standard error
    std::string problem;   ///< one line if it did not end with exit code 0, else empty
};

/// SIGINT, SIGTERM or SIGHUP came; the program that ran is dead. No std::exception, so that nobody
/// takes it for a program's failure.
struct interrupted {
    int signal;
};

/// Runs programs one at a time, each in a process group of its own that is gone when `run` is left
/// in whatever way; if this process is killed, the kernel kills the program.
///
/// While a runner exists, SIGINT, SIGTERM, SIGHUP and SIGCHLD are blocked in the thread that made
/// it, and acted upon in `run`; what came in between is delivered when the runner goes. Make it and
/// use it in one thread, while there is no other.
class program_runner {
public:
    program_runner();
    program_runner(const program_runner&) = delete;
    program_runner& operator=(const program_runner&) = delete;
    ~program_runner();

    /// Runs `command` (its first word is the path of a program) to its end, with nothing to read,
    /// or until `limit` has passed or it has printed more than a mebibyte: then its whole group is
    /// killed. Throws `interrupted`, and `error` if the system has no process or descriptor left.
    [[nodiscard]] program_end run(const std::vector<std::string>& command,
                                  std::chrono::milliseconds limit) const;

private:
    sigset_t before_{};
    int signals_ = -1;
};

} // namespace muster::perf
