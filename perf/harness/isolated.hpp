#pragma once

#include "workloads/shared/measure.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace muster::perf {

/// What came out of a workload that ran in a process of its own.
struct isolated_outcome {
    std::uint64_t operations = 0;
    std::uint64_t checksum = 0;
    std::chrono::nanoseconds wall{0};
    std::chrono::nanoseconds cpu{0};
    std::uint64_t peak_bytes = 0;
    work::json figures;
};

/// Runs `workload` in a child of this process, so that it finds neither the memory that an earlier
/// one has left nor its threads. Throws `work::usage_error` or `error{errc::internal}` with what it
/// threw, or with how it ended. Not to be called while this process has other threads.
[[nodiscard]] isolated_outcome run_isolated(const std::function<work::outcome()>& workload);

} // namespace muster::perf
