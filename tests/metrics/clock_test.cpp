#include <muster/metrics/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>

using namespace muster;

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(clock)

BOOST_AUTO_TEST_CASE(steady_ticks_are_nanoseconds) {
    const auto clock = tick_clock::steady();
    BOOST_TEST(clock.source() == "steady_clock");
    BOOST_TEST(clock.to_nanos(0) == 0U);
    BOOST_TEST(clock.to_nanos(123'456'789'012) == 123'456'789'012U);
    BOOST_TEST(clock.to_nanos(UINT64_MAX) == UINT64_MAX);
}

BOOST_AUTO_TEST_CASE(every_instance_is_the_same_clock) {
    const tick_clock first;
    const tick_clock second;
    BOOST_TEST(first.source() == second.source());
    BOOST_TEST(first.to_nanos(1'000'000'000) == second.to_nanos(1'000'000'000));
}

BOOST_AUTO_TEST_CASE(readings_do_not_go_back_on_one_thread) {
    const tick_clock clock;
    std::uint64_t last = clock.now();
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t next = clock.now();
        BOOST_REQUIRE(next >= last);
        last = next;
    }
}

BOOST_AUTO_TEST_CASE(a_difference_the_wrong_way_round_is_nothing) {
    BOOST_TEST(tick_clock::between(10, 25) == 15U);
    BOOST_TEST(tick_clock::between(25, 10) == 0U);
}

BOOST_AUTO_TEST_CASE(ticks_agree_with_the_steady_clock) {
    // Both clocks measure the same stretch of computing; neither is waited for.
    const tick_clock clock;
    const auto steady_start = std::chrono::steady_clock::now();
    const std::uint64_t start = clock.now();
    for (int i = 0; i < 200'000; ++i) {
        static_cast<void>(clock.now());
    }
    const std::uint64_t stop = clock.now();
    const auto inside = clock.to_nanos(tick_clock::between(start, stop));
    const auto outside = std::chrono::steady_clock::now() - steady_start;
    BOOST_TEST(static_cast<double>(inside) <= 1.02 * static_cast<double>(outside.count()));
    BOOST_TEST(inside > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
