#include "harness/work_scenario.hpp"

#include "harness/isolated.hpp"
#include "workloads/workloads.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace muster::perf {
namespace {

/// A workload with everything set; its name, should it be missing, is a mistake in the scenario.
work::workload_run prepare(const work_scenario& what, const work_params& variant,
                           std::size_t sessions) {
    const auto* workload = work::all_workloads().find(what.workload);
    if (workload == nullptr) {
        throw error{errc::internal, "there is no workload '" + what.workload + "'"};
    }
    auto run = workload->prepare();
    run.params.set(what.count_param, std::to_string(sessions));
    for (const auto& [name, value] : what.scale ? what.scale(sessions) : work_params{}) {
        run.params.set(name, value);
    }
    for (const auto& [name, value] : variant) {
        run.params.set(name, value);
    }
    return run;
}

config_values config_of(const work_scenario& what, const work_params& variant,
                        std::size_t sessions) {
    config_values config{{"workload", what.workload}, {"counted", what.counted}};
    const auto values = prepare(what, variant, sessions).params.values();
    for (const auto& [name, value] : values.items()) {
        if (value.is_string()) {
            config.emplace_back(name, value.get<std::string>());
        } else {
            config.emplace_back(metric_name(name), value.get<std::uint64_t>());
        }
    }
    return config;
}

better direction_of(const std::string& metric) {
    for (const char* const suffix : {"_count", "_total"}) {
        if (metric.ends_with(suffix)) {
            return better::neither;
        }
    }
    const bool rate = metric.ends_with("_per_sec") || metric.ends_with("bytes_per_us") ||
                      metric.ends_with("_pct");
    return rate ? better::higher : better::lower;
}

void record(const isolated_outcome& done, repetition& run) {
    run.measured(done.wall, done.cpu, static_cast<double>(done.peak_bytes));
    run.sample("operations_count", done.operations);
    for (const auto& [name, value] : done.figures.items()) {
        const auto metric = metric_name(name);
        run.sample(metric,
                   value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>(),
                   direction_of(metric));
    }
    run.mix(done.operations);
    run.mix(done.checksum);
}

void run_once(const work_scenario& what, const work_params& variant, std::size_t sessions,
              repetition& run) {
    auto prepared = prepare(what, variant, sessions);
    const auto done = run_isolated(prepared.run);
    record(done, run);
    const auto expected = what.checksum(work_values{prepared.params.values()});
    run.sample("wrong_checksums_count", std::uint64_t{done.checksum == expected ? 0U : 1U},
               better::lower);
    run.expect("wrong_checksums_count", "==", 0);
    for (const auto& check : what.checks) {
        run.expect(check.metric, check.op, check.limit);
    }
}

scenario describe_variant(const work_scenario& what, const work_variant& variant) {
    scenario subject;
    subject.name = what.name;
    subject.variant = variant.name;
    subject.purpose = variant.purpose;
    subject.group = scenario_group::scale;
    subject.counted = what.counted;
    subject.session_counts =
        variant.session_counts.empty() ? what.session_counts : variant.session_counts;
    subject.max_sessions = what.max_sessions;
    subject.repetitions = what.repetitions;
    subject.warm_ups = 0; // every repetition is a new process
    subject.headlines = what.headlines;
    subject.bytes_each = what.bytes_each;
    subject.config = [what, params = variant.params](std::size_t sessions) {
        return config_of(what, params, sessions);
    };
    subject.run = [what, params = variant.params](std::size_t sessions, repetition& run) {
        run_once(what, params, sessions, run);
    };
    return subject;
}

} // namespace

bool enlist_at_scale(const work_scenario& description) {
    for (const auto& variant : description.variants) {
        enlist(describe_variant(description, variant));
    }
    return true;
}

std::string share_of(std::uint64_t total, std::size_t sessions, std::uint64_t burst,
                     std::uint64_t least) {
    const std::uint64_t rounds = total / (sessions * burst);
    return std::to_string(std::max(rounds, least) * burst);
}

std::string metric_name(std::string_view figure) {
    std::string name{figure};
    constexpr std::string_view rate = "_per_second";
    if (name.ends_with(rate)) {
        return name.replace(name.size() - rate.size(), rate.size(), "_per_sec");
    }
    if (name == "payload" || name == "bytes") {
        return name == "bytes" ? name : name + "_bytes";
    }
    constexpr std::array<std::string_view, 6> units{"_ns",  "_us",    "_ms",
                                                    "_pct", "_bytes", "_ratio"};
    const bool has_unit =
        name.find("_per_") != std::string::npos ||
        std::any_of(units.begin(), units.end(), [&](auto unit) { return name.ends_with(unit); });
    return has_unit ? name : name + "_count";
}

} // namespace muster::perf
