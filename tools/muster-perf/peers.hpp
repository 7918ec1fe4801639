#pragma once

namespace muster::perf {

/// `muster-perf peers [ROW...]`: muster and its peers on the same work, pair by pair; a table of
/// ratios and a JSON document. `argv[0]` is the word "peers". Returns the exit code.
[[nodiscard]] int run_peers(int argc, char** argv);

} // namespace muster::perf
