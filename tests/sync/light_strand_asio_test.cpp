#include <muster/sync/light_strand.hpp>

#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "manual_loop.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(light_strand_with_asio)

BOOST_AUTO_TEST_CASE(converts_to_any_io_executor_and_runs_there) {
    manual_loop loop;
    light_strand strand{loop.context()};
    asio::any_io_executor any = strand;
    std::string order;
    asio::post(any, [&] {
        BOOST_TEST(strand.running_in_this_thread());
        asio::post(any, [&] { order += 'p'; });
        asio::dispatch(any, [&] { order += 'd'; });
    });
    loop.run_until_idle();
    BOOST_TEST(order == "dp");
    BOOST_TEST((*any.target<light_strand>() == strand));
}

BOOST_AUTO_TEST_CASE(works_over_any_io_executor) {
    manual_loop loop;
    basic_light_strand<asio::any_io_executor> strand{
        asio::any_io_executor{loop.context().get_executor()}};
    std::string order;
    asio::post(strand, [&] {
        asio::post(strand, [&] { order += 'p'; });
        asio::dispatch(strand, [&] { order += 'd'; });
    });
    asio::post(loop.context(), [&] { asio::dispatch(strand, [&] { order += 'q'; }); });
    loop.run_until_idle();
    BOOST_TEST(order == "dpq");
}

BOOST_AUTO_TEST_CASE(timers_bound_to_it_complete_on_it) {
    manual_loop loop;
    light_strand strand{loop.context()};
    handler_probe<> bound;
    handler_probe<> own;
    asio::steady_timer timer{loop.context(), asio::steady_timer::time_point::min()};
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, light_strand>
        strand_timer{strand, asio::steady_timer::time_point::min()};
    bool inside = false;
    own.then([&] { inside = strand.running_in_this_thread(); });
    timer.async_wait(bound.bound(strand));
    strand_timer.async_wait(own.handler());
    loop.run_until_idle();
    BOOST_TEST(bound.called_once());
    BOOST_TEST(bound.ran_on_executor());
    BOOST_TEST(own.called_once());
    BOOST_TEST(inside);
}

BOOST_AUTO_TEST_CASE(coroutines_run_on_it_and_read_descriptors_opened_on_it) {
    using descriptor = asio::posix::basic_stream_descriptor<light_strand>;
    const auto setup = [](manual_loop& loop) {
        light_strand strand{loop.context()};
        std::array<int, 2> ends{};
        BOOST_REQUIRE(::pipe(ends.data()) == 0);
        auto reader = std::make_shared<descriptor>(strand, ends[0]);
        auto writer = std::make_shared<descriptor>(strand, ends[1]);
        auto echoed = std::make_shared<std::string>();
        const auto read = [](auto from, auto into) -> asio::awaitable<void, light_strand> {
            const auto executor = co_await asio::this_coro::executor;
            BOOST_TEST(executor.running_in_this_thread());
            std::array<char, 4> bytes{};
            for (int i = 0; i < 3; ++i) {
                auto operation = asio::async_read(*from, asio::buffer(bytes), asio::deferred);
                co_await std::move(operation);
                into->append(bytes.data(), bytes.size());
            }
        };
        const auto write = [](auto to) -> asio::awaitable<void, light_strand> {
            const std::string_view text = "ping";
            for (int i = 0; i < 3; ++i) {
                auto operation = asio::async_write(*to, asio::buffer(text), asio::deferred);
                co_await std::move(operation);
            }
        };
        asio::co_spawn(strand, read(reader, echoed), asio::detached);
        asio::co_spawn(strand, write(writer), asio::detached);
        return echoed;
    };
    manual_loop loop;
    const auto echoed = setup(loop);
    loop.run_until_idle();
    BOOST_TEST(*echoed == "pingpingping");
    BOOST_TEST(destroy_after_every_nth_handler(setup) > 2U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) > 2U);
}

BOOST_AUTO_TEST_CASE(a_coroutine_is_cancelled_through_its_slot) {
    manual_loop loop;
    light_strand strand{loop.context()};
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    const auto sleep = [](light_strand on) -> asio::awaitable<void, light_strand> {
        asio::steady_timer timer{on, asio::steady_timer::time_point::max()};
        co_await timer.async_wait(asio::deferred);
    };
    asio::co_spawn(strand, sleep(strand),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr error) { failure = error; }));
    loop.run_until_idle();
    BOOST_TEST(!failure);
    asio::post(strand, [&] { signal.emit(asio::cancellation_type::terminal); });
    loop.run_until_idle();
    BOOST_TEST(!!failure);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
