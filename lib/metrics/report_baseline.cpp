#include <muster/metrics/report.hpp>

#include <muster/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace muster {
namespace {

using json = nlohmann::ordered_json;

[[noreturn]] void refuse(std::string_view origin, const std::string& what) {
    throw error{errc::protocol,
                std::string{origin} + ": " + what + "; name a document that muster-perf wrote"};
}

void check_header(const json& document, std::string_view origin) {
    if (!document.is_object() || document.value("schema", "") != "muster-report") {
        refuse(origin, "not a muster-report");
    }
    if (document.value("schema_version", 0) != report_schema_version) {
        refuse(origin, "a schema version that is not understood");
    }
    if (document.value("kind", "") != "perf-scenario") {
        refuse(origin, "not the report of a scenario");
    }
}

std::vector<report_metric> metrics_of(const json& repetitions) {
    std::vector<report_metric> metrics;
    for (const auto& repetition : repetitions) {
        for (const auto& [name, value] : repetition.at("samples").items()) {
            auto found = std::find_if(metrics.begin(), metrics.end(),
                                      [&, &key = name](const auto& m) { return m.name == key; });
            if (found == metrics.end()) {
                found = metrics.insert(found, report_metric{name, better::neither});
            }
            found->samples.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                                     : value.get<double>());
        }
    }
    return metrics;
}

} // namespace

report_samples parse_report(std::string_view document, std::string_view origin) {
    try {
        const auto parsed = json::parse(document);
        check_header(parsed, origin);
        report_samples result;
        const auto& scenario = parsed.at("scenario");
        result.scenario = scenario.at("name").get<std::string>();
        result.variant = scenario.value("variant", "");
        result.sessions = scenario.at("sessions").get<std::uint64_t>();
        result.metrics = metrics_of(parsed.at("repetitions"));
        return result;
    } catch (const json::exception&) {
        refuse(origin, "not a complete muster-report");
    }
}

baseline_result compare_with_baseline(const report& current, const report_samples& earlier,
                                      std::string file) {
    if (!current.scenario || current.scenario->name != earlier.scenario ||
        current.scenario->variant != earlier.variant ||
        current.scenario->sessions != earlier.sessions) {
        const auto what = earlier.scenario + (earlier.variant.empty() ? "" : " ") + earlier.variant;
        throw error{errc::configuration, file + " is about " + what + " with " +
                                             std::to_string(earlier.sessions) +
                                             " sessions; name the same scenario's report"};
    }
    baseline_result result;
    result.file = std::move(file);
    for (const auto& metric : current.metrics) {
        const auto before =
            std::find_if(earlier.metrics.begin(), earlier.metrics.end(),
                         [&](const auto& other) { return other.name == metric.name; });
        if (before != earlier.metrics.end()) {
            result.metrics.emplace_back(metric.name,
                                        compare(metric.samples, before->samples, metric.better));
        }
    }
    return result;
}

} // namespace muster
