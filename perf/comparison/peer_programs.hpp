#pragma once

#include "comparison/peer.hpp"

#include <string>
#include <vector>

namespace muster::perf {

/// A peer's program, or why there is none.
struct peer_program {
    peer who;
    std::string path;    ///< empty: not there
    std::string skipped; ///< why it is not; empty if it is
};

/// Looks for all peers in a directory: perf/peers of a build directory, whose skipped.txt says why
/// some could not be built, or any other that holds the programs.
[[nodiscard]] std::vector<peer_program> find_peers(const std::string& directory);

/// perf/peers in the build directory that this program was built in.
[[nodiscard]] std::string default_peers_directory();

/// The path of this program.
[[nodiscard]] std::string own_path();

} // namespace muster::perf
