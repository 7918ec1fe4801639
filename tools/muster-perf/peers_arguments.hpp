#pragma once

#include "comparison/peer_programs.hpp"
#include "comparison/row.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace muster::perf {

/// What the command line of `muster-perf peers` asks for.
struct peers_arguments {
    bool list = false;
    bool json = false;
    bool quick = false;
    bool check_targets = false;
    std::size_t pairs = 0;
    std::chrono::milliseconds limit{0}; ///< of one run
    std::vector<std::string> ours;      ///< the command before a workload's name
    std::optional<std::string> out;     ///< nothing: no document is written
    std::vector<const row*> rows;       ///< in the order of `rows()`, none twice
    std::vector<peer_program> peers;    ///< those asked for, there or not
};

/// Something to do, or an exit code.
struct parsed_peers_arguments {
    std::optional<peers_arguments> accepted;
    int exit_code = 0; ///< of help and of what is wrong
};

/// Reads the command line; prints help to standard output, and what is wrong as one line to
/// standard error.
[[nodiscard]] parsed_peers_arguments parse_peers_arguments(int argc, char** argv);

} // namespace muster::perf
