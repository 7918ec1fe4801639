#include <muster/fanout/broadcast.hpp>

#include <handler_probe.hpp>
#include <manual_loop.hpp>

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(close_with)

namespace {

using muster::errc;
using muster::retention;
using muster::subscribe_options;
using muster::test::handler_probe;
using muster::test::manual_loop;
using value_type = std::shared_ptr<int>;
using channel_type = muster::broadcast<value_type>;

struct fixture {
    manual_loop loop;
    channel_type channel{loop.get_executor(), retention{8}};
    boost::system::error_code ec;

    void publish(int count) {
        for (int i = 0; i < count; ++i) {
            channel.publish(std::make_shared<int>(i), 1);
        }
    }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(subscribers_get_the_last_event_and_then_the_end, fixture) {
    auto reader = channel.subscribe(subscribe_options{"reader", 8});
    publish(2);
    channel.close_with(10, std::make_shared<int>(7), 1);
    BOOST_TEST(reader.try_receive(ec).sequence == 1U);
    BOOST_TEST(reader.try_receive(ec).sequence == 2U);
    const auto last = reader.try_receive(ec);
    BOOST_TEST(last.sequence == 10U);
    BOOST_TEST(*last.value == 7);
    BOOST_TEST(!reader.try_receive(ec).value);
    BOOST_TEST(ec == make_error_code(errc::stream_closed));
}

BOOST_FIXTURE_TEST_CASE(a_waiting_receive_completes_with_the_last_event, fixture) {
    auto reader = channel.subscribe();
    handler_probe<muster::delivery<value_type>> probe;
    reader.async_receive(probe.handler());
    channel.close_with(1, std::make_shared<int>(7));
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(!probe.error());
    BOOST_TEST(*probe.result<0>().value == 7);
}

BOOST_FIXTURE_TEST_CASE(without_subscribers_nothing_is_kept_and_all_is_counted, fixture) {
    const auto kept = std::make_shared<int>(1);
    const auto last = std::make_shared<int>(2);
    channel.publish(kept, 3);
    BOOST_TEST(kept.use_count() == 2); // retained
    channel_type::slot_type key;
    channel.close_with(5, last, 4, &key);
    BOOST_TEST(kept.use_count() == 1);
    BOOST_TEST(last.use_count() == 1);
    BOOST_TEST(!key.attached());
    BOOST_TEST(channel.totals().published_events == 2U);
    BOOST_TEST(channel.totals().published_bytes == 7U);
    BOOST_TEST(channel.totals().last_sequence == 5U);
    BOOST_TEST(channel.closed());
}

BOOST_AUTO_TEST_CASE(a_channel_that_never_kept_anything_counts_it_too) {
    manual_loop loop;
    channel_type channel{loop.get_executor()};
    channel.publish(std::make_shared<int>(1), 3);
    channel.close_with(2, std::make_shared<int>(2), 4);
    BOOST_TEST(channel.totals().published_events == 2U);
    BOOST_TEST(channel.totals().published_bytes == 7U);
    BOOST_TEST(channel.closed());
}

BOOST_FIXTURE_TEST_CASE(a_slow_subscriber_gets_the_last_event_of_a_key, fixture) {
    auto slow = channel.subscribe(subscribe_options{"slow", 1});
    publish(5);
    channel_type::slot_type key;
    channel.close_with(6, std::make_shared<int>(7), 1, &key);
    const auto next = slow.try_receive(ec);
    BOOST_TEST(next.sequence == 6U);
    BOOST_TEST(next.missing.events == 5U);
}

BOOST_FIXTURE_TEST_CASE(only_the_first_end_counts, fixture) {
    auto reader = channel.subscribe();
    channel.close_with(1, std::make_shared<int>(1));
    channel.close_with(2, std::make_shared<int>(2));
    BOOST_TEST(channel.publish(std::make_shared<int>(3)) == 0U);
    BOOST_TEST(reader.try_receive(ec).sequence == 1U);
    BOOST_TEST(!reader.try_receive(ec).value);
    BOOST_TEST(ec == make_error_code(errc::stream_closed));
    muster::subscribe_failure why;
    BOOST_TEST(!channel.subscribe(subscribe_options{"late"}, why));
    BOOST_TEST(why.code == make_error_code(errc::stream_closed));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
