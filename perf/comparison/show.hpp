#pragma once

#include "comparison/document.hpp"

#include <cstddef>
#include <string>

namespace muster::perf {

/// One line for each figure of each row and peer: medians of both, the ratio (above 1: muster is
/// ahead) with its spread over the pairs, and the targets.
[[nodiscard]] std::string ratio_table(const comparison_run& source);

/// What the table comes to, the peers that were left out and why; a few lines.
[[nodiscard]] std::string in_short(const comparison_run& source);

/// One line for each side that failed.
[[nodiscard]] std::string failed_sides(const comparison_run& source);

/// How many targets were judged, and how many of them reached.
struct target_count {
    std::size_t judged = 0;
    std::size_t reached = 0;
};
[[nodiscard]] target_count count_targets(const comparison_run& source);

/// What can be compared: name, peers, purpose, work, targets.
[[nodiscard]] std::string row_list();

} // namespace muster::perf
