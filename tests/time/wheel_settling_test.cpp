#include <muster/time/wheel_timer.hpp>

#include "../support/handler_probe.hpp"
#include "../support/manual_loop.hpp"
#include "../support/virtual_clock.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

// How waits that are over complete together on the service's executor.
namespace muster::test {
namespace {

using namespace std::chrono_literals;

struct fixture {
    std::unique_ptr<manual_loop> loop = std::make_unique<manual_loop>();
    std::optional<virtual_clock> clock{std::in_place, loop->context()};
    std::optional<wheel_service> service{std::in_place, *clock};
    std::vector<std::unique_ptr<wheel_timer>> timers;
    handler_probe<> probe;

    /// `count` timers, each with one wait, all at the same time.
    void wait(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            timers.push_back(std::make_unique<wheel_timer>(*service, 5ms));
            timers.back()->async_wait(probe.handler());
        }
    }
    void cancel_all() {
        for (const auto& each : timers) {
            each->cancel();
        }
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(time)
BOOST_FIXTURE_TEST_SUITE(settling, fixture)

BOOST_AUTO_TEST_CASE(waits_that_are_cancelled_one_by_one_complete_with_one_post) {
    wait(100);
    cancel_all();
    BOOST_TEST(probe.calls() == 0U);
    BOOST_TEST(loop->run_one());
    BOOST_TEST(probe.calls() == 100U);
    BOOST_TEST(!loop->run_one());
}

BOOST_AUTO_TEST_CASE(so_many_that_others_would_wait_complete_in_several_turns) {
    wait(2'500);
    cancel_all();
    BOOST_TEST(loop->run_one());
    BOOST_TEST(probe.calls() == 1'024U);
    BOOST_TEST(loop->run_until_idle() == 2U);
    BOOST_TEST(probe.calls() == 2'500U);
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_keeps_nobody_else_from_completing) {
    wait(1);
    timers.push_back(std::make_unique<wheel_timer>(*service, 5ms));
    timers.back()->async_wait(
        [](const boost::system::error_code&) { throw std::runtime_error{"thrown on purpose"}; });
    wait(2);
    cancel_all();
    BOOST_CHECK_THROW(loop->run_until_idle(), std::runtime_error);
    BOOST_TEST(probe.calls() == 1U);
    loop->run_until_idle();
    BOOST_TEST(probe.calls() == 3U);
}

BOOST_AUTO_TEST_CASE(a_handler_with_another_executor_completes_there) {
    const auto strand = asio::make_strand(loop->context());
    timers.push_back(std::make_unique<wheel_timer>(*service, 5ms));
    timers.back()->async_wait(probe.bound(strand));
    wait(1);
    cancel_all();
    loop->run_until_idle();
    BOOST_TEST(probe.calls() == 2U);
    handler_probe<> expired;
    timers.front()->expires_after(1ms);
    timers.front()->async_wait(expired.bound(strand));
    clock->advance(1ms);
    BOOST_TEST(expired.called_once());
    BOOST_TEST(expired.ran_on_executor());
}

BOOST_AUTO_TEST_CASE(what_expires_completes_in_the_order_of_its_waits) {
    std::vector<int> order;
    for (int i = 0; i < 10; ++i) {
        timers.push_back(std::make_unique<wheel_timer>(*service, 5ms));
        timers.back()->async_wait([&order, i](const auto&) { order.push_back(i); });
    }
    clock->advance(5ms);
    BOOST_TEST_REQUIRE(order.size() == 10U);
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(order[static_cast<std::size_t>(i)] == i);
    }
}

BOOST_AUTO_TEST_CASE(a_wait_that_a_completing_handler_starts_does_not_complete_within_it) {
    std::size_t inside = 99;
    handler_probe<> second;
    timers.push_back(std::make_unique<wheel_timer>(*service, 5ms));
    timers.back()->async_wait([&](const auto&) {
        timers.back()->expires_after(-1ms);
        timers.back()->async_wait(second.handler());
        inside = second.calls();
    });
    clock->advance(5ms);
    BOOST_TEST(inside == 0U);
    BOOST_TEST(second.called_once());
}

BOOST_AUTO_TEST_CASE(a_context_that_dies_destroys_what_was_to_complete) {
    wait(3);
    cancel_all();
    timers.clear();
    service.reset();
    clock.reset();
    loop.reset();
    BOOST_TEST(probe.calls() == 0U);
    BOOST_TEST(probe.abandoned() == 3U);
}

BOOST_AUTO_TEST_CASE(a_context_that_dies_destroys_what_still_waits) {
    wait(2); // nothing has been posted
    loop.reset();
    BOOST_TEST(probe.calls() == 0U);
    BOOST_TEST(probe.abandoned() == 2U);
    timers.clear();
    service.reset();
}

BOOST_AUTO_TEST_CASE(a_context_that_dies_before_the_service_destroys_it_too) {
    wait(3);
    cancel_all();
    wait(2); // these still wait
    loop.reset();
    BOOST_TEST(probe.calls() == 0U);
    BOOST_TEST(probe.abandoned() == 5U);
    timers.clear();
    service.reset();
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
