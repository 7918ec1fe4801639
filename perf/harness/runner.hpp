#pragma once

#include "harness/scenario.hpp"

#include <muster/metrics/report.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace muster::perf {

/// Called before each repetition: which one of how many; warm-ups are number 0.
using repetition_observer = std::function<void(std::size_t number, std::size_t of)>;

/// Runs a scenario with one session count: the warm-ups, then `repetitions` (> 0) whose samples
/// make the report. Each condition that the scenario checks appears once, with the first
/// observation that broke it, else with the last; and so that equal repetitions did equal work,
/// `checksums_count <= 1`. Throws what the scenario throws.
///
/// A scenario that needs the processor is given a few more tries for a repetition whose checks
/// fail, if the kernel says that the thread had to wait for a processor meanwhile: then the machine
/// was measured, not the runtime. The tries that were thrown away are sampled as
/// disturbed_repetitions_count.
[[nodiscard]] report run_scenario(const scenario& subject, std::size_t sessions,
                                  std::size_t repetitions, const repetition_observer& observe);

} // namespace muster::perf
