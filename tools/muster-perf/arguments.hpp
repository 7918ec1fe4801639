#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace muster::perf {

struct scenario;

/// One scenario with one session count, or in a sweep, with all of them.
struct planned_run {
    const scenario* subject;
    std::size_t sessions; ///< 0 in a sweep
    std::size_t repetitions;
};

/// What the command line asks for.
struct arguments {
    bool list = false;
    bool json = false;
    std::vector<std::size_t> sweep; ///< its session counts; empty: it is none
    std::optional<std::string> out; ///< nothing: no documents are written
    std::optional<std::string> baseline;
    bool check_baseline = false; ///< a regression is a failure
    std::vector<planned_run> plan;
};

/// What a command line comes to: something to do, or an exit code.
struct parsed_arguments {
    std::optional<arguments> accepted;
    int exit_code = 0; ///< of help and of what is wrong
};

/// Reads a command line, against the scenarios that are enlisted. Prints help to standard output,
/// and what is wrong as one line to standard error.
[[nodiscard]] parsed_arguments parse_arguments(int argc, char** argv);

} // namespace muster::perf
