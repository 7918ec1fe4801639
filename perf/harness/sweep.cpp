#include "harness/sweep.hpp"

#include "harness/table.hpp"

#include <muster/metrics/statistics.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
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

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

/// Null where it was not run.
json passed_or_null(const growth_point& point) {
    return point.skipped.empty() ? json(point.measured && point.measured->passed()) : json(nullptr);
}

json point_to_json(const growth_curve& curve, const growth_point& point) {
    const auto own = json::parse(muster::to_json(point.measured.value_or(report{}), 0));
    return {{"sessions", point.sessions},
            {"per_item", number(point.median(curve.per_item()))},
            {"ratio_to_100", number(curve.ratio(point))},
            {"bytes_per_session", number(curve.bytes_per_session(point))},
            {"peak_rss_bytes", number(point.median("peak_rss_bytes"))},
            {"cpu_ms", number(point.median("cpu_ms"))},
            {"wall_ms", number(point.median("wall_ms"))},
            {"repetitions", own.at("repetitions").size()},
            {"passed", passed_or_null(point)},
            {"skipped", text_or_null(point.skipped)},
            {"failed", text_or_null(point.failed)},
            {"thresholds", own.at("thresholds")},
            {"raw_repetitions", own.at("repetitions")}};
}

/// What stands for the whole curve in the parts that it shares with other documents: the load of
/// the largest point, all checks that were made.
report summary_of(const growth_curve& curve) {
    report summary;
    summary.run = curve.run;
    summary.environment = curve.environment;
    summary.scenario =
        report_scenario{curve.subject->name, curve.largest(), {}, curve.subject->variant};
    for (const auto& point : curve.points) {
        if (point.measured) {
            summary.scenario = point.measured->scenario;
            summary.elapsed += point.measured->elapsed;
            const auto& checks = point.measured->thresholds;
            summary.thresholds.insert(summary.thresholds.end(), checks.begin(), checks.end());
        }
    }
    return summary;
}

/// The report of that many, or what prevents it.
growth_point measure(const scenario& subject, std::size_t sessions, std::size_t repetitions,
                     const repetition_observer& observe) {
    growth_point point{sessions};
    point.skipped = obstacle(subject, sessions);
    if (point.skipped.empty()) {
        try {
            point.measured = run_scenario(subject, sessions, repetitions, observe);
        } catch (const std::exception& problem) {
            point.failed = problem.what();
        }
    }
    return point;
}

/// The last column of the table.
std::string remark_on(const growth_point& point) {
    if (!point.measured) {
        return point.failed.empty() ? "skipped: " + point.skipped : "FAILED: " + point.failed;
    }
    return point.measured->passed() ? "" : "FAILED";
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
    std::size_t count = points.front().sessions;
    for (const auto& point : points) {
        count = point.measured ? point.sessions : count;
    }
    return count;
}

bool growth_curve::measured() const noexcept {
    return std::any_of(points.begin(), points.end(),
                       [](const auto& point) { return point.measured.has_value(); });
}

bool growth_curve::passed() const noexcept {
    return measured() && std::all_of(points.begin(), points.end(), [](const auto& point) {
               return !point.skipped.empty() || (point.measured && point.measured->passed());
           });
}

std::vector<std::size_t> sweep_counts() {
    return {10, 100, 1'000, 10'000, 100'000, 1'000'000};
}

growth_curve sweep(const scenario& subject, const std::vector<std::size_t>& counts,
                   std::size_t repetitions, const sweep_observer& observe) {
    const auto start = std::chrono::steady_clock::now();
    growth_curve curve{&subject, start_run(), current_environment(), {}};
    for (const std::size_t sessions : counts) {
        curve.points.push_back(
            measure(subject, sessions, repetitions, [&](std::size_t number, std::size_t of) {
                observe.repetition(sessions, number, of);
            }));
        observe.point(curve.points.back());
    }
    curve.run.duration = std::chrono::steady_clock::now() - start;
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
                   cell(std::round(point.median("peak_rss_bytes") / (1 << 20))), remark_on(point)});
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
    return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

} // namespace muster::perf
