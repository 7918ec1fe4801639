#include "broadcast_fixture.hpp"

#include <destroy_after.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast)

namespace {

namespace asio = boost::asio;

using muster::errc;
using muster::start_position;
using muster::subscribe_failure;
using muster::subscribe_options;
using muster::test::broadcast_fixture;
using muster::test::int_channel;
using muster::test::int_subscription;
using muster::test::manual_loop;
using muster::test::one_probe;

/// Copying it fails when its time has come.
struct fragile {
    int number = 0;
    bool breaks = false;

    fragile() = default;
    explicit fragile(int value) : number{value} {}
    fragile(const fragile& other) : number{other.number}, breaks{other.breaks} {
        if (breaks) {
            throw 1;
        }
    }
    fragile(fragile&&) noexcept = default;
    fragile& operator=(const fragile&) = default;
    fragile& operator=(fragile&&) noexcept = default;
};

asio::awaitable<void> collect(int_subscription subscription, std::vector<std::uint64_t>& seen) {
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

BOOST_FIXTURE_TEST_CASE(a_subscriber_that_fell_behind_is_told_by_how_much, broadcast_fixture) {
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

/// In a segment that is opened, filled for the first time, and used again.
BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_copied_was_never_published) {
    manual_loop loop;
    muster::broadcast<fragile, asio::any_io_executor, 4> channel{loop.get_executor()};
    auto reader = channel.subscribe(subscribe_options{"reader", 2});
    fragile broken;
    broken.breaks = true;
    for (int number = 1; number <= 30; ++number) {
        BOOST_CHECK_THROW(channel.publish(broken), int);
        BOOST_TEST(channel.publish(fragile{number}) == static_cast<std::uint64_t>(number));
        boost::system::error_code ec;
        const auto next = reader.try_receive(ec);
        BOOST_TEST(!ec);
        BOOST_TEST(next.value.number == number);
        BOOST_TEST(next.sequence == static_cast<std::uint64_t>(number));
        BOOST_TEST(!next.missing);
        static_cast<void>(reader.try_receive(ec));
        BOOST_TEST((ec == asio::error::would_block));
    }
    BOOST_TEST(channel.totals().published_events == 30U);
}

BOOST_FIXTURE_TEST_CASE(disconnect_ends_a_subscriber_that_fell_behind, broadcast_fixture) {
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

BOOST_FIXTURE_TEST_CASE(closing_lets_subscribers_drain_first, broadcast_fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_refusal_is_forgotten_by_the_subscription_that_succeeds,
                        broadcast_fixture) {
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

BOOST_FIXTURE_TEST_CASE(closing_completes_those_who_wait, broadcast_fixture) {
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
    auto channel = std::make_optional<int_channel>(loop.get_executor());
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

BOOST_FIXTURE_TEST_CASE(dropping_a_subscription_aborts_its_pending_receive, broadcast_fixture) {
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

BOOST_FIXTURE_TEST_CASE(starting_in_the_past_is_one_step, broadcast_fixture) {
    int_channel keeping{loop.get_executor(), muster::retention{4}};
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

BOOST_FIXTURE_TEST_CASE(a_zero_capacity_is_a_configuration_error, broadcast_fixture) {
    subscribe_failure why;
    BOOST_TEST(!channel.subscribe(subscribe_options{0}, why));
    BOOST_TEST((why.code == errc::configuration));
    BOOST_CHECK_THROW(static_cast<void>(channel.subscribe(subscribe_options{0})), muster::error);
}

BOOST_FIXTURE_TEST_CASE(counting_goes_on_from_before_the_first_subscriber, broadcast_fixture) {
    publish(5);
    auto subscription = subscribe();
    BOOST_TEST(channel.publish(1) == 6U);
    boost::system::error_code ec;
    BOOST_TEST(subscription.try_receive(ec).sequence == 6U);
    BOOST_TEST(channel.totals().published_events == 6U);
    BOOST_TEST(channel.totals().published_bytes == 5U);
}

BOOST_FIXTURE_TEST_CASE(a_stamp_sees_the_sequence_before_any_reader, broadcast_fixture) {
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

BOOST_FIXTURE_TEST_CASE(the_latest_value_of_a_key_survives_lag_and_its_slot, broadcast_fixture) {
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
        int_channel channel{loop.get_executor()};
        auto subscription = channel.subscribe();
        channel.publish(1, 1, key);
        BOOST_TEST(key.attached());
    }
    key.retire();
}

BOOST_FIXTURE_TEST_CASE(a_subscriber_that_never_polls_is_visible, broadcast_fixture) {
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
    int_channel channel{settings};
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

BOOST_FIXTURE_TEST_CASE(a_coroutine_reads_to_the_end, broadcast_fixture) {
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
    int_channel channel{loop.get_executor()};
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
        std::unique_ptr<int_channel> channel;
        std::unique_ptr<std::vector<std::uint64_t>> seen;
    };
    const auto setup = [](manual_loop& loop) {
        scenario made{std::make_unique<int_channel>(loop.get_executor()),
                      std::make_unique<std::vector<std::uint64_t>>()};
        for (int i = 0; i < 3; ++i) {
            asio::co_spawn(loop.context(), collect(made.channel->subscribe(), *made.seen),
                           asio::detached);
        }
        asio::co_spawn(
            loop.context(),
            [](int_channel& channel) -> asio::awaitable<void> {
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
