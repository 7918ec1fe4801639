#include <muster/metrics/report.hpp>

#include <muster/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

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

/// What figures depend on beside the load. Not here: who the machine is, how busy it was, and the
/// commit, which is what one compares.
constexpr std::array compared_conditions{
    "run/build_type",        "run/compiler",     "run/flags",
    "run/sanitizers",        "environment/os",   "environment/kernel",
    "environment/cpu_model", "environment/cpus", "environment/clock_source",
    "environment/boost",     "environment/asio", "totals/metrics_enabled"};

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>()
           : value.is_null() ? "unknown"
                             : value.dump();
}

report_texts conditions_of(const json& document) {
    report_texts texts;
    for (const char* const field : compared_conditions) {
        const json::json_pointer place{std::string{"/"} + field};
        texts.emplace_back(field, text_of(document.value(place, json{})));
    }
    return texts;
}

report_texts config_of(const json& scenario) {
    report_texts texts;
    for (const auto& [name, value] : scenario.at("config").items()) {
        texts.emplace_back(name, text_of(value));
    }
    return texts;
}

std::string value_in(const report_texts& texts, const std::string& name) {
    const auto found = std::find_if(texts.begin(), texts.end(),
                                    [&](const auto& each) { return each.first == name; });
    return found == texts.end() ? "absent" : found->second;
}

std::vector<baseline_difference> differences(const report_texts& now, const report_texts& earlier) {
    std::vector<baseline_difference> found;
    for (const auto& [name, value] : now) {
        if (auto before = value_in(earlier, name); before != value) {
            found.emplace_back(name, value, std::move(before));
        }
    }
    for (const auto& [name, before] : earlier) {
        if (value_in(now, name) == "absent") {
            found.emplace_back(name, "absent", before);
        }
    }
    return found;
}

void check_same_load(const report_samples& now, const report_samples& earlier,
                     const std::string& file) {
    if (now.scenario != earlier.scenario || now.variant != earlier.variant ||
        now.sessions != earlier.sessions) {
        const auto what = earlier.scenario + (earlier.variant.empty() ? "" : " ") + earlier.variant;
        throw error{errc::configuration, file + " is about " + what + " with " +
                                             std::to_string(earlier.sessions) +
                                             " sessions; name the same scenario's report"};
    }
    if (const auto other = differences(now.config, earlier.config); !other.empty()) {
        const auto& first = other.front();
        throw error{errc::configuration, file + " is about another load: " + first.field + " was " +
                                             first.baseline + " and is " + first.now +
                                             "; measure a new baseline"};
    }
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
        result.config = config_of(scenario);
        result.conditions = conditions_of(parsed);
        result.metrics = metrics_of(parsed.at("repetitions"));
        return result;
    } catch (const json::exception&) {
        refuse(origin, "not a complete muster-report");
    }
}

baseline_result compare_with_baseline(const report& current, const report_samples& earlier,
                                      std::string file) {
    if (!current.scenario) {
        throw error{errc::configuration, file + " has nothing to compare with: this is a snapshot"};
    }
    const auto now = parse_report(to_json(current, 0), "this report");
    check_same_load(now, earlier, file);
    baseline_result result;
    result.file = std::move(file);
    result.differences = differences(now.conditions, earlier.conditions);
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
