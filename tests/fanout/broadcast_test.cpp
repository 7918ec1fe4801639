#include <muster/fanout/broadcast.hpp>

#include <destroy_after.hpp>
#include <handler_probe.hpp>
#include <manual_loop.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast)

namespace {

namespace asio = boost::asio;

using muster::errc;
using muster::start_position;
using muster::subscribe_failure;
using muster::subscribe_options;
using muster::test::handler_probe;
using muster::test::manual_loop;

using channel_type = muster::broadcast<int>;
using subscription_type = channel_type::subscription_type;
using one_probe = handler_probe<muster::delivery<int>>;
using batch_probe = handler_probe<muster::event_batch<int>>;

constexpr asio::cancellation_type every_type[] = {asio::cancellation_type::terminal,
                                                  asio::cancellation_type::partial,
                                                  asio::cancellation_type::total};

struct fixture {
    manual_loop loop;
    channel_type channel{loop.get_executor()};

    subscription_type subscribe(std::uint64_t capacity = 8) {
        return channel.subscribe(subscribe_options{"reader", capacity});
    }
    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            channel.publish(i, 1);
        }
    }
};

asio::awaitable<void> collect(subscription_type subscription, std::vector<std::uint64_t>& seen) {
    try {
        for (;;) {
            const auto next = co_await subscription.receive();
            seen.push_back(next.sequence);
        }
    } catch (const boost::system::system_error&) {
        seen.push_back(0);
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(an_unused_channel_fits_into_one_cache_line) {
    BOOST_TEST(sizeof(muster::broadcast<void*>) <= 64U);
}

BOOST_FIXTURE_TEST_CASE(a_ready_event_completes_by_post_and_not_within_the_call, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_waiting_receive_completes_when_something_is_published, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_burst_posts_one_flush_for_all_waiters, fixture) {
    std::vector<subscription_type> readers;
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

BOOST_FIXTURE_TEST_CASE(more_waiters_than_a_flush_serves_are_all_served, fixture) {
    std::vector<subscription_type> readers;
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

BOOST_FIXTURE_TEST_CASE(a_completion_runs_on_the_bound_executor, fixture) {
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

BOOST_FIXTURE_TEST_CASE(memory_comes_from_the_associated_allocator, fixture) {
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

BOOST_FIXTURE_TEST_CASE(the_default_token_is_deferred, fixture) {
    auto subscription = subscribe();
    auto operation = subscription.async_receive();
    publish(1);
    one_probe probe;
    std::move(operation)(probe.handler());
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
}

BOOST_FIXTURE_TEST_CASE(each_cancellation_type_aborts_a_waiting_receive, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_receive_cancelled_on_its_way_takes_nothing, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_late_cancellation_does_nothing, fixture) {
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

BOOST_FIXTURE_TEST_CASE(cancelling_leaves_the_subscription_usable, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_second_pending_receive_is_refused, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_receive_whose_event_was_taken_by_a_try_waits_on, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_batch_holds_what_is_there_when_its_completion_runs, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_batch_outlives_subscription_and_channel, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_subscriber_that_fell_behind_is_told_by_how_much, fixture) {
    auto subscription = subscribe(3);
    publish(10);
    BOOST_TEST(subscription.info().overrun_events == 7U);
    boost::system::error_code ec;
    const auto first = subscription.try_receive(ec);
    BOOST_TEST(!ec);
    BOOST_TEST(first.sequence == 8U);
    BOOST_TEST(first.missing.first_sequence == 1U);
    BOOST_TEST(first.missing.last_sequence == 7U);
    BOOST_TEST(first.missing.events == 7U);
    BOOST_TEST(first.missing.bytes == 7U);
    BOOST_TEST(!subscription.try_receive(ec).missing);
    BOOST_TEST(channel.totals().lagged_events == 7U);
}

BOOST_FIXTURE_TEST_CASE(disconnect_ends_a_subscriber_that_fell_behind, fixture) {
    auto subscription = channel.subscribe(subscribe_options{"strict", 3, start_position::latest(),
                                                            muster::overflow_policy::disconnect});
    publish(4);
    BOOST_TEST(subscription.info().disconnected);
    one_probe probe;
    subscription.async_receive(probe.handler());
    loop.run_until_idle();
    BOOST_TEST((probe.error() == errc::subscriber_lagged));
    BOOST_TEST(probe.result().missing.events == 4U);
    BOOST_TEST(channel.subscriber_count() == 0U);
    boost::system::error_code ec;
    static_cast<void>(subscription.try_receive(ec));
    BOOST_TEST((ec == errc::stream_closed));
}

BOOST_FIXTURE_TEST_CASE(closing_lets_subscribers_drain_first, fixture) {
    auto subscription = subscribe();
    publish(2);
    channel.close();
    BOOST_TEST(channel.publish(3) == 0U);
    boost::system::error_code ec;
    BOOST_TEST(subscription.try_receive_batch(ec).size() == 2U);
    one_probe probe;
    subscription.async_receive(probe.handler());
    loop.run_until_idle();
    BOOST_TEST((probe.error() == errc::stream_closed));
    subscribe_failure why;
    BOOST_TEST(!channel.subscribe(subscribe_options{}, why));
    BOOST_TEST((why.code == errc::stream_closed));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_forgotten_by_the_subscription_that_succeeds, fixture) {
    subscribe_failure why;
    BOOST_TEST(!channel.subscribe(subscribe_options{0}, why));
    BOOST_TEST((why.code == errc::configuration));
    const subscribe_options named{"reader", 8};
    for (int again = 0; again < 2; ++again) {
        const auto subscription = channel.subscribe(named, why);
        BOOST_TEST(static_cast<bool>(subscription));
        BOOST_TEST(!why);
        BOOST_TEST(subscription.name() == "reader");
        BOOST_TEST(subscription.info().capacity == 8U);
    }
}

BOOST_FIXTURE_TEST_CASE(closing_completes_those_who_wait, fixture) {
    auto subscription = subscribe();
    one_probe probe;
    subscription.async_receive(probe.handler());
    channel.close();
    BOOST_TEST(probe.calls() == 0U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST((probe.error() == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(destroying_the_channel_closes_it) {
    manual_loop loop;
    auto channel = std::make_optional<channel_type>(loop.get_executor());
    auto subscription = channel->subscribe();
    channel->publish(7);
    channel.reset();
    boost::system::error_code ec;
    BOOST_TEST(subscription.try_receive(ec).value == 7);
    one_probe probe;
    subscription.async_receive(probe.handler());
    loop.run_until_idle();
    BOOST_TEST((probe.error() == errc::stream_closed));
}

BOOST_FIXTURE_TEST_CASE(dropping_a_subscription_aborts_its_pending_receive, fixture) {
    for (const bool ready : {false, true}) {
        auto subscription = std::make_optional(subscribe());
        if (ready) {
            publish(1);
        }
        one_probe probe;
        subscription->async_receive(probe.handler());
        subscription.reset();
        BOOST_TEST(probe.calls() == 0U);
        BOOST_TEST(channel.subscriber_count() == 0U);
        loop.run_until_idle();
        BOOST_TEST(probe.called_once());
        BOOST_TEST((probe.error() == asio::error::operation_aborted));
    }
}

BOOST_FIXTURE_TEST_CASE(starting_in_the_past_is_one_step, fixture) {
    channel_type keeping{loop.get_executor(), muster::retention{4}};
    for (int i = 1; i <= 10; ++i) {
        keeping.publish(i);
    }
    boost::system::error_code ec;
    BOOST_TEST(keeping.oldest_kept() == 7U);
    auto last = keeping.subscribe(subscribe_options{"last", 9, start_position::last(2)});
    BOOST_TEST(last.try_receive(ec).value == 9);
    auto from = keeping.subscribe(subscribe_options{"from", 9, start_position::from_sequence(7)});
    BOOST_TEST(from.try_receive(ec).value == 7);
    subscribe_failure why;
    BOOST_TEST(
        !keeping.subscribe(subscribe_options{"late", 9, start_position::from_sequence(6)}, why));
    BOOST_TEST((why.code == errc::stream_expired));
    BOOST_TEST(why.oldest_kept == 7U);
}

BOOST_FIXTURE_TEST_CASE(a_zero_capacity_is_a_configuration_error, fixture) {
    subscribe_failure why;
    BOOST_TEST(!channel.subscribe(subscribe_options{0}, why));
    BOOST_TEST((why.code == errc::configuration));
    BOOST_CHECK_THROW(static_cast<void>(channel.subscribe(subscribe_options{0})), muster::error);
}

BOOST_FIXTURE_TEST_CASE(counting_goes_on_from_before_the_first_subscriber, fixture) {
    publish(5);
    auto subscription = subscribe();
    BOOST_TEST(channel.publish(1) == 6U);
    boost::system::error_code ec;
    BOOST_TEST(subscription.try_receive(ec).sequence == 6U);
    BOOST_TEST(channel.totals().published_events == 6U);
    BOOST_TEST(channel.totals().published_bytes == 5U);
}

BOOST_FIXTURE_TEST_CASE(a_stamp_sees_the_sequence_before_any_reader, fixture) {
    using record = std::shared_ptr<std::uint64_t>;
    muster::broadcast<record> records{loop.get_executor()};
    const auto unheard = std::make_shared<std::uint64_t>(0);
    records.publish_stamped(unheard, [&](std::uint64_t sequence) { *unheard = sequence; });
    BOOST_TEST(*unheard == 1U);
    BOOST_TEST(unheard.use_count() == 1);
    auto subscription = records.subscribe();
    auto heard = std::make_shared<std::uint64_t>(0);
    records.publish_stamped(heard, [&](std::uint64_t sequence) { *heard = sequence; });
    boost::system::error_code ec;
    BOOST_TEST(*subscription.try_receive(ec).value == 2U);
}

BOOST_FIXTURE_TEST_CASE(the_latest_value_of_a_key_survives_lag_and_its_slot, fixture) {
    auto subscription = subscribe(2);
    {
        muster::conflation_slot<int> key;
        channel.publish(100, 1, key);
        channel.publish(200, 1, key);
    }
    publish(50);
    boost::system::error_code ec;
    const auto status = subscription.try_receive(ec);
    BOOST_TEST(status.value == 200);
    BOOST_TEST(status.missing.events == 49U);
    BOOST_TEST(subscription.try_receive(ec).sequence == 51U);
    BOOST_TEST(subscription.try_receive(ec).sequence == 52U);
}

BOOST_AUTO_TEST_CASE(a_slot_may_outlive_its_channel) {
    manual_loop loop;
    muster::conflation_slot<int> key;
    {
        channel_type channel{loop.get_executor()};
        auto subscription = channel.subscribe();
        channel.publish(1, 1, key);
        BOOST_TEST(key.attached());
    }
    key.retire();
}

BOOST_FIXTURE_TEST_CASE(a_subscriber_that_never_polls_is_visible, fixture) {
    auto subscription = subscribe(3);
    publish(10);
    std::size_t visited = 0;
    channel.for_each_subscriber([&](const muster::subscriber_info& info) {
        ++visited;
        BOOST_TEST(info.name == "reader");
        BOOST_TEST(info.unread_events == 10U);
        BOOST_TEST(info.unread_bytes == 10U);
        BOOST_TEST(info.overrun_events == 7U);
        BOOST_TEST(info.polls == 0U);
        BOOST_TEST(!info.waiting);
    });
    BOOST_TEST(visited == 1U);
}

BOOST_AUTO_TEST_CASE(the_observer_hears_of_lag_and_of_the_end_once) {
    struct counter final : muster::broadcast_observer {
        std::uint64_t lost = 0;
        int ends = 0;
        void lagged(std::string_view, const muster::gap& missing) noexcept override {
            lost += missing.events;
        }
        void closed(std::string_view) noexcept override { ++ends; }
    } observer;
    manual_loop loop;
    using settings_type = muster::broadcast_settings<asio::any_io_executor>;
    const boost::intrusive_ptr<settings_type> settings{new settings_type{loop.get_executor()}};
    settings->observer = &observer;
    channel_type channel{settings};
    auto subscription = channel.subscribe(subscribe_options{2});
    for (int i = 0; i < 5; ++i) {
        channel.publish(i);
    }
    channel.close();
    boost::system::error_code ec;
    while (ec != errc::stream_closed) {
        static_cast<void>(subscription.try_receive(ec));
    }
    static_cast<void>(subscription.try_receive(ec));
    BOOST_TEST(observer.lost == 3U);
    BOOST_TEST(observer.ends == 1);
}

BOOST_FIXTURE_TEST_CASE(a_coroutine_reads_to_the_end, fixture) {
    std::vector<std::uint64_t> seen;
    asio::co_spawn(loop.context(), collect(subscribe(), seen), asio::detached);
    loop.run_until_idle();
    publish(2);
    loop.run_until_idle();
    publish(1);
    channel.close();
    loop.run_until_idle();
    BOOST_TEST((seen == std::vector<std::uint64_t>{1, 2, 3, 0}));
}

BOOST_AUTO_TEST_CASE(a_throwing_handler_leaves_the_other_waiters_to_the_next_flush) {
    manual_loop loop;
    channel_type channel{loop.get_executor()};
    auto first = channel.subscribe();
    auto second = channel.subscribe();
    one_probe thrower;
    one_probe probe;
    thrower.then([] { throw 1; });
    first.async_receive(thrower.handler());
    second.async_receive(probe.handler());
    channel.publish(1);
    BOOST_CHECK_THROW(loop.run_until_idle(), int);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
}

BOOST_AUTO_TEST_CASE(everything_may_be_destroyed_after_any_handler) {
    struct scenario {
        std::unique_ptr<channel_type> channel;
        std::unique_ptr<std::vector<std::uint64_t>> seen;
    };
    const auto setup = [](manual_loop& loop) {
        scenario made{std::make_unique<channel_type>(loop.get_executor()),
                      std::make_unique<std::vector<std::uint64_t>>()};
        for (int i = 0; i < 3; ++i) {
            asio::co_spawn(loop.context(), collect(made.channel->subscribe(), *made.seen),
                           asio::detached);
        }
        asio::co_spawn(
            loop.context(),
            [](channel_type& channel) -> asio::awaitable<void> {
                for (int i = 0; i < 3; ++i) {
                    channel.publish(i);
                    co_await asio::post(asio::use_awaitable);
                }
                channel.close();
            }(*made.channel),
            asio::detached);
        return made;
    };
    using muster::test::destroy_order;
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::scenario_first) > 4U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) > 4U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
