#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace muster {

/// What a set of samples says about itself, in the samples' unit.
struct sample_statistics {
    std::size_t n = 0; ///< if 0, all others are 0
    double min = 0;
    double median = 0;
    double mean = 0;
    double p90 = 0;
    double p99 = 0;
    double max = 0;
    std::optional<double> stddev; ///< of the sample (n - 1); nothing for fewer than two
    double mad = 0;               ///< median absolute deviation from the median, not scaled
};

/// Samples that are not finite are left out. Quantiles are interpolated linearly between the
/// neighbouring samples (Hyndman and Fan's type 7, as NumPy's default). O(n log n), one allocation.
[[nodiscard]] sample_statistics describe(std::span<const double> samples);

/// What became of a metric since a baseline.
enum class verdict { improved, same, regressed, inconclusive };

/// Which way a metric gets better.
enum class better { lower, higher, neither };

/// How much samples differ from a baseline's, relative to the baseline.
struct comparison {
    std::optional<double> delta_pct;   ///< typical difference; nothing if it is not defined
    std::optional<double> ci_low_pct;  ///< of a 95 % confidence interval, where the samples are
    std::optional<double> ci_high_pct; ///< enough for one (four against four)
    muster::verdict verdict = muster::verdict::inconclusive;
};

/// Compares `samples` with `baseline`: the Hodges–Lehmann estimate over all pairs' ratios, with
/// the confidence interval that inverts the Mann–Whitney rank test (exact up to 40 samples a side,
/// its normal approximation beyond).
///
/// `same`: the whole interval is within `margin_pct` of no change (or all samples are equal).
/// `improved`, `regressed`: the interval excludes no change; a metric for which neither direction
/// is better never improves, so any such change is a regression. Otherwise `inconclusive`, also
/// when there are too few samples or a baseline sample is not positive. Deterministic.
[[nodiscard]] comparison compare(std::span<const double> samples, std::span<const double> baseline,
                                 better direction, double margin_pct = 5);

} // namespace muster
