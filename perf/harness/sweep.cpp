#include "harness/sweep.hpp"

#include "harness/table.hpp"

#include <muster/error.hpp>
#include <muster/metrics/statistics.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <utility>

namespace muster::perf {
namespace {

using json = nlohmann::ordered_json;

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t reference_count = 100;

/// What the kernel says can be had without swapping; 0 where it does not say.
std::uint64_t available_bytes() {
    std::ifstream file{"/proc/meminfo"};
    for (std::string word; file >> word;) {
        std::uint64_t kibibytes = 0;
        if (word == "MemAvailable:" && file >> kibibytes) {
            return kibibytes * 1024;
        }
    }
    return 0;
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20U) + " MiB";
}

/// Why that many cannot be run; empty if they can.
std::string obstacle(const scenario& subject, std::size_t sessions) {
    if (sessions > subject.max_sessions) {
        return "its limit is " + std::to_string(subject.max_sessions);
    }
    const std::uint64_t needed = subject.bytes_each * sessions;
    const std::uint64_t available = available_bytes();
    // A fifth is left to everything else.
    return available != 0 && needed > available / 5 * 4
               ? "needs some " + mebibytes(needed) + " of memory, available are " +
                     mebibytes(available)
               : std::string{};
}

json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

json point_to_json(const growth_curve& curve, const growth_point& point) {
    const bool measured = point.measured.has_value();
    return {{"sessions", point.sessions},
            {"per_item", number(point.median(curve.per_item()))},
            {"ratio_to_100", number(curve.ratio(point))},
            {"bytes_per_session", number(curve.bytes_per_session(point))},
            {"peak_rss_bytes", number(point.median("peak_rss_bytes"))},
            {"cpu_ms", number(point.median("cpu_ms"))},
            {"wall_ms", number(point.median("wall_ms"))},
            {"repetitions", measured ? point.measured->checksums.size() : 0},
            {"passed", measured ? json(point.measured->passed()) : json(nullptr)},
            {"skipped", measured ? json(nullptr) : json(point.skipped)}};
}

/// What stands for the whole curve in the parts that it shares with other documents: the run and
/// the load of the largest point, all checks that were made.
report summary_of(const growth_curve& curve) {
    report summary;
    for (const auto& point : curve.points) {
        if (!point.measured) {
            continue;
        }
        const auto& found = *point.measured;
        if (summary.scenario) {
            summary.run.duration += found.run.duration;
        } else {
            summary.run = found.run;
        }
        summary.environment = found.environment;
        summary.scenario = found.scenario;
        summary.elapsed += found.elapsed;
        for (const auto& check : found.thresholds) {
            summary.thresholds.push_back(check);
        }
    }
    return summary;
}

} // namespace

double growth_point::median(const std::string& metric) const {
    if (!measured) {
        return not_measured;
    }
    const auto& metrics = measured->metrics;
    const auto found = std::find_if(metrics.begin(), metrics.end(),
                                    [&](const auto& each) { return each.name == metric; });
    if (found == metrics.end()) {
        return not_measured;
    }
    const auto described = describe(found->samples);
    return described.n == 0 ? not_measured : described.median;
}

const growth_point* growth_curve::reference() const noexcept {
    const auto found = std::find_if(points.begin(), points.end(), [](const auto& point) {
        return point.sessions == reference_count;
    });
    return found == points.end() ? nullptr : &*found;
}

double growth_curve::ratio(const growth_point& point) const {
    const auto* const base = reference();
    return base == nullptr ? not_measured : point.median(per_item()) / base->median(per_item());
}

double growth_curve::bytes_per_session(const growth_point& point) const {
    if (const double own = point.median("bytes_per_session"); !std::isnan(own)) {
        return own;
    }
    const auto& first = points.front();
    const double more = point.median("peak_rss_bytes") - first.median("peak_rss_bytes");
    return point.sessions == first.sessions
               ? not_measured
               : more / static_cast<double>(point.sessions - first.sessions);
}

std::size_t growth_curve::largest() const noexcept {
    std::size_t count = 0;
    for (const auto& point : points) {
        count = point.measured ? point.sessions : count;
    }
    return count;
}

bool growth_curve::passed() const noexcept {
    return std::all_of(points.begin(), points.end(), [](const auto& point) {
        return !point.measured || point.measured->passed();
    });
}

std::vector<std::size_t> sweep_counts() {
    return {10, 100, 1'000, 10'000, 100'000, 1'000'000};
}

growth_curve sweep(const scenario& subject, const std::vector<std::size_t>& counts,
                   std::size_t repetitions,
                   const std::function<void(std::size_t, std::size_t, std::size_t)>& observe) {
    growth_curve curve{&subject, {}};
    for (const std::size_t sessions : counts) {
        if (auto reason = obstacle(subject, sessions); !reason.empty()) {
            curve.points.emplace_back(sessions, std::move(reason));
            continue;
        }
        curve.points.emplace_back(sessions, run_scenario(subject, sessions, repetitions,
                                                         [&](std::size_t i, std::size_t of) {
                                                             observe(sessions, i, of);
                                                         }));
    }
    return curve;
}

std::string growth_table(const growth_curve& curve) {
    using enum text_table::align;
    text_table table;
    table.column(curve.subject->counted, right)
        .column(curve.per_item(), right)
        .column("to that at 100", right)
        .column("bytes each", right)
        .column("peak MiB", right)
        .column("", left);
    for (const auto& point : curve.points) {
        const auto cell = [&](double value) {
            return point.measured ? to_text(value) : std::string{};
        };
        table.row({std::to_string(point.sessions), cell(point.median(curve.per_item())),
                   cell(curve.ratio(point)), cell(curve.bytes_per_session(point)),
                   cell(std::round(point.median("peak_rss_bytes") / (1 << 20))),
                   point.measured ? (point.measured->passed() ? "" : "FAILED")
                                  : "skipped: " + point.skipped});
    }
    return curve.subject->title() + '\n' + table.str();
}

std::string to_json(const growth_curve& curve) {
    auto document = json::parse(muster::to_json(summary_of(curve)));
    document["kind"] = "growth-curve";
    auto points = json::array();
    for (const auto& point : curve.points) {
        points.push_back(point_to_json(curve, point));
    }
    document["curve"] = {{"per_item_metric", curve.per_item()}, {"points", std::move(points)}};
    return document.dump(2) + '\n';
}

} // namespace muster::perf
