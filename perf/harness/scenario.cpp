#include "harness/scenario.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>

#include <sys/resource.h>

namespace muster::perf {
namespace {

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

std::chrono::nanoseconds cpu_time() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Makes the kernel forget the highest resident size so far.
void reset_peak_memory() {
    std::ofstream{"/proc/self/clear_refs"} << '5';
}

double peak_memory_bytes() {
    std::ifstream status{"/proc/self/status"};
    for (std::string word; status >> word;) {
        double kibibytes = 0;
        if (word == "VmHWM:" && status >> kibibytes) {
            return kibibytes * 1024;
        }
    }
    return not_measured;
}

/// How long this thread has waited for a processor so far, where the kernel counts it.
std::optional<std::chrono::nanoseconds> run_queue_wait() {
    std::ifstream file{"/proc/thread-self/schedstat"};
    std::int64_t ran = 0;
    std::int64_t waited = 0;
    return file >> ran >> waited ? std::optional{std::chrono::nanoseconds{waited}} : std::nullopt;
}

double milliseconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double, std::milli>{duration}.count();
}

std::vector<scenario>& registry() {
    static std::vector<scenario> all;
    return all;
}

/// Levenshtein's: how many letters to insert, remove or replace.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= from.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t k = 1; k <= to.size(); ++k) {
            const std::size_t replaced = diagonal + (from[i - 1] == to[k - 1] ? 0 : 1);
            diagonal = row[k];
            row[k] = std::min({replaced, row[k] + 1, row[k - 1] + 1});
        }
    }
    return row.back();
}

} // namespace

void repetition::begin() {
    reset_peak_memory();
    waited_before_ = run_queue_wait();
    cpu_began_ = cpu_time();
    began_ = std::chrono::steady_clock::now();
}

void repetition::end() {
    const auto wall = std::chrono::steady_clock::now() - began_;
    const auto cpu = cpu_time() - cpu_began_;
    const auto waited = run_queue_wait();
    sample("run_queue_wait_ms",
           waited && waited_before_ ? milliseconds(*waited - *waited_before_) : not_measured,
           better::lower);
    measured(wall, cpu, peak_memory_bytes());
}

void repetition::measured(std::chrono::nanoseconds wall, std::chrono::nanoseconds cpu,
                          double peak_bytes) {
    wall_ = wall;
    sample("wall_ms", milliseconds(wall), better::lower);
    sample("cpu_ms", milliseconds(cpu), better::lower);
    sample("peak_rss_bytes", peak_bytes, better::lower);
}

void repetition::sample(std::string_view metric, double measured, better direction) {
    samples_.emplace_back(std::string{metric}, direction).samples.push_back(measured);
}

void repetition::sample(counter which, better direction) {
    const auto total = state_ ? state_->totals.get(which) : std::nullopt;
    sample(to_string(which), total ? static_cast<double>(*total) : not_measured, direction);
}

void repetition::expect(std::string_view metric, std::string_view op, std::uint64_t limit) {
    thresholds_.emplace_back(std::string{metric}, op, static_cast<double>(limit), value(metric));
}

void repetition::mix(std::uint64_t value) noexcept {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        checksum_ = (checksum_ ^ (value >> shift & 0xff)) * 0x100000001b3; // FNV-1a
    }
}

double repetition::value(std::string_view metric) const noexcept {
    const auto found = std::find_if(samples_.begin(), samples_.end(),
                                    [&](const auto& sample) { return sample.name == metric; });
    return found != samples_.end() ? found->samples.front() : not_measured;
}

bool repetition::passed() const noexcept {
    return std::all_of(thresholds_.begin(), thresholds_.end(),
                       [](const threshold& check) { return check.pass; });
}

std::string repetition::checksum() const {
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(checksum_));
    return text.data();
}

std::vector<double> scenario::published_for(std::size_t sessions, std::string_view metric) const {
    for (const auto& figure : published) {
        if (figure.sessions == sessions && figure.metric == metric) {
            return figure.values;
        }
    }
    return {};
}

std::string scenario::title() const {
    return variant.empty() ? name : name + ' ' + variant;
}

bool enlist(scenario subject) {
    auto& all = registry();
    const auto place = std::find_if(
        all.begin(), all.end(), [&](const scenario& other) { return other.name > subject.name; });
    all.insert(place, std::move(subject));
    return true;
}

const std::vector<scenario>& scenarios() {
    return registry();
}

const scenario* find_scenario(std::string_view name, std::string_view variant) {
    const auto& all = scenarios();
    const auto found = std::find_if(all.begin(), all.end(), [&](const scenario& each) {
        return each.name == name && each.variant == variant;
    });
    return found != all.end() ? &*found : nullptr;
}

std::optional<std::string> similar_name(std::string_view name,
                                        const std::vector<std::string>& names) {
    std::size_t best = std::max<std::size_t>(name.size() / 2, 2);
    std::optional<std::string> found;
    for (const auto& each : names) {
        const bool begins = !name.empty() && each.starts_with(name);
        const std::size_t distance = begins ? 0 : edit_distance(name, each);
        if (distance <= best && (!found || distance < best)) {
            best = distance;
            found = each;
        }
    }
    return found;
}

std::optional<std::string> similar_scenario(std::string_view name) {
    std::vector<std::string> names;
    for (const auto& each : scenarios()) {
        names.push_back(each.name);
    }
    return similar_name(name, names);
}

} // namespace muster::perf
