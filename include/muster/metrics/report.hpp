#pragma once

#include <muster/metrics/environment.hpp>
#include <muster/metrics/snapshot.hpp>
#include <muster/metrics/statistics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace muster {

/// A value of a scenario's configuration.
using config_value = std::variant<bool, std::uint64_t, double, std::string>;

/// Names and values, in the order in which the document lists them.
using config_values = std::vector<std::pair<std::string, config_value>>;

/// One measured quantity over all repetitions. The name ends in its unit.
struct report_metric {
    std::string name;
    muster::better better;
    std::vector<double> samples; ///< one for each repetition; not finite: not measured

    report_metric(std::string label, muster::better direction)
        : name{std::move(label)}, better{direction} {}
};

/// A condition that a scenario checks of itself.
struct threshold {
    std::string metric;
    std::string op; ///< "==", "<=" or ">="
    double limit;
    double observed;
    bool pass;

    /// Decides `observed op limit`; an unknown `op` and an observation that is not a number fail.
    threshold(std::string label, std::string_view relation, double bound, double value);
};

/// One metric's comparison with a baseline.
struct baseline_metric {
    std::string name;
    comparison result;

    baseline_metric(std::string label, comparison difference)
        : name{std::move(label)}, result{difference} {}
};

/// Something that was not as it is now when the baseline was measured.
struct baseline_difference {
    std::string field; ///< where documents have it: run/build_type
    std::string now;
    std::string baseline;

    baseline_difference(std::string where, std::string current, std::string earlier)
        : field{std::move(where)}, now{std::move(current)}, baseline{std::move(earlier)} {}
};

/// The comparison of a report with an earlier one.
struct baseline_result {
    std::string file;
    std::vector<baseline_difference> differences; ///< of build and machine; best empty
    std::vector<baseline_metric> metrics;
};

/// What was measured, under which load.
struct report_scenario {
    std::string name;
    std::uint64_t sessions = 0;
    config_values config;
    std::string variant{}; ///< which of the scenario's sets of parameters; empty: it has none
};

/// Everything one document says. Fill it, then `to_json`.
///
/// A perf scenario has a `scenario`; a report without one is a snapshot of a runtime.
struct report {
    run_info run;
    environment_info environment;
    std::optional<report_scenario> scenario;
    std::chrono::nanoseconds elapsed{0};   ///< of all repetitions, without the warm-up
    std::vector<report_metric> metrics;    ///< raw samples; statistics are made from them
    std::vector<std::string> checksums;    ///< one for each repetition, or none at all
    std::optional<runtime_snapshot> state; ///< totals, sessions, subscribers, latencies
    std::vector<threshold> thresholds;
    std::optional<baseline_result> baseline;

    /// Whether every threshold holds.
    [[nodiscard]] bool passed() const noexcept;
};

inline constexpr int report_schema_version = 1;

/// The JSON document (schema "muster-report"; tools/schema has its JSON Schema), indented, with a
/// final newline.
///
/// Durations, sizes and rates have their unit in the name; integers over 2^53 are strings; what was
/// not measured and what is not a number is null. Sessions and subscribers are listed worst first
/// (most lost events, then most failed sends, then most time in dispatch; most lag, then the
/// largest backlog), at most `max_rows` of each, with the number of those left out. Text that is
/// not UTF-8 has its wrong bytes replaced.
[[nodiscard]] std::string to_json(const report& source, std::size_t max_rows = 100);

/// Names and values as a document has them, as text.
using report_texts = std::vector<std::pair<std::string, std::string>>;

/// Reads what a comparison needs of a document that `to_json` wrote. `origin` names it in errors.
/// Throws `error{errc::protocol}` if it is not a muster-report of a perf scenario in a schema
/// version that this one understands.
struct report_samples {
    std::string scenario;
    std::string variant;
    std::uint64_t sessions = 0;
    report_texts config;
    report_texts conditions;            ///< what was built and on what it ran
    std::vector<report_metric> metrics; ///< `better` is not kept in documents: neither
};
[[nodiscard]] report_samples parse_report(std::string_view document, std::string_view origin);

/// Compares each metric that both have, and lists in what else they differ. Throws
/// `error{errc::configuration}` if `earlier` is of another scenario, variant, session count or
/// config; `file` names it.
[[nodiscard]] baseline_result
compare_with_baseline(const report& current, const report_samples& earlier, std::string file);

} // namespace muster
