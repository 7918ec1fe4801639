#pragma once

namespace muster::perf {

/// `muster-perf work WORKLOAD [--name value]...`: one workload as the peers run it, one JSON line.
/// `argv[0]` is the word "work". Returns the exit code.
[[nodiscard]] int run_work(int argc, const char* const* argv);

} // namespace muster::perf
