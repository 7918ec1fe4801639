#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "manual_loop.hpp"
#include "seeded_random.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {
BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(support)

BOOST_AUTO_TEST_CASE(loop_runs_one_handler_at_a_time_and_counts) {
    manual_loop loop;
    int ran = 0;
    asio::post(loop.context(), [&] { ++ran; });
    asio::post(loop.context(), [&] { ++ran; });
    BOOST_TEST(loop.run_one());
    BOOST_TEST(ran == 1);
    BOOST_TEST(loop.run_until_idle() == 1);
    BOOST_TEST(!loop.run_one());
    asio::post(loop.context(), [&] { ++ran; });
    BOOST_TEST(loop.run(5) == 1);
    BOOST_TEST(loop.handlers_run() == 3);
}

BOOST_AUTO_TEST_CASE(probe_records_error_executor_and_allocator) {
    manual_loop loop;
    handler_probe<> probe;
    asio::cancellation_signal signal;
    allocation_counts counts;
    asio::steady_timer timer{loop.context(), asio::steady_timer::time_point::max()};
    timer.async_wait(asio::bind_allocator(counting_allocator<char>{counts},
                                          probe.bound(loop.get_executor(), signal.slot())));
    loop.run_until_idle();
    BOOST_TEST(probe.calls() == 0);
    signal.emit(asio::cancellation_type::total);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.error() == asio::error::operation_aborted);
    BOOST_TEST(probe.ran_on_executor());
    BOOST_TEST(counts.allocations > 0);
    BOOST_TEST(counts.live_bytes == 0);
}

BOOST_AUTO_TEST_CASE(probe_tells_an_abandoned_handler_from_a_called_one) {
    handler_probe<int> probe;
    { auto dropped = probe.handler(); }
    BOOST_TEST(probe.abandoned() == 1);
    probe.handler()({}, 7);
    BOOST_TEST(probe.result() == 7);
    BOOST_TEST(probe.abandoned() == 1);
}

BOOST_AUTO_TEST_CASE(destroy_after_walks_through_the_whole_scenario) {
    handler_probe<> probe;
    const auto steps = destroy_after_every_nth_handler([&](manual_loop& loop) {
        auto timer = std::make_unique<asio::steady_timer>(loop.context());
        asio::post(loop.context(), [&timer = *timer, handler = probe.handler()]() mutable {
            timer.async_wait(std::move(handler));
            timer.cancel();
        });
        return timer;
    });
    BOOST_TEST(steps == 2);
    // Twice each, for it is walked through in steps of both sizes.
    BOOST_TEST(probe.calls() == 2 * 2);
    BOOST_TEST(probe.abandoned() == 2 * 2);
}

BOOST_AUTO_TEST_CASE(random_replays_from_its_seed) {
    seeded_random first;
    seeded_random second{first.seed()};
    for (int i = 0; i < 100; ++i) {
        BOOST_TEST(first.below(1000) == second.below(1000));
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
