#pragma once

#include "harness/scenario.hpp"
#include "workloads/shared/params.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::perf {

/// Parameters as they would be given on a command line.
using work_params = std::vector<std::pair<std::string, std::string>>;

/// The values of all parameters of one run.
class work_values {
public:
    explicit work_values(work::json values)
        : values_(std::move(values)) {} // braces would make a list of it

    [[nodiscard]] std::uint64_t number(const std::string& name) const {
        return values_.at(name).get<std::uint64_t>();
    }
    [[nodiscard]] std::string choice(const std::string& name) const {
        return values_.at(name).get<std::string>();
    }
    [[nodiscard]] const work::json& all() const noexcept { return values_; }

private:
    work::json values_;
};

/// A condition on a figure of the workload, under its metric's name.
struct work_check {
    std::string metric;
    std::string op;
    std::uint64_t limit;
};

/// One variant: some parameters, and where it has them, session counts of its own.
struct work_variant {
    std::string name;
    std::string purpose;
    work_params params;
    std::vector<std::size_t> session_counts; ///< empty: the scenario's
};

/// A scenario at scale: one of the workloads with given parameters, run in a process of its own for
/// each repetition. What it does is checked against its checksum's arithmetic.
struct work_scenario {
    std::string name;
    std::string workload;
    std::string count_param = "sessions"; ///< the parameter that the session count is for
    std::string counted = "sessions";
    std::vector<std::size_t> session_counts;
    std::size_t max_sessions = 1'000'000;
    std::size_t repetitions = 3;
    std::uint64_t bytes_each = 0; ///< roughly what each session needs
    std::vector<std::string> headlines;
    std::vector<work_variant> variants;
    /// More parameters, by session count: so that the work stays about the same.
    std::function<work_params(std::size_t sessions)> scale;
    /// What the checksum must be.
    std::function<std::uint64_t(const work_values& values)> checksum;
    std::vector<work_check> checks;
};

/// Enlists every variant. Returns true.
bool enlist_at_scale(const work_scenario& description);

/// So many that `sessions` of them come to about `total`, but in any case `least` bursts: where a
/// session's first burst allocates, more than one is needed to see what the others cost.
[[nodiscard]] std::string share_of(std::uint64_t total, std::size_t sessions, std::uint64_t burst,
                                   std::uint64_t least = 1);

/// The name of a workload's figure or parameter as the report's schema wants it, with a unit.
[[nodiscard]] std::string metric_name(std::string_view figure);

} // namespace muster::perf
