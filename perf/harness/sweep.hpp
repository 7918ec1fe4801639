#pragma once

#include "harness/runner.hpp"
#include "harness/scenario.hpp"

#include <muster/metrics/report.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace muster::perf {

/// One session count of a curve: its report, or why there is none.
struct growth_point {
    std::size_t sessions;
    std::optional<report> measured{};
    std::string skipped{}; ///< why it was not run
    std::string failed{};  ///< what ended it before it was measured

    /// The median of a metric; not a number if it was not measured.
    [[nodiscard]] double median(const std::string& metric) const;
};

/// How one scenario's costs grow with the number of sessions.
struct growth_curve {
    const scenario* subject;
    run_info run;
    environment_info environment;
    std::vector<growth_point> points; ///< by session count

    /// What one item costs: the scenario's first headline.
    [[nodiscard]] const std::string& per_item() const { return subject->headlines.front(); }
    /// A point's cost to that at 100 sessions; not a number without either.
    [[nodiscard]] double ratio(const growth_point& point) const;
    /// Resident bytes for each session: the workload's own figure, else how much the highest
    /// resident size exceeds the first point's, by the sessions more; not a number at that point.
    [[nodiscard]] double bytes_per_session(const growth_point& point) const;
    /// The largest session count that was measured, else the smallest.
    [[nodiscard]] std::size_t largest() const noexcept;
    /// Whether any point was measured.
    [[nodiscard]] bool measured() const noexcept;
    /// Whether a point was measured, none failed and every check held.
    [[nodiscard]] bool passed() const noexcept;

private:
    [[nodiscard]] const growth_point* reference() const noexcept;
};

/// 10, 100, … 1,000,000.
[[nodiscard]] std::vector<std::size_t> sweep_counts();

/// What a sweep tells while it runs.
struct sweep_observer {
    std::function<void(std::size_t sessions, std::size_t number, std::size_t of)> repetition;
    std::function<void(const growth_point& point)> point; ///< measured, skipped or failed
};

/// Runs a scenario with each of these session counts (at least one, ascending), as far as its limit
/// and the memory that is available allow. What the scenario throws fails its point only.
[[nodiscard]] growth_curve sweep(const scenario& subject, const std::vector<std::size_t>& counts,
                                 std::size_t repetitions, const sweep_observer& observe);

/// A table of the curve's points.
[[nodiscard]] std::string growth_table(const growth_curve& curve);

/// The curve as a muster-report of kind "growth-curve".
[[nodiscard]] std::string to_json(const growth_curve& curve);

} // namespace muster::perf
