#include "workloads/shared/measure.hpp"

#include <cmath>
#include <fstream>
#include <numeric>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace muster::work {

namespace {

rusage usage() {
    rusage now{};
    getrusage(RUSAGE_SELF, &now);
    return now;
}

std::uint64_t nanos_of(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000U;
}

} // namespace

std::uint64_t process_cpu_ns() {
    const rusage now = usage();
    return nanos_of(now.ru_utime) + nanos_of(now.ru_stime);
}

std::uint64_t peak_rss_bytes() {
    return static_cast<std::uint64_t>(usage().ru_maxrss) * 1024U;
}

std::uint64_t sleeps() {
    return static_cast<std::uint64_t>(usage().ru_nvcsw);
}

std::uint64_t rss_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t samples::sum() const {
    return std::accumulate(sorted_.begin(), sorted_.end(), std::uint64_t{0});
}

json samples::at(double share) const {
    if (sorted_.empty())
        return nullptr;
    const auto rank = std::ceil(static_cast<double>(sorted_.size()) * share);
    return sorted_[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

outcome& outcome::count(std::string_view name, std::uint64_t value) {
    figures_[std::string(name)] = value;
    return *this;
}

outcome& outcome::value(std::string_view name, double value) {
    figures_[std::string(name)] = std::round(value * 1000.0) / 1000.0;
    return *this;
}

outcome& outcome::figure(std::string_view name, json value) {
    figures_[std::string(name)] = std::move(value);
    return *this;
}

outcome& outcome::ratio(std::string_view name, std::uint64_t total, std::uint64_t by) {
    const double quotient = by == 0 ? 0 : static_cast<double>(total) / static_cast<double>(by);
    figures_[std::string(name)] =
        by == 0 ? json(nullptr) : json(std::round(quotient * 1000.0) / 1000.0);
    return *this;
}

outcome& outcome::percentiles(std::string_view stem, const samples& values) {
    constexpr std::pair<const char*, double> shares[] = {
        {"_p50_ns", 0.5}, {"_p99_ns", 0.99}, {"_p999_ns", 0.999}, {"_max_ns", 1.0}};
    for (const auto& [suffix, share] : shares)
        figures_[std::string(stem) + suffix] = values.at(share);
    return *this;
}

outcome& outcome::cpu_per_operation(std::string_view name) {
    return ratio(name, time_.cpu_ns, operations_);
}

outcome& outcome::wall_per_operation(std::string_view name) {
    return ratio(name, time_.wall_ns, operations_);
}

json outcome::line(std::string_view peer, std::string_view workload, const json& params) const {
    json document;
    document["schema"] = "muster-peer";
    document["schema_version"] = 1;
    document["peer"] = peer;
    document["workload"] = workload;
    document["params"] = params;
    document["operations"] = operations_;
    document["checksum"] = std::to_string(checksum_);
    document["wall_ns"] = time_.wall_ns;
    document["cpu_ns"] = time_.cpu_ns;
    document["peak_rss_bytes"] = peak_rss_bytes();
    document["figures"] = figures_;
    return document;
}

} // namespace muster::work
