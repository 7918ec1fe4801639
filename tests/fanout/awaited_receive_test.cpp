#include <muster/fanout/broadcast.hpp>

#include <handler_probe.hpp>
#include <manual_loop.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(awaited_receive)

namespace {

namespace asio = boost::asio;
namespace sys = boost::system;

using muster::errc;
using muster::subscribe_options;
using muster::test::handler_probe;
using muster::test::manual_loop;
using channel_type = muster::broadcast<int>;
using subscription_type = channel_type::subscription_type;

struct fixture {
    manual_loop loop;
    std::optional<channel_type> channel{std::in_place, loop.get_executor()};

    subscription_type subscribe(std::uint64_t capacity = 1024) {
        return channel->subscribe(subscribe_options{"reader", capacity});
    }
    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            channel->publish(i);
        }
    }
    /// How many handlers it takes until `work` has ended.
    std::size_t handlers_of(asio::awaitable<void> work) {
        bool ended = false;
        asio::co_spawn(loop.context(), std::move(work), [&](std::exception_ptr) { ended = true; });
        const auto count = loop.run_until_idle();
        BOOST_TEST(ended);
        return count;
    }
};

asio::awaitable<void> take(subscription_type& from, int count, std::vector<int>& taken) {
    for (int i = 0; i < count; ++i) {
        const auto next = co_await from.async_receive();
        taken.push_back(next.value);
    }
}

asio::awaitable<void> take_batches(subscription_type& from, std::size_t count, std::size_t& taken) {
    while (taken < count) {
        const auto batch = co_await from.async_receive_batch();
        taken += batch.size();
    }
}

asio::awaitable<void> take_as_tuple(subscription_type& from, std::vector<sys::error_code>& codes) {
    do {
        const auto [ec, next] = co_await from.async_receive(asio::as_tuple(asio::deferred));
        codes.push_back(ec);
    } while (!codes.back());
}

asio::awaitable<void> fail(subscription_type& from, sys::error_code& code) {
    try {
        for (;;) {
            co_await from.async_receive();
        }
    } catch (const sys::system_error& e) {
        code = e.code();
    }
}

} // namespace

BOOST_FIXTURE_TEST_CASE(what_is_there_is_taken_without_a_hop, fixture) {
    auto reader = subscribe();
    std::vector<int> taken;
    publish(1);
    const auto for_one = handlers_of(take(reader, 1, taken));
    publish(50);
    BOOST_TEST(handlers_of(take(reader, 50, taken)) == for_one);
    BOOST_TEST(taken.size() == 51U);
}

BOOST_FIXTURE_TEST_CASE(batches_are_taken_without_a_hop, fixture) {
    auto reader = subscribe();
    std::size_t taken = 0;
    publish(1);
    const auto for_one = handlers_of(take_batches(reader, 1, taken));
    publish(500); // several segments
    taken = 0;
    BOOST_TEST(handlers_of(take_batches(reader, 500, taken)) == for_one);
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_always_finds_something_lets_others_run_now_and_then,
                        fixture) {
    auto reader = subscribe();
    publish(1000);
    std::vector<int> taken;
    asio::co_spawn(loop.context(), take(reader, 1000, taken), asio::detached);
    std::size_t seen_by_other = 0;
    asio::post(loop.context(), [&] { seen_by_other = taken.size(); });
    loop.run_until_idle();
    BOOST_TEST(taken.size() == 1000U);
    BOOST_TEST(seen_by_other > 0U);
    BOOST_TEST(seen_by_other <= 128U);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        BOOST_TEST_REQUIRE(taken[i] == static_cast<int>(i));
    }
}

BOOST_FIXTURE_TEST_CASE(what_is_not_there_is_waited_for, fixture) {
    auto reader = subscribe();
    std::vector<int> taken;
    asio::co_spawn(loop.context(), take(reader, 2, taken), asio::detached);
    loop.run_until_idle();
    BOOST_TEST(reader.info().waiting);
    publish(2);
    loop.run_until_idle();
    BOOST_TEST(taken.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_was_waited_for_is_counted_like_what_was_there, fixture) {
    auto reader = subscribe();
    std::vector<int> taken;
    asio::co_spawn(loop.context(), take(reader, 3, taken), asio::detached);
    for (int i = 0; i < 3; ++i) { // each is waited for
        loop.run_until_idle();
        channel->publish(i, 10);
    }
    loop.run_until_idle();
    BOOST_TEST((taken == std::vector<int>{0, 1, 2}));
    const auto info = reader.info();
    BOOST_TEST(info.delivered_events == 3U);
    BOOST_TEST(info.delivered_bytes == 30U);
    BOOST_TEST(info.unread_events == 0U);
    BOOST_TEST(info.polls == 3U); // a wait is one receive, tried or not
}

BOOST_FIXTURE_TEST_CASE(a_subscription_may_move_while_a_coroutine_waits_in_it, fixture) {
    auto reader = std::make_optional(subscribe());
    std::vector<int> taken;
    asio::co_spawn(loop.context(), take(*reader, 1, taken), asio::detached);
    loop.run_until_idle();
    auto moved = std::move(*reader);
    publish(2);
    loop.run_until_idle();
    BOOST_TEST((taken == std::vector<int>{0}));
    sys::error_code ec;
    BOOST_TEST(moved.try_receive(ec).value == 1);
    BOOST_TEST(!ec);
}

BOOST_FIXTURE_TEST_CASE(an_event_that_is_waited_for_across_a_segments_end_arrives, fixture) {
    auto reader = subscribe();
    std::vector<int> taken;
    asio::co_spawn(loop.context(), take(reader, 200, taken), asio::detached);
    for (int i = 0; i < 200; ++i) {
        loop.run_until_idle();
        channel->publish(i);
    }
    loop.run_until_idle();
    BOOST_TEST_REQUIRE(taken.size() == 200U);
    for (int i = 0; i < 200; ++i) {
        BOOST_TEST_REQUIRE(taken[static_cast<std::size_t>(i)] == i);
    }
}

BOOST_FIXTURE_TEST_CASE(what_a_waiting_coroutine_has_lost_comes_with_the_next_event, fixture) {
    auto reader = subscribe(4);
    std::vector<std::uint64_t> lost;
    const auto listen = [](subscription_type& from,
                           std::vector<std::uint64_t>& missing) -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i) {
            const auto next = co_await from.async_receive();
            missing.push_back(next.missing.events);
        }
    };
    asio::co_spawn(loop.context(), listen(reader, lost), asio::detached);
    loop.run_until_idle();
    publish(10); // before the flush runs
    loop.run_until_idle();
    BOOST_TEST((lost == std::vector<std::uint64_t>{6, 0}));
}

BOOST_FIXTURE_TEST_CASE(as_a_tuple_it_gives_the_end_as_a_code, fixture) {
    auto reader = subscribe();
    publish(2);
    channel->close();
    std::vector<sys::error_code> codes;
    handlers_of(take_as_tuple(reader, codes));
    BOOST_REQUIRE(codes.size() == 3U);
    BOOST_TEST(!codes[0]);
    BOOST_TEST(!codes[1]);
    BOOST_TEST(codes[2] == make_error_code(errc::stream_closed));
}

BOOST_FIXTURE_TEST_CASE(the_end_and_a_disconnection_are_thrown, fixture) {
    auto closed = subscribe();
    auto slow = channel->subscribe(subscribe_options{"slow", 1, muster::start_position::latest(),
                                                     muster::overflow_policy::disconnect});
    publish(2);
    channel->close();
    sys::error_code code;
    handlers_of(fail(closed, code));
    BOOST_TEST(code == make_error_code(errc::stream_closed));
    handlers_of(fail(slow, code));
    BOOST_TEST(code == make_error_code(errc::subscriber_lagged));
}

BOOST_FIXTURE_TEST_CASE(with_a_handler_it_completes_by_post_whatever_is_there, fixture) {
    auto reader = subscribe();
    publish(2);
    handler_probe<muster::delivery<int>> probe;
    auto operation = reader.async_receive();
    BOOST_TEST(reader.info().unread_events == 2U); // nothing has been started
    operation(probe.handler());
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_FIXTURE_TEST_CASE(a_coroutine_that_is_cancelled_while_it_waits_has_taken_nothing, fixture) {
    auto reader = subscribe();
    asio::cancellation_signal signal;
    std::vector<int> taken;
    bool failed = false;
    asio::co_spawn(loop.context(), take(reader, 1, taken),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr e) { failed = e != nullptr; }));
    loop.run_until_idle();
    signal.emit(asio::cancellation_type::terminal);
    publish(1);
    loop.run_until_idle();
    BOOST_TEST(failed);
    BOOST_TEST(taken.empty());
    BOOST_TEST(reader.info().unread_events == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
