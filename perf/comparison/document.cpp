#include "comparison/document.hpp"

#include <muster/metrics/report.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

namespace muster::perf {
namespace {

using json = nlohmann::ordered_json;

/// Readers that keep numbers as doubles hold integers up to here exactly.
constexpr std::uint64_t largest_exact = std::uint64_t{1} << 53;

json number(std::uint64_t value) {
    return value > largest_exact ? json(std::to_string(value)) : json(value);
}

json number(double value) {
    if (!std::isfinite(value)) {
        return nullptr;
    }
    const bool whole = std::trunc(value) == value && std::abs(value) <= double{largest_exact};
    return whole ? json(static_cast<std::int64_t>(value)) : json(value);
}

json or_null(const std::optional<double>& value) {
    return value ? number(*value) : json(nullptr);
}

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

struct value_to_json {
    json operator()(bool value) const { return value; }
    json operator()(std::uint64_t value) const { return number(value); }
    json operator()(double value) const { return number(value); }
    json operator()(const std::string& value) const { return value; }
};

json statistics_section(const sample_statistics& found) {
    if (found.n == 0) {
        return nullptr;
    }
    return {{"n", found.n},
            {"min", number(found.min)},
            {"median", number(found.median)},
            {"mean", number(found.mean)},
            {"p90", number(found.p90)},
            {"p99", number(found.p99)},
            {"max", number(found.max)},
            {"stddev", or_null(found.stddev)},
            {"mad", number(found.mad)}};
}

json sample_section(const work_line& line) {
    json figures = json::object();
    for (const auto& [name, value] : line.figures) {
        figures[name] = number(value);
    }
    return {{"wall_ns", number(line.wall_ns)},
            {"cpu_ns", number(line.cpu_ns)},
            {"peak_rss_bytes", number(line.peak_rss_bytes)},
            {"figures", std::move(figures)}};
}

json side_section(const row_side& side) {
    json parameters = json::object();
    json operations = nullptr;
    json checksum = nullptr;
    if (!side.samples.empty()) {
        const auto& first = side.samples.front();
        for (const auto& [name, value] : first.parameters) {
            parameters[name] = std::visit(value_to_json{}, value);
        }
        operations = number(first.operations);
        checksum = first.checksum;
    }
    json samples = json::array();
    for (const auto& sample : side.samples) {
        samples.push_back(sample_section(sample));
    }
    return {{"peer", to_string(side.who)},
            {"arguments", side.arguments},
            {"parameters", std::move(parameters)},
            {"failure", text_or_null(side.failure)},
            {"operations_count", std::move(operations)},
            {"checksum", std::move(checksum)},
            {"samples", std::move(samples)}};
}

json ratio_section(const figure_ratio& ratio) {
    json pairs = json::array();
    for (const double value : ratio.ratios) {
        pairs.push_back(number(value));
    }
    return {{"peer", program_of(ratio.whom)},
            {"theirs", statistics_section(ratio.theirs)},
            {"ratios", std::move(pairs)},
            {"ratio", statistics_section(ratio.ratio)}};
}

json target_section(const judged_target& target) {
    return {
        {"ratio_to", target.wanted.against ? json(program_of(*target.wanted.against)) : nullptr},
        {"limit", number(target.wanted.limit)},
        {"observed", or_null(target.observed)},
        {"reached", target.reached ? json(*target.reached) : json(nullptr)}};
}

json figure_section(const figure_result& figure) {
    json peers = json::array();
    for (const auto& each : figure.peers) {
        peers.push_back(ratio_section(each));
    }
    json targets = json::array();
    for (const auto& each : figure.targets) {
        targets.push_back(target_section(each));
    }
    return {{"name", figure.subject->name},
            {"better", figure.subject->direction == better::higher ? "higher" : "lower"},
            {"ours", statistics_section(figure.ours)},
            {"peers", std::move(peers)},
            {"targets", std::move(targets)}};
}

json row_section(const row_result& result) {
    json sides = json::array();
    for (const auto& side : result.sides) {
        sides.push_back(side_section(side));
    }
    json figures = json::array();
    for (const auto& figure : figures_of(result)) {
        figures.push_back(figure_section(figure));
    }
    using milliseconds = std::chrono::duration<double, std::milli>;
    return {{"name", result.subject->name},
            {"what", result.subject->what},
            {"workload", result.subject->workload},
            {"pairs_count", result.pairs},
            {"elapsed_ms", number(milliseconds{result.elapsed}.count())},
            {"shrunk", result.shrunk},
            {"passed", result.passed()},
            {"sides", std::move(sides)},
            {"figures", std::move(figures)}};
}

json peers_section(const std::vector<peer_program>& peers) {
    json list = json::array();
    for (const auto& each : peers) {
        list.push_back({{"peer", program_of(each.who)}, {"skipped", text_or_null(each.skipped)}});
    }
    return list;
}

/// `run` and `environment`, as every report has them.
json common_sections(const comparison_run& source) {
    report empty;
    empty.run = source.run;
    empty.environment = source.environment;
    return json::parse(to_json(empty));
}

} // namespace

std::string to_json(const comparison_run& source) {
    const auto common = common_sections(source);
    json rows = json::array();
    for (const auto& each : source.rows) {
        rows.push_back(row_section(each));
    }
    const json document{{"schema", "muster-peers"},
                        {"schema_version", report_schema_version},
                        {"kind", "perf-peers"},
                        {"run", common.at("run")},
                        {"environment", common.at("environment")},
                        {"pairs_count", source.pairs},
                        {"quick", source.quick},
                        {"peers", peers_section(source.peers)},
                        {"rows", std::move(rows)}};
    return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

} // namespace muster::perf
