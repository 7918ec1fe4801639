#include <muster/metrics/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace muster {
namespace {

std::vector<double> finite_sorted(std::span<const double> samples) {
    std::vector<double> kept;
    kept.reserve(samples.size());
    std::copy_if(samples.begin(), samples.end(), std::back_inserter(kept),
                 [](double value) { return std::isfinite(value); });
    std::sort(kept.begin(), kept.end());
    return kept;
}

double quantile(const std::vector<double>& sorted, double fraction) {
    const double position = fraction * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

double median_absolute_deviation(std::vector<double> values, double median) {
    for (double& value : values) {
        value = std::abs(value - median);
    }
    std::sort(values.begin(), values.end());
    return quantile(values, 0.5);
}

std::optional<double> standard_deviation(const std::vector<double>& values, double mean) {
    if (values.size() < 2) {
        return std::nullopt;
    }
    double squares = 0;
    for (const double value : values) {
        squares += (value - mean) * (value - mean);
    }
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

/// How often each value of the Mann–Whitney statistic occurs among all arrangements of n and m:
/// the coefficients of the Gaussian binomial, (1 - q^(m+1)) … (1 - q^(m+n)) over
/// (1 - q) … (1 - q^n).
std::vector<double> arrangements(std::size_t n, std::size_t m) {
    std::vector<double> ways(n * m + 1, 0.0);
    ways[0] = 1;
    for (std::size_t i = 1; i <= n; ++i) {
        for (std::size_t u = ways.size(); u-- > m + i;) {
            ways[u] -= ways[u - m - i];
        }
        for (std::size_t u = i; u < ways.size(); ++u) {
            ways[u] += ways[u - i];
        }
    }
    return ways;
}

constexpr double tail = 0.025; // on each side of a 95 % interval

/// How many of the sorted pairwise values to leave out on each side, plus one; 0 if there is no
/// interval at this confidence.
std::size_t exact_rank(std::size_t n, std::size_t m) {
    const auto ways = arrangements(n, m);
    const double all = std::accumulate(ways.begin(), ways.end(), 0.0);
    double below = 0;
    std::size_t rank = 0;
    while (rank < ways.size() && (below + ways[rank]) / all <= tail) {
        below += ways[rank++];
    }
    return rank;
}

std::size_t approximate_rank(std::size_t n, std::size_t m) {
    const auto a = static_cast<double>(n);
    const auto b = static_cast<double>(m);
    const double rank = a * b / 2 - 1.96 * std::sqrt(a * b * (a + b + 1) / 12);
    return rank < 1 ? 0 : static_cast<std::size_t>(rank);
}

std::vector<double> pairwise_changes_pct(const std::vector<double>& samples,
                                         const std::vector<double>& baseline) {
    std::vector<double> changes;
    changes.reserve(samples.size() * baseline.size());
    for (const double before : baseline) {
        for (const double after : samples) {
            changes.push_back((after / before - 1) * 100);
        }
    }
    std::sort(changes.begin(), changes.end());
    return changes;
}

verdict judge(const comparison& change, better direction, double margin_pct) {
    const double low = *change.ci_low_pct;
    const double high = *change.ci_high_pct;
    if (low >= -margin_pct && high <= margin_pct) {
        return verdict::same;
    }
    if (low <= 0 && high >= 0) {
        return verdict::inconclusive;
    }
    const bool good =
        direction == better::lower ? high < 0 : direction == better::higher && low > 0;
    return good ? verdict::improved : verdict::regressed;
}

} // namespace

sample_statistics describe(std::span<const double> samples) {
    const auto sorted = finite_sorted(samples);
    sample_statistics result;
    if (sorted.empty()) {
        return result;
    }
    result.n = sorted.size();
    result.min = sorted.front();
    result.median = quantile(sorted, 0.5);
    result.mean =
        std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
    result.p90 = quantile(sorted, 0.9);
    result.p99 = quantile(sorted, 0.99);
    result.max = sorted.back();
    result.stddev = standard_deviation(sorted, result.mean);
    result.mad = median_absolute_deviation(sorted, result.median);
    return result;
}

comparison compare(std::span<const double> samples, std::span<const double> baseline,
                   better direction, double margin_pct) {
    const auto after = finite_sorted(samples);
    const auto before = finite_sorted(baseline);
    comparison result;
    if (after.empty() || before.empty()) {
        return result;
    }
    if (after.front() == after.back() && after.front() == before.front() &&
        before.front() == before.back()) {
        result.delta_pct = 0;
        result.verdict = verdict::same;
        return result;
    }
    if (before.front() <= 0) {
        return result;
    }
    const auto changes = pairwise_changes_pct(after, before);
    result.delta_pct = quantile(changes, 0.5);
    constexpr std::size_t exact_up_to = 40;
    const bool exact = after.size() <= exact_up_to && before.size() <= exact_up_to;
    const std::size_t rank = exact ? exact_rank(after.size(), before.size())
                                   : approximate_rank(after.size(), before.size());
    if (rank != 0) {
        result.ci_low_pct = changes[rank - 1];
        result.ci_high_pct = changes[changes.size() - rank];
        result.verdict = judge(result, direction, margin_pct);
    }
    return result;
}

} // namespace muster
