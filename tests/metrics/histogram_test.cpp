#include <muster/metrics/histogram.hpp>

#include "seeded_random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

using namespace muster;

namespace {

std::uint64_t exact_quantile(const std::vector<std::uint64_t>& sorted, double fraction) {
    const auto rank = std::ceil(fraction * static_cast<double>(sorted.size()));
    const auto index = std::clamp<std::size_t>(static_cast<std::size_t>(rank), 1, sorted.size());
    return sorted[index - 1];
}

bool within_one_percent(std::uint64_t observed, std::uint64_t exact) {
    const auto difference = observed > exact ? observed - exact : exact - observed;
    return static_cast<double>(difference) <= 0.01 * static_cast<double>(exact);
}

void expect_close(const histogram& subject, std::vector<std::uint64_t> values) {
    std::sort(values.begin(), values.end());
    BOOST_TEST(subject.count() == values.size());
    BOOST_TEST(subject.min() == values.front());
    BOOST_TEST(subject.max() == values.back());
    for (const double fraction : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto exact = exact_quantile(values, fraction);
        const auto observed = subject.quantile(fraction);
        BOOST_TEST(within_one_percent(observed, exact),
                   "quantile " << fraction << ": " << observed << " for " << exact);
    }
}

/// Values of every magnitude.
std::uint64_t any_magnitude(test::seeded_random& random) {
    return random() >> random.below(64);
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(histograms)

BOOST_AUTO_TEST_CASE(an_empty_one_says_nothing) {
    const histogram empty;
    BOOST_TEST(empty.count() == 0U);
    BOOST_TEST(empty.min() == 0U);
    BOOST_TEST(empty.max() == 0U);
    BOOST_TEST(empty.quantile(0.5) == 0U);
    BOOST_TEST((empty.summary(tick_clock::steady()) == histogram_summary{}));
}

BOOST_AUTO_TEST_CASE(fractions_beyond_the_range_count_as_its_ends) {
    histogram subject;
    for (const std::uint64_t value : {1U, 2U, 3U}) {
        subject.record(value);
    }
    BOOST_TEST(subject.quantile(-1) == 1U);
    BOOST_TEST(subject.quantile(std::numeric_limits<double>::quiet_NaN()) == 1U);
    BOOST_TEST(subject.quantile(2) == 3U);
    BOOST_TEST(subject.quantile(std::numeric_limits<double>::infinity()) == 3U);
}

BOOST_AUTO_TEST_CASE(buckets_are_in_order_and_their_middles_are_their_own) {
    for (std::size_t i = 0; i < histogram::bucket_count; ++i) {
        BOOST_REQUIRE(histogram::bucket_of(histogram::middle_of(i)) == i);
        BOOST_REQUIRE((i == 0 || histogram::middle_of(i) > histogram::middle_of(i - 1)));
    }
    BOOST_TEST(histogram::bucket_of(UINT64_MAX) == histogram::bucket_count - 1);
}

BOOST_AUTO_TEST_CASE(every_boundary_is_within_one_percent_of_its_bucket) {
    for (unsigned bit = 0; bit < 64; ++bit) {
        const std::uint64_t power = std::uint64_t{1} << bit;
        for (const std::uint64_t value : {power - 1, power, power + 1}) {
            const auto stands_for = histogram::middle_of(histogram::bucket_of(value));
            BOOST_TEST(within_one_percent(stands_for, value), value);
        }
    }
}

BOOST_AUTO_TEST_CASE(quantiles_are_within_one_percent_of_the_exact_ones) {
    test::seeded_random random;
    for (int round = 0; round < 20; ++round) {
        const auto subject = std::make_unique<histogram>();
        std::vector<std::uint64_t> values(1 + random.below(5'000));
        const bool narrow = random.chance(1, 2);
        for (auto& value : values) {
            value = narrow ? 1'000 + random.below(3'000) : any_magnitude(random);
            subject->record(value);
        }
        expect_close(*subject, values);
    }
}

BOOST_AUTO_TEST_CASE(merging_equals_recording_everything_in_one) {
    test::seeded_random random;
    const auto left = std::make_unique<histogram>();
    const auto right = std::make_unique<histogram>();
    std::vector<std::uint64_t> values(4'000);
    for (auto& value : values) {
        value = any_magnitude(random);
        (random.chance(1, 3) ? left : right)->record(value);
    }
    left->merge(*right);
    expect_close(*left, values);
}

BOOST_AUTO_TEST_CASE(merging_an_empty_one_changes_nothing) {
    const auto subject = std::make_unique<histogram>();
    const auto empty = std::make_unique<histogram>();
    subject->record(17);
    subject->merge(*empty);
    BOOST_TEST(subject->count() == 1U);
    BOOST_TEST(subject->min() == 17U);
    empty->merge(*subject);
    BOOST_TEST(empty->min() == 17U);
}

BOOST_AUTO_TEST_CASE(a_repeated_value_counts_as_often_as_it_was_recorded) {
    histogram subject;
    subject.record(100, 40);
    subject.record(7, 0);
    BOOST_TEST(subject.count() == 40U);
    BOOST_TEST(subject.min() == 100U);
    BOOST_TEST(subject.summary(tick_clock::steady()).mean_ns == 100U);
}

BOOST_AUTO_TEST_CASE(summaries_are_in_nanoseconds_of_the_clock) {
    const tick_clock clock;
    histogram subject;
    subject.record(10'000);
    subject.record(30'000);
    const auto summary = subject.summary(clock);
    BOOST_TEST(summary.count == 2U);
    BOOST_TEST(summary.min_ns == clock.to_nanos(10'000));
    BOOST_TEST(summary.max_ns == clock.to_nanos(30'000));
    BOOST_TEST(within_one_percent(summary.mean_ns, clock.to_nanos(20'000)));
}

BOOST_AUTO_TEST_CASE(a_reader_may_look_while_another_thread_records) {
    histogram subject;
    std::atomic<bool> finished{false};
    std::uint64_t outside = 0;
    std::thread reader{[&] {
        while (!finished.load(std::memory_order_relaxed)) {
            const auto median = subject.quantile(0.5);
            outside += median > 2'048 ? 1 : 0;
        }
    }};
    for (std::uint64_t i = 0; i < 50'000; ++i) {
        subject.record(1'000 + i % 1'000);
    }
    finished.store(true, std::memory_order_relaxed);
    reader.join();
    BOOST_TEST(outside == 0U);
    BOOST_TEST(subject.count() == 50'000U);
}

BOOST_AUTO_TEST_CASE(threads_record_side_by_side_and_are_summed_up) {
    shared_latencies latencies;
    const auto record = [&] {
        for (int i = 0; i < 10'000; ++i) {
            latencies.record(latency::dispatch, 50);
        }
    };
    std::thread other{record};
    record();
    other.join();
    const auto all = latencies.summaries(tick_clock::steady());
    BOOST_TEST(all[static_cast<std::size_t>(latency::dispatch)].count == 20'000U);
    BOOST_TEST(all[static_cast<std::size_t>(latency::checkpoint_send)].count == 0U);
}

BOOST_AUTO_TEST_CASE(two_runtimes_on_one_thread_keep_their_latencies_apart) {
    auto first = std::make_unique<shared_latencies>();
    const auto second = std::make_unique<shared_latencies>();
    for (int i = 0; i < 10; ++i) {
        first->record(latency::dispatch, 1);
        second->record(latency::dispatch, 1);
    }
    first.reset();
    const auto third = std::make_unique<shared_latencies>(); // may have the first one's address
    third->record(latency::dispatch, 1);
    BOOST_TEST(second->summaries(tick_clock::steady())[0].count == 10U);
    BOOST_TEST(third->summaries(tick_clock::steady())[0].count == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
