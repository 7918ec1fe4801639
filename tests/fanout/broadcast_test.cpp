#include <muster/fanout/broadcast.hpp>

#include <manual_loop.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <string>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast)

using muster::test::manual_loop;

BOOST_AUTO_TEST_CASE(an_unused_channel_fits_into_one_cache_line) {
    BOOST_TEST(sizeof(muster::broadcast<void*>) <= 64U);
}

BOOST_AUTO_TEST_CASE(a_subscriber_that_fell_behind_is_told_by_how_much) {
    manual_loop loop;
    muster::broadcast<std::string> channel{loop.get_executor()};
    auto subscription = channel.subscribe(muster::subscribe_options("slow", 3));
    for (int i = 1; i <= 10; ++i) {
        channel.publish(std::to_string(i), 2);
    }
    boost::system::error_code ec;
    const auto first = subscription.try_receive(ec);
    BOOST_TEST(!ec);
    BOOST_TEST(first.value == "8");
    BOOST_TEST(first.missing.first_sequence == 1U);
    BOOST_TEST(first.missing.last_sequence == 7U);
    BOOST_TEST(first.missing.events == 7U);
    BOOST_TEST(first.missing.bytes == 14U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
