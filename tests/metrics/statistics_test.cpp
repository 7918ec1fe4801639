#include <muster/metrics/statistics.hpp>

#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace muster;

namespace {

constexpr double tolerance = 1e-9;

bool close(double left, double right) {
    return std::abs(left - right) < tolerance;
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(statistics)

BOOST_AUTO_TEST_CASE(known_samples_have_known_statistics) {
    // Checked against NumPy: quantiles of type 7, standard deviation with n - 1.
    const std::vector<double> samples{9, 2, 5, 4, 12, 7, 8, 11, 9, 3};
    const auto found = describe(samples);
    BOOST_TEST(found.n == 10U);
    BOOST_TEST(found.min == 2);
    BOOST_TEST(close(found.median, 7.5));
    BOOST_TEST(close(found.mean, 7));
    BOOST_TEST(close(found.p90, 11.1));
    BOOST_TEST(close(found.p99, 11.91));
    BOOST_TEST(found.max == 12);
    BOOST_TEST(close(found.stddev.value(), std::sqrt(104.0 / 9)));
    BOOST_TEST(close(found.mad, 3));
}

BOOST_AUTO_TEST_CASE(one_sample_has_no_deviation_from_itself) {
    const std::vector<double> samples{3.5};
    const auto found = describe(samples);
    BOOST_TEST(found.n == 1U);
    BOOST_TEST(found.median == 3.5);
    BOOST_TEST(found.p99 == 3.5);
    BOOST_TEST(!found.stddev);
    BOOST_TEST(found.mad == 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_left_out) {
    const std::vector<double> samples{std::numeric_limits<double>::quiet_NaN(), 1,
                                      std::numeric_limits<double>::infinity(), 3};
    const auto found = describe(samples);
    BOOST_TEST(found.n == 2U);
    BOOST_TEST(found.max == 3);
    BOOST_TEST(describe({}).n == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(comparisons)

BOOST_AUTO_TEST_CASE(equal_samples_are_the_same_however_few) {
    const std::vector<double> one{400};
    const auto result = compare(one, one, better::neither);
    BOOST_TEST((result.verdict == verdict::same));
    BOOST_TEST((result.delta_pct == 0.0));
    BOOST_TEST(!result.ci_low_pct);
}

BOOST_AUTO_TEST_CASE(three_against_three_cannot_be_told_apart) {
    const std::vector<double> before{100, 101, 102};
    const std::vector<double> after{10, 11, 12};
    const auto result = compare(after, before, better::lower);
    BOOST_TEST((result.verdict == verdict::inconclusive));
    BOOST_TEST(result.delta_pct.value() < -80);
    BOOST_TEST(!result.ci_low_pct);
}

BOOST_AUTO_TEST_CASE(four_against_four_apart_are_told_apart) {
    const std::vector<double> before{100, 101, 102, 103};
    const std::vector<double> after{50, 51, 52, 53};
    BOOST_TEST((compare(after, before, better::lower).verdict == verdict::improved));
    BOOST_TEST((compare(after, before, better::higher).verdict == verdict::regressed));
    BOOST_TEST((compare(after, before, better::neither).verdict == verdict::regressed));
    BOOST_TEST((compare(before, after, better::higher).verdict == verdict::improved));
}

BOOST_AUTO_TEST_CASE(the_interval_is_the_one_of_the_rank_test) {
    // Five against five: the exact test leaves out two pairs on each side (P(U <= 2) = 4/252), so
    // the interval goes from the third smallest change to the third largest.
    const std::vector<double> before{100, 100, 100, 100, 100};
    const std::vector<double> after{101, 102, 103, 104, 105};
    const auto result = compare(after, before, better::lower);
    BOOST_TEST(close(result.delta_pct.value(), 3));
    BOOST_TEST(close(result.ci_low_pct.value(), 1));
    BOOST_TEST(close(result.ci_high_pct.value(), 5));
    BOOST_TEST((compare(after, before, better::lower, 6).verdict == verdict::same));
    BOOST_TEST((compare(after, before, better::lower, 1).verdict == verdict::regressed));
}

BOOST_AUTO_TEST_CASE(a_wide_interval_around_nothing_is_inconclusive) {
    const std::vector<double> before{50, 80, 100, 120, 150};
    const std::vector<double> after{55, 85, 90, 130, 140};
    BOOST_TEST((compare(after, before, better::lower).verdict == verdict::inconclusive));
}

BOOST_AUTO_TEST_CASE(a_baseline_of_zero_allows_no_ratio) {
    const std::vector<double> before{0, 0, 0, 0};
    const std::vector<double> after{1, 1, 1, 1};
    const auto result = compare(after, before, better::lower);
    BOOST_TEST((result.verdict == verdict::inconclusive));
    BOOST_TEST(!result.delta_pct);
    BOOST_TEST((compare({}, before, better::lower).verdict == verdict::inconclusive));
}

BOOST_AUTO_TEST_CASE(the_interval_covers_the_truth_as_often_as_it_says) {
    test::seeded_random random;
    std::normal_distribution<double> noise{100, 10};
    constexpr int rounds = 1'000;
    int covered = 0;
    for (int round = 0; round < rounds; ++round) {
        std::vector<double> before(8);
        std::vector<double> after(8);
        for (auto* side : {&before, &after}) {
            for (double& sample : *side) {
                sample = noise(random);
            }
        }
        const auto result = compare(after, before, better::lower);
        covered += *result.ci_low_pct <= 0 && *result.ci_high_pct >= 0 ? 1 : 0;
    }
    BOOST_TEST(covered > rounds * 92 / 100);
}

BOOST_AUTO_TEST_CASE(many_samples_use_the_approximation_and_agree) {
    std::vector<double> before;
    std::vector<double> after;
    for (int i = 0; i < 60; ++i) {
        before.push_back(100 + i % 7);
        after.push_back(120 + i % 5);
    }
    const auto result = compare(after, before, better::lower);
    BOOST_TEST((result.verdict == verdict::regressed));
    BOOST_TEST(result.ci_low_pct.value() > 10);
    BOOST_TEST(result.ci_high_pct.value() < 25);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
