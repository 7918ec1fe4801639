#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

/// What every workload reports with, muster's and bare Asio's alike: a stopwatch for wall and
/// process CPU time, memory, percentiles, and the outcome that becomes the JSON line of
/// WORKLOADS.md.
namespace muster::work {

using clock = std::chrono::steady_clock;
using json = nlohmann::ordered_json;

/// User and system time of all threads.
std::uint64_t process_cpu_ns();
std::uint64_t peak_rss_bytes();
std::uint64_t rss_bytes();
/// Voluntary context switches so far: how often the process went to sleep.
std::uint64_t sleeps();

inline std::uint64_t nanos(clock::duration time) {
    return static_cast<std::uint64_t>(
        std::max<clock::rep>(0, std::chrono::nanoseconds(time).count()));
}

struct span {
    std::uint64_t wall_ns = 0;
    std::uint64_t cpu_ns = 0;
};

class stopwatch {
public:
    span stop() const { return {nanos(clock::now() - wall_), process_cpu_ns() - cpu_}; }

private:
    std::uint64_t cpu_ = process_cpu_ns();
    clock::time_point wall_ = clock::now();
};

/// Nanoseconds, every one kept; percentiles by nearest rank.
class samples {
public:
    explicit samples(std::vector<std::uint64_t> values) : sorted_(std::move(values)) {
        std::sort(sorted_.begin(), sorted_.end());
    }

    std::size_t size() const { return sorted_.size(); }
    std::uint64_t sum() const;
    json at(double share) const;

private:
    std::vector<std::uint64_t> sorted_;
};

/// One run's result.
class outcome {
public:
    outcome(std::uint64_t operations, std::uint64_t checksum, span time)
        : operations_(operations), checksum_(checksum), time_(time) {}

    outcome& count(std::string_view name, std::uint64_t value);
    outcome& value(std::string_view name, double value);
    outcome& figure(std::string_view name, json value);
    /// A quotient; null where nothing was counted.
    outcome& ratio(std::string_view name, std::uint64_t total, std::uint64_t by);
    /// `<stem>_p50_ns`, `_p99_ns`, `_p999_ns`, `_max_ns`; null where there was no sample.
    outcome& percentiles(std::string_view stem, const samples& values);
    /// Unlike wall time, blind to what else the machine does.
    outcome& cpu_per_operation(std::string_view name);
    outcome& wall_per_operation(std::string_view name);

    std::uint64_t operations() const { return operations_; }
    std::uint64_t checksum() const { return checksum_; }
    span time() const { return time_; }
    const json& figures() const { return figures_; }

    json line(std::string_view peer, std::string_view workload, const json& params) const;

private:
    std::uint64_t operations_;
    std::uint64_t checksum_;
    span time_;
    json figures_ = json::object();
};

} // namespace muster::work
