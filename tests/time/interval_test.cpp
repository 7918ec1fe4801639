#include <muster/time/interval.hpp>

#include "../support/handler_probe.hpp"
#include "../support/manual_loop.hpp"
#include "../support/virtual_clock.hpp"

#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>

namespace muster::test {
namespace {

using namespace std::chrono_literals;
using asio::error::operation_aborted;

struct fixture {
    manual_loop loop;
    virtual_clock clock{loop.context()};
    std::optional<wheel_service> service{std::in_place, clock};
    wheel_service::time_point start = clock.now();
    handler_probe<interval_tick> probe;

    /// Waits for a tick while `span` passes, and requires it to be the one due at `due`.
    void require_tick(interval& ticks, wheel_service::duration span, wheel_service::duration due,
                      std::uint64_t missed = 0) {
        const auto calls = probe.calls();
        ticks.async_tick(probe.handler());
        clock.advance(span);
        BOOST_TEST_REQUIRE(probe.calls() == calls + 1);
        BOOST_TEST(!probe.error());
        BOOST_TEST((probe.result().due - start == due));
        BOOST_TEST(probe.result().missed == missed);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(time)
BOOST_FIXTURE_TEST_SUITE(interval_ticks, fixture)

BOOST_AUTO_TEST_CASE(ticks_come_at_a_fixed_cadence_that_does_not_drift) {
    interval ticks{*service, 25ms};
    require_tick(ticks, 25ms, 25ms);
    clock.advance(10ms); // a slow consumer
    require_tick(ticks, 15ms, 50ms);
    clock.advance(24ms);
    require_tick(ticks, 1ms, 75ms);
}

BOOST_AUTO_TEST_CASE(a_period_that_is_no_multiple_of_the_wheels_tick_does_not_drift_either) {
    interval ticks{*service, 2500us};
    require_tick(ticks, 3ms, 2500us);
    require_tick(ticks, 2ms, 5ms);
    require_tick(ticks, 3ms, 7500us);
    require_tick(ticks, 2ms, 10ms);
}

BOOST_AUTO_TEST_CASE(skip_leaves_missed_ticks_out_and_keeps_the_phase) {
    interval ticks{*service, 10ms};
    clock.advance(35ms);
    require_tick(ticks, 1ms, 30ms, 2);
    require_tick(ticks, 4ms, 40ms);
}

BOOST_AUTO_TEST_CASE(delay_starts_the_cadence_anew_from_the_late_tick) {
    interval ticks{*service, 10ms, missed_ticks::delay};
    clock.advance(35ms);
    require_tick(ticks, 0ms, 10ms, 2);
    require_tick(ticks, 10ms, 45ms);
    require_tick(ticks, 10ms, 55ms);
}

BOOST_AUTO_TEST_CASE(a_tick_that_is_only_a_little_late_moves_nothing) {
    for (const auto policy : {missed_ticks::skip, missed_ticks::delay}) {
        interval ticks{*service, 10ms, policy};
        start = clock.now();
        clock.advance(14ms);
        require_tick(ticks, 1ms, 10ms);
        require_tick(ticks, 5ms, 20ms);
    }
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_does_not_lose_its_tick) {
    interval ticks{*service, 10ms};
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                            asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        ticks.async_tick(probe.bound(signal.slot()));
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST(probe.error() == operation_aborted);
    }
    ticks.async_tick(probe.handler());
    BOOST_TEST(ticks.cancel() == 1U);
    loop.run_until_idle();
    BOOST_TEST(probe.calls() == 4U);
    require_tick(ticks, 10ms, 10ms);
}

BOOST_AUTO_TEST_CASE(a_restarted_interval_ticks_first_at_the_given_point) {
    interval ticks{*service, 10ms};
    ticks.async_tick(probe.handler());
    ticks.restart_at(start + 3ms);
    loop.run_until_idle();
    BOOST_TEST(probe.error() == operation_aborted);
    require_tick(ticks, 3ms, 3ms);
    require_tick(ticks, 10ms, 13ms);
}

BOOST_AUTO_TEST_CASE(a_period_beyond_all_time_never_ends) {
    for (const auto policy : {missed_ticks::skip, missed_ticks::delay}) {
        interval ticks{*service, wheel_service::duration::max(), policy};
        start = clock.now();
        const auto calls = probe.calls();
        ticks.async_tick(probe.handler());
        clock.advance(1000h);
        BOOST_TEST(probe.calls() == calls);
        ticks.restart_at(start);
        clock.advance(0ms); // the wait is aborted
        require_tick(ticks, 0ms, 0ms);
        ticks.async_tick(probe.handler());
        clock.advance(1000h);
        BOOST_TEST(probe.calls() == calls + 2);
        ticks.cancel();
        clock.advance(0ms);
    }
}

BOOST_AUTO_TEST_CASE(a_tick_completes_on_the_handlers_executor) {
    interval ticks{*service, 10ms};
    auto strand = asio::make_strand(loop.get_executor());
    ticks.async_tick(probe.bound(strand));
    clock.advance(10ms);
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.ran_on_executor());
}

BOOST_AUTO_TEST_CASE(destruction_aborts_the_wait) {
    std::optional<interval> ticks{std::in_place, *service, 10ms};
    ticks->async_tick(probe.handler());
    ticks.reset();
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.error() == operation_aborted);
    ticks.emplace(*service, 10ms);
    ticks->async_tick(probe.handler());
    service.reset();
    loop.run_until_idle();
    BOOST_TEST(probe.calls() == 2U);
    BOOST_TEST(probe.error() == operation_aborted);
}

BOOST_AUTO_TEST_CASE(an_interval_may_be_destroyed_between_expiry_and_completion) {
    std::optional<interval> ticks{std::in_place, *service, 10ms};
    ticks->async_tick(probe.handler());
    clock.advance(9ms);
    clock.stall(1ms);
    ticks->async_tick([](auto, auto) {});
    ticks.reset();
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
