#include "harness/runner.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <set>
#include <utility>

namespace muster::perf {
namespace {

report_metric& metric_of(report& target, const report_metric& sample, std::size_t done) {
    auto found = std::find_if(target.metrics.begin(), target.metrics.end(),
                              [&](const auto& metric) { return metric.name == sample.name; });
    if (found == target.metrics.end()) {
        found = target.metrics.insert(found, report_metric{sample.name, sample.better});
    }
    // A repetition that did not measure it leaves a hole.
    found->samples.resize(done, std::numeric_limits<double>::quiet_NaN());
    return *found;
}

void merge(report& target, const threshold& check) {
    const auto found = std::find_if(target.thresholds.begin(), target.thresholds.end(),
                                    [&](const threshold& other) {
                                        return other.metric == check.metric &&
                                               other.op == check.op && other.limit == check.limit;
                                    });
    if (found == target.thresholds.end()) {
        target.thresholds.push_back(check);
    } else if (found->pass) {
        *found = check;
    }
}

constexpr std::size_t max_tries = 5;
constexpr double disturbing_wait_ms = 10; // a good part of the shortest interval in use

bool was_disturbed(const scenario& subject, const repetition& run) {
    return subject.needs_the_processor && !run.passed() &&
           run.value("run_queue_wait_ms") >= disturbing_wait_ms;
}

/// One repetition that was not disturbed, if that can be had.
std::unique_ptr<repetition> repeat(const scenario& subject, std::size_t sessions) {
    for (std::size_t tries = 1;; ++tries) {
        auto run = std::make_unique<repetition>();
        subject.run(sessions, *run);
        if (tries == max_tries || !was_disturbed(subject, *run)) {
            if (subject.needs_the_processor) {
                run->sample("disturbed_repetitions_count", tries - 1);
            }
            return run;
        }
    }
}

void add(report& target, repetition& run, std::size_t done) {
    for (const auto& sample : run.samples()) {
        metric_of(target, sample, done).samples.push_back(sample.samples.front());
    }
    for (const auto& check : run.thresholds()) {
        merge(target, check);
    }
    target.checksums.push_back(run.checksum());
    target.elapsed += run.wall();
    if (run.state()) {
        target.state = std::move(run.state());
    }
}

void check_equal_work(report& target) {
    const std::set<std::string> different{target.checksums.begin(), target.checksums.end()};
    target.thresholds.emplace_back("checksums_count", "<=", 1,
                                   static_cast<double>(different.size()));
}

} // namespace

report run_scenario(const scenario& subject, std::size_t sessions, std::size_t repetitions,
                    const repetition_observer& observe) {
    const auto start = std::chrono::steady_clock::now();
    report result;
    result.run = start_run();
    result.environment = current_environment();
    result.scenario =
        report_scenario{subject.name, sessions, subject.config(sessions), subject.variant};
    for (std::size_t i = 0; i < subject.warm_ups; ++i) {
        observe(0, repetitions);
        repetition discarded;
        subject.run(sessions, discarded);
    }
    for (std::size_t i = 0; i < repetitions; ++i) {
        observe(i + 1, repetitions);
        add(result, *repeat(subject, sessions), i);
    }
    check_equal_work(result);
    result.run.duration = std::chrono::steady_clock::now() - start;
    return result;
}

} // namespace muster::perf
