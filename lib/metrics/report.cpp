#include <muster/metrics/report.hpp>

#include "metrics/report_rows.hpp"
#include "metrics/row_writer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

using json = nlohmann::ordered_json;

using detail::largest_exact_integer;

json number(std::uint64_t value) {
    return value > largest_exact_integer ? json(std::to_string(value)) : json(value);
}

json number(double value) {
    if (!std::isfinite(value)) {
        return nullptr;
    }
    const bool whole =
        std::trunc(value) == value && std::abs(value) <= double{largest_exact_integer};
    return whole ? json(static_cast<std::int64_t>(value)) : json(value);
}

json number(std::chrono::nanoseconds value) {
    return number(static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)));
}

template <typename T>
json or_null(const std::optional<T>& value) {
    return value ? number(*value) : json(nullptr);
}

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

json words(const std::string& comma_separated) {
    json list = json::array();
    for (std::size_t start = 0; start < comma_separated.size();) {
        const auto end = std::min(comma_separated.find(',', start), comma_separated.size());
        list.push_back(comma_separated.substr(start, end - start));
        start = end + 1;
    }
    return list;
}

json run_section(const run_info& run) {
    return {{"id", run.id},
            {"started_at", to_rfc3339(run.started_at)},
            {"duration_ns", number(run.duration)},
            {"git_commit", text_or_null(run.git_commit)},
            {"git_dirty", run.git_dirty ? json(*run.git_dirty) : json(nullptr)},
            {"build_type", text_or_null(run.build_type)},
            {"compiler", text_or_null(run.compiler)},
            {"flags", run.flags},
            {"sanitizers", words(run.sanitizers)}};
}

json environment_section(const environment_info& machine) {
    json load = nullptr;
    if (machine.load_avg) {
        load = json::array();
        for (const double value : *machine.load_avg) {
            load.push_back(number(value));
        }
    }
    return {{"host", text_or_null(machine.host)},
            {"os", text_or_null(machine.os)},
            {"kernel", text_or_null(machine.kernel)},
            {"cpu_model", text_or_null(machine.cpu_model)},
            {"cpus", number(machine.cpus)},
            {"load_avg", std::move(load)},
            {"clock_source", text_or_null(machine.clock_source)},
            {"boost", text_or_null(machine.boost)},
            {"asio", text_or_null(machine.asio)}};
}

struct value_to_json {
    json operator()(bool value) const { return value; }
    json operator()(std::uint64_t value) const { return number(value); }
    json operator()(double value) const { return number(value); }
    json operator()(const std::string& value) const { return value; }
};

json scenario_section(const std::optional<report_scenario>& scenario) {
    if (!scenario) {
        return nullptr;
    }
    json config = json::object();
    for (const auto& [name, value] : scenario->config) {
        config[name] = std::visit(value_to_json{}, value);
    }
    json section{{"name", scenario->name},
                 {"sessions", number(scenario->sessions)},
                 {"config", std::move(config)}};
    if (!scenario->variant.empty()) {
        section["variant"] = scenario->variant;
    }
    return section;
}

std::size_t repetition_count(const report& source) {
    std::size_t count = source.checksums.size();
    for (const auto& metric : source.metrics) {
        count = std::max(count, metric.samples.size());
    }
    return count;
}

json repetitions_section(const report& source) {
    json list = json::array();
    for (std::size_t i = 0; i < repetition_count(source); ++i) {
        json samples = json::object();
        for (const auto& metric : source.metrics) {
            samples[metric.name] = i < metric.samples.size() ? number(metric.samples[i]) : nullptr;
        }
        list.push_back({{"samples", std::move(samples)},
                        {"checksum",
                         i < source.checksums.size() ? json(source.checksums[i]) : json(nullptr)}});
    }
    return list;
}

json statistics_of(const report_metric& metric) {
    const auto found = describe(metric.samples);
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

json statistics_section(const report& source) {
    json section = json::object();
    for (const auto& metric : source.metrics) {
        section[metric.name] = statistics_of(metric);
    }
    return section;
}

json totals_section(const runtime_snapshot& state) {
    json by_status = json::object();
    for (std::size_t i = 0; i < session_status_count; ++i) {
        by_status[std::string{to_string(static_cast<session_status>(i))}] =
            number(state.sessions_by_status[i]);
    }
    json section{{"taken_at", to_rfc3339(state.taken_at)},
                 {"uptime_ns", number(state.uptime)},
                 {"metrics_enabled", state.metrics_enabled},
                 {"session_count", number(state.session_count())},
                 {"session_count_by_status", std::move(by_status)}};
    for (std::size_t i = 0; i < counter_count; ++i) {
        section[std::string{counter_table[i].name}] =
            or_null(state.totals.get(static_cast<counter>(i)));
    }
    section["events_received_rate_per_sec_x1000"] =
        or_null(state.events_received_rate_per_sec_x1000());
    return section;
}

json latencies_section(const runtime_snapshot& state) {
    json section = json::object();
    for (std::size_t i = 0; i < latency_count; ++i) {
        json& entry = section[std::string{to_string(static_cast<latency>(i))}];
        if (const auto& summary = state.latencies[i]) {
            entry = {{"count", number(summary->count)},     {"min_ns", number(summary->min_ns)},
                     {"mean_ns", number(summary->mean_ns)}, {"p50_ns", number(summary->p50_ns)},
                     {"p90_ns", number(summary->p90_ns)},   {"p99_ns", number(summary->p99_ns)},
                     {"p999_ns", number(summary->p999_ns)}, {"max_ns", number(summary->max_ns)}};
        }
    }
    return section;
}

json thresholds_section(const std::vector<threshold>& thresholds) {
    json list = json::array();
    for (const auto& check : thresholds) {
        list.push_back({{"metric", check.metric},
                        {"op", check.op},
                        {"limit", number(check.limit)},
                        {"observed", number(check.observed)},
                        {"pass", check.pass}});
    }
    return list;
}

const char* to_text(verdict value) {
    switch (value) {
    case verdict::improved: return "improved";
    case verdict::same: return "same";
    case verdict::regressed: return "regressed";
    case verdict::inconclusive: break;
    }
    return "inconclusive";
}

json baseline_section(const std::optional<baseline_result>& baseline) {
    if (!baseline) {
        return nullptr;
    }
    json metrics = json::object();
    for (const auto& [name, result] : baseline->metrics) {
        json interval = nullptr;
        if (result.ci_low_pct && result.ci_high_pct) {
            interval = json::array({number(*result.ci_low_pct), number(*result.ci_high_pct)});
        }
        metrics[name] = {{"delta_pct", or_null(result.delta_pct)},
                         {"ci_pct", std::move(interval)},
                         {"verdict", to_text(result.verdict)}};
    }
    json differences = json::array();
    for (const auto& [field, now, before] : baseline->differences) {
        differences.push_back({{"field", field}, {"now", now}, {"baseline", before}});
    }
    return {{"file", baseline->file},
            {"differences", std::move(differences)},
            {"metrics", std::move(metrics)}};
}

json elapsed_ms(const report& source) {
    using milliseconds = std::chrono::duration<double, std::milli>;
    return source.scenario ? number(milliseconds{source.elapsed}.count()) : json(nullptr);
}

/// What stands between the braces of an object that is not empty, without the outer line ends.
std::string members(const json& object) {
    const std::string text = object.dump(2, ' ', false, json::error_handler_t::replace);
    return text.substr(2, text.size() - 4);
}

} // namespace

threshold::threshold(std::string label, std::string_view relation, double bound, double value)
    : metric{std::move(label)}, op{relation}, limit{bound}, observed{value},
      pass{(op == "==" && value == bound) || (op == "<=" && value <= bound) ||
           (op == ">=" && value >= bound)} {}

bool report::passed() const noexcept {
    return std::all_of(thresholds.begin(), thresholds.end(),
                       [](const threshold& check) { return check.pass; });
}

std::string to_json(const report& source, std::size_t max_rows) {
    const auto& state = source.state;
    const json head{{"schema", "muster-report"},
                    {"schema_version", report_schema_version},
                    {"kind", source.scenario ? "perf-scenario" : "runtime-snapshot"},
                    {"run", run_section(source.run)},
                    {"environment", environment_section(source.environment)},
                    {"scenario", scenario_section(source.scenario)},
                    {"elapsed_ms", elapsed_ms(source)},
                    {"repetitions", repetitions_section(source)},
                    {"statistics", statistics_section(source)},
                    {"totals", state ? totals_section(*state) : json(nullptr)},
                    {"latencies", state ? latencies_section(*state) : json(nullptr)}};
    const json tail{{"thresholds", thresholds_section(source.thresholds)},
                    {"baseline", baseline_section(source.baseline)}};
    std::string text = "{\n" + members(head);
    text += ",\n  \"sessions\": ";
    text += state ? detail::rows_of(state->sessions, max_rows) : "null";
    text += ",\n  \"subscribers\": ";
    text += state ? detail::rows_of(state->subscribers, max_rows) : "null";
    text += ",\n" + members(tail) + "\n}\n";
    return text;
}

} // namespace muster
