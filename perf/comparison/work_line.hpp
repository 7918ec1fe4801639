#pragma once

#include <muster/metrics/report.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::perf {

/// What one run of a workload reports: perf/peers/WORKLOADS.md, "What a peer prints".
struct work_line {
    std::string peer;
    std::string workload;
    config_values parameters;
    std::uint64_t operations = 0;
    std::string checksum;
    double wall_ns = 0; ///< of the timed region, as is the next
    double cpu_ns = 0;
    double peak_rss_bytes = 0;
    std::vector<std::pair<std::string, double>> figures; ///< not a number: not measured

    /// A figure of the workload, or cpu_ns, wall_ns, peak_rss_bytes; nothing if it was not
    /// measured.
    [[nodiscard]] std::optional<double> figure(std::string_view name) const noexcept;

    /// Whether both did the same work.
    [[nodiscard]] bool equal_work(const work_line& other) const noexcept {
        return operations == other.operations && checksum == other.checksum;
    }
};

/// Reads what a program printed. Throws `error{errc::protocol}` with one line if that is not
/// exactly one line of the schema "muster-peer", version 1, for `workload`.
[[nodiscard]] work_line parse_work_line(std::string_view output, std::string_view workload);

} // namespace muster::perf
