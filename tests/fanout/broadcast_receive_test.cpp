#include "broadcast_fixture.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast_receive)

namespace {

namespace asio = boost::asio;

using muster::test::batch_probe;
using muster::test::broadcast_fixture;
using muster::test::int_subscription;
using muster::test::one_probe;

constexpr asio::cancellation_type every_type[] = {asio::cancellation_type::terminal,
                                                  asio::cancellation_type::partial,
                                                  asio::cancellation_type::total};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_ready_event_completes_by_post_and_not_within_the_call,
                        broadcast_fixture) {
    auto subscription = subscribe();
    publish(1);
    one_probe probe;
    subscription.async_receive(probe.handler());
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
    BOOST_TEST(probe.result().sequence == 1U);
    BOOST_TEST(probe.result().bytes == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_waiting_receive_completes_when_something_is_published,
                        broadcast_fixture) {
    auto subscription = subscribe();
    one_probe probe;
    subscription.async_receive(probe.handler());
    loop.run_until_idle();
    BOOST_TEST(probe.calls() == 0U);
    publish(1);
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.result().sequence == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_burst_posts_one_flush_for_all_waiters, broadcast_fixture) {
    std::vector<int_subscription> readers;
    std::vector<batch_probe> probes(10);
    for (auto& probe : probes) {
        readers.push_back(subscribe());
        readers.back().async_receive_batch(probe.handler());
    }
    publish(5);
    BOOST_TEST(loop.run_until_idle() == 1U);
    for (auto& probe : probes) {
        BOOST_TEST(probe.called_once());
        BOOST_TEST(probe.result().size() == 5U);
    }
}

BOOST_FIXTURE_TEST_CASE(more_waiters_than_a_flush_serves_are_all_served, broadcast_fixture) {
    std::vector<int_subscription> readers;
    std::vector<one_probe> probes(200);
    for (auto& probe : probes) {
        readers.push_back(subscribe());
        readers.back().async_receive(probe.handler());
    }
    publish(1);
    for (std::size_t i = 0; i < probes.size(); ++i) {
        probes[i].then([&, i] { readers[i].async_receive(probes[i].handler()); });
    }
    BOOST_TEST(loop.run_until_idle() == 4U);
    for (auto& probe : probes) {
        BOOST_TEST(probe.called_once());
    }
}

BOOST_FIXTURE_TEST_CASE(a_completion_runs_on_the_bound_executor, broadcast_fixture) {
    const auto strand = asio::make_strand(loop.get_executor());
    auto waiting = subscribe();
    auto ready = subscribe();
    one_probe first;
    batch_probe second;
    waiting.async_receive(first.bound(strand));
    publish(1);
    ready.async_receive_batch(second.bound(strand));
    loop.run_until_idle();
    BOOST_TEST(first.called_once());
    BOOST_TEST(first.ran_on_executor());
    BOOST_TEST(second.called_once());
    BOOST_TEST(second.ran_on_executor());
}

BOOST_FIXTURE_TEST_CASE(memory_comes_from_the_associated_allocator, broadcast_fixture) {
    muster::test::allocation_counts counts;
    auto subscription = subscribe();
    one_probe probe;
    subscription.async_receive(
        asio::bind_allocator(muster::test::counting_allocator<char>{counts}, probe.handler()));
    BOOST_TEST(counts.allocations == 1U);
    publish(1);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(counts.live_bytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(the_default_token_is_deferred, broadcast_fixture) {
    auto subscription = subscribe();
    auto operation = subscription.async_receive();
    publish(1);
    one_probe probe;
    std::move(operation)(probe.handler());
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
}

BOOST_FIXTURE_TEST_CASE(each_cancellation_type_aborts_a_waiting_receive, broadcast_fixture) {
    for (const auto type : every_type) {
        auto subscription = subscribe();
        asio::cancellation_signal signal;
        one_probe probe;
        subscription.async_receive(probe.bound(signal.slot()));
        signal.emit(type);
        signal.emit(type);
        BOOST_TEST(probe.calls() == 0U);
        loop.run_until_idle();
        BOOST_TEST(probe.called_once());
        BOOST_TEST((probe.error() == asio::error::operation_aborted));
        BOOST_TEST(!signal.slot().has_handler());
    }
}

BOOST_FIXTURE_TEST_CASE(a_receive_cancelled_on_its_way_takes_nothing, broadcast_fixture) {
    for (const auto type : every_type) {
        auto subscription = subscribe();
        publish(1);
        asio::cancellation_signal signal;
        one_probe probe;
        subscription.async_receive(probe.bound(signal.slot()));
        signal.emit(type);
        loop.run_until_idle();
        BOOST_TEST(probe.called_once());
        BOOST_TEST((probe.error() == asio::error::operation_aborted));
        boost::system::error_code ec;
        static_cast<void>(subscription.try_receive(ec));
        BOOST_TEST(!ec);
    }
}

BOOST_FIXTURE_TEST_CASE(a_late_cancellation_does_nothing, broadcast_fixture) {
    auto subscription = subscribe();
    asio::cancellation_signal signal;
    one_probe probe;
    subscription.async_receive(probe.bound(signal.slot()));
    publish(1);
    loop.run_until_idle();
    signal.emit(asio::cancellation_type::terminal);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
}

BOOST_FIXTURE_TEST_CASE(cancelling_leaves_the_subscription_usable, broadcast_fixture) {
    auto subscription = subscribe();
    batch_probe aborted;
    subscription.async_receive_batch(aborted.handler());
    subscription.cancel();
    loop.run_until_idle();
    BOOST_TEST((aborted.error() == asio::error::operation_aborted));
    batch_probe probe;
    subscription.async_receive_batch(probe.handler());
    publish(2);
    loop.run_until_idle();
    BOOST_TEST(probe.result().size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_second_pending_receive_is_refused, broadcast_fixture) {
    auto subscription = subscribe();
    one_probe first;
    one_probe second;
    subscription.async_receive(first.handler());
    subscription.async_receive(second.handler());
    publish(1);
    loop.run_until_idle();
    BOOST_TEST((second.error() == asio::error::already_started));
    BOOST_TEST(!first.error());
    BOOST_TEST(first.called_once());
}

BOOST_FIXTURE_TEST_CASE(a_receive_whose_event_was_taken_by_a_try_waits_on, broadcast_fixture) {
    auto subscription = subscribe();
    publish(1);
    one_probe probe;
    subscription.async_receive(probe.handler());
    boost::system::error_code ec;
    static_cast<void>(subscription.try_receive(ec));
    loop.run_until_idle();
    BOOST_TEST(probe.calls() == 0U);
    publish(1);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(probe.result().sequence == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_batch_holds_what_is_there_when_its_completion_runs, broadcast_fixture) {
    auto subscription = subscribe(100);
    publish(1);
    batch_probe probe;
    subscription.async_receive_batch(probe.handler());
    publish(9);
    loop.run_until_idle();
    BOOST_TEST(probe.result().size() == 10U);
    int expected = 0;
    for (auto&& [value, sequence] : probe.result()) {
        BOOST_TEST(sequence == static_cast<std::uint64_t>(expected) + 1);
        BOOST_TEST(value == (expected == 0 ? 0 : expected - 1));
        ++expected;
    }
}

BOOST_FIXTURE_TEST_CASE(a_batch_outlives_subscription_and_channel, broadcast_fixture) {
    muster::event_batch<std::string> batch;
    {
        muster::broadcast<std::string> words{loop.get_executor()};
        auto subscription = words.subscribe();
        words.publish(std::string(100, 'x'));
        boost::system::error_code ec;
        batch = subscription.try_receive_batch(ec);
        BOOST_TEST(!ec);
    }
    BOOST_TEST(batch[0].value == std::string(100, 'x'));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
