#include "comparison/work_line.hpp"

#include <muster/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace muster::perf {
namespace {

using json = nlohmann::ordered_json; // keeps the order of the parameters

[[noreturn]] void refuse(const std::string& what) {
    throw error{errc::protocol, "what it printed is no line of WORKLOADS.md: " + what};
}

config_value value_of(const json& value) {
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    if (value.is_number_unsigned()) {
        return value.get<std::uint64_t>();
    }
    if (value.is_number()) {
        return value.get<double>();
    }
    return value.is_string() ? value.get<std::string>() : value.dump();
}

double positive_or_zero(const json& document, const char* name) {
    const auto value = document.at(name).get<double>();
    if (!std::isfinite(value) || value < 0) {
        refuse(std::string{name} + " is below 0");
    }
    return value;
}

work_line line_of(const json& document) {
    work_line line;
    line.peer = document.at("peer").get<std::string>();
    line.workload = document.at("workload").get<std::string>();
    for (const auto& [name, value] : document.at("params").items()) {
        line.parameters.emplace_back(name, value_of(value));
    }
    if (!document.at("operations").is_number_unsigned()) {
        refuse("operations is no whole number");
    }
    line.operations = document.at("operations").get<std::uint64_t>();
    line.checksum = document.at("checksum").get<std::string>();
    if (line.checksum.empty() ||
        line.checksum.find_first_not_of("0123456789") != std::string::npos) {
        refuse("checksum is no decimal number");
    }
    line.wall_ns = positive_or_zero(document, "wall_ns");
    line.cpu_ns = positive_or_zero(document, "cpu_ns");
    line.peak_rss_bytes = positive_or_zero(document, "peak_rss_bytes");
    for (const auto& [name, value] : document.at("figures").items()) {
        line.figures.emplace_back(name, value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                                        : value.get<double>());
    }
    return line;
}

bool is_schema(const json& document) {
    return document.is_object() && document.value("schema", "") == "muster-peer" &&
           document.value("schema_version", 0) == 1;
}

} // namespace

std::optional<double> work_line::figure(std::string_view name) const noexcept {
    if (name == "cpu_ns") {
        return cpu_ns;
    }
    if (name == "wall_ns") {
        return wall_ns;
    }
    if (name == "peak_rss_bytes") {
        return peak_rss_bytes;
    }
    const auto found = std::find_if(figures.begin(), figures.end(),
                                    [&](const auto& figure) { return figure.first == name; });
    return found != figures.end() && std::isfinite(found->second) ? std::optional{found->second}
                                                                  : std::nullopt;
}

work_line parse_work_line(std::string_view output, std::string_view workload) {
    try {
        const auto document = json::parse(output);
        if (!is_schema(document)) {
            refuse("its schema is not muster-peer, version 1");
        }
        auto line = line_of(document);
        if (line.workload != workload) {
            refuse("it is about " + line.workload + ", not about " + std::string{workload});
        }
        return line;
    } catch (const json::parse_error&) {
        refuse(output.empty() ? "nothing at all" : "not one JSON object");
    } catch (const json::exception& problem) {
        refuse(problem.what());
    }
}

} // namespace muster::perf
