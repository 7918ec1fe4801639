#pragma once

#include "comparison/pairs.hpp"
#include "comparison/peer_programs.hpp"

#include <muster/metrics/environment.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace muster::perf {

/// One run of `muster-perf peers`.
struct comparison_run {
    run_info run;
    environment_info environment;
    std::size_t pairs = 0;
    bool quick = false;
    std::vector<peer_program> peers;
    std::vector<row_result> rows;
};

/// The JSON document (schema "muster-peers"; tools/schema has its JSON Schema), indented, with a
/// final newline: both sides' raw samples, the ratios pair by pair, the targets.
[[nodiscard]] std::string to_json(const comparison_run& source);

} // namespace muster::perf
