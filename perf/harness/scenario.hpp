#pragma once

#include <muster/metrics/report.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::perf {

/// One repetition under way: samples, checks and the work's checksum go in, the runner takes them
/// out.
///
/// The scenario prepares, calls `begin`, does its fixed work, calls `end`, and then looks at what
/// came out of it. Wall time, processor time and peak memory of the part between are sampled by the
/// harness. Not thread-safe.
class repetition {
public:
    repetition(const repetition&) = delete;
    repetition& operator=(const repetition&) = delete;
    repetition() = default;

    /// The timed part. `end` samples wall_ms, cpu_ms, run_queue_wait_ms (how long this thread was
    /// ready to run and another one had the processor) and peak_rss_bytes.
    void begin();
    void end();

    /// One value of a metric; the name ends in its unit (the report's schema lists them).
    void sample(std::string_view metric, double value, better direction = better::neither);
    void sample(std::string_view metric, std::uint64_t value, better direction = better::neither) {
        sample(metric, static_cast<double>(value), direction);
    }
    /// The snapshot's total of that counter, under its name; not a number if it was not measured.
    void sample(counter which, better direction = better::neither);

    /// In place of `begin` and `end`, for work that has timed itself: samples the same but for the
    /// wait for a processor.
    void measured(std::chrono::nanoseconds wall, std::chrono::nanoseconds cpu, double peak_bytes);

    /// Checks a value that has been sampled; `op` is "==", "<=" or ">=".
    void expect(std::string_view metric, std::string_view op, std::uint64_t limit);
    void expect(counter which, std::string_view op, std::uint64_t limit) {
        expect(to_string(which), op, limit);
    }

    /// Mixes a value into the checksum; equal work has equal checksums.
    void mix(std::uint64_t value) noexcept;

    /// What the runtime counted; the last repetition's is reported.
    void keep(runtime_snapshot state) { state_ = std::move(state); }

    /// A sampled value; not a number if there is none.
    [[nodiscard]] double value(std::string_view metric) const noexcept;
    [[nodiscard]] const std::vector<report_metric>& samples() const noexcept { return samples_; }
    [[nodiscard]] const std::vector<threshold>& thresholds() const noexcept { return thresholds_; }
    [[nodiscard]] std::optional<runtime_snapshot>& state() noexcept { return state_; }
    [[nodiscard]] std::string checksum() const;
    [[nodiscard]] std::chrono::nanoseconds wall() const noexcept { return wall_; }
    /// Whether every condition holds.
    [[nodiscard]] bool passed() const noexcept;

private:
    std::vector<report_metric> samples_; // one sample each
    std::vector<threshold> thresholds_;
    std::optional<runtime_snapshot> state_;
    std::uint64_t checksum_ = 0xcbf29ce484222325; // FNV-1a's start
    std::chrono::steady_clock::time_point began_;
    std::chrono::nanoseconds cpu_began_{0};
    std::optional<std::chrono::nanoseconds> waited_before_;
    std::chrono::nanoseconds wall_{0};
};

/// Figures that the investigation of the reference published for the same load: as it was, and
/// where it says so, after its own remedy.
struct published_figure {
    std::size_t sessions;
    std::string metric;
    std::vector<double> values; ///< in the order of publication; the last one is compared with

    published_figure(std::size_t count, std::string_view label, std::vector<double> figures)
        : sessions{count}, metric{label}, values{std::move(figures)} {}
};

/// Which scenarios are run together.
enum class scenario_group {
    seed,  ///< the investigation's, and the one with real children: run unless told otherwise
    scale, ///< one aspect of the library each, at counts up to a million
};

/// A workload that measures and checks itself. One file each in perf/scenarios; where that has
/// several sets of parameters, each of these variants is a scenario of the same name.
struct scenario {
    std::string name;
    std::string variant; ///< empty: there is only one
    std::string purpose; ///< one line
    scenario_group group = scenario_group::seed;
    std::string counted = "sessions";        ///< what the session count is a number of
    std::vector<std::size_t> session_counts; ///< what is run unless told otherwise
    std::size_t max_sessions = 0;
    std::size_t repetitions = 5;
    std::size_t warm_ups = 1;           ///< repetitions whose samples are thrown away
    bool needs_the_processor = false;   ///< its checks presuppose that timers are served in time
    std::vector<std::string> headlines; ///< the metrics that the table shows; the first is what
                                        ///< one item costs, where there is such a thing
    std::uint64_t bytes_each = 0;       ///< roughly what each of them needs, for sweeps
    std::vector<published_figure> published;
    std::function<config_values(std::size_t sessions)> config;
    /// Does one repetition in a fresh runtime; throws what prevents it.
    std::function<void(std::size_t sessions, repetition& run)> run;

    /// The published figures for that load and metric; none: empty.
    [[nodiscard]] std::vector<double> published_for(std::size_t sessions,
                                                    std::string_view metric) const;
    /// Name and variant, for people: "channel batch_40".
    [[nodiscard]] std::string title() const;
};

/// Adds a scenario to those that `scenarios` lists; called before main. Returns true.
bool enlist(scenario subject);

/// All scenarios by name; variants in the order in which they were enlisted.
[[nodiscard]] const std::vector<scenario>& scenarios();

/// The scenario of that name and variant, or null.
[[nodiscard]] const scenario* find_scenario(std::string_view name, std::string_view variant = {});

/// The one of `names` that `name` may have been meant to be; nothing if none is near.
[[nodiscard]] std::optional<std::string> similar_name(std::string_view name,
                                                      const std::vector<std::string>& names);

/// The name that is most like `name`, if one is like it at all.
[[nodiscard]] std::optional<std::string> similar_scenario(std::string_view name);

} // namespace muster::perf
