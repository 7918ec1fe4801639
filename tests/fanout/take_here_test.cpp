// Single receives without the lock: the same as those with it, whatever happens in between.

#include <muster/fanout/broadcast.hpp>

#include <seeded_random.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(take_here)

namespace {

namespace asio = boost::asio;
namespace sys = boost::system;

using muster::subscribe_options;
using muster::subscriber_info;
using muster::unlimited;

using record = std::shared_ptr<const std::uint64_t>;
using channel_type = muster::broadcast<record, asio::any_io_executor, 16>;
using subscription_type = channel_type::subscription_type;

/// Two subscriptions of which only the first reads without the lock: a limit of bytes, however
/// high, has to be looked up under it.
struct twins {
    subscription_type quick;
    subscription_type exact;

    twins(channel_type& channel, std::uint64_t capacity, muster::overflow_policy overflow) {
        subscribe_options options{capacity};
        options.overflow = overflow;
        quick = channel.subscribe(options);
        options.capacity_bytes = unlimited - 1;
        exact = channel.subscribe(options);
    }

    void receive_one(bool gap_first) {
        sys::error_code a;
        sys::error_code b;
        const auto left = gap_first ? quick.try_receive_gap_first(a) : quick.try_receive(a);
        const auto right = gap_first ? exact.try_receive_gap_first(b) : exact.try_receive(b);
        BOOST_REQUIRE_EQUAL(a, b);
        BOOST_REQUIRE(left.value == right.value);
        BOOST_REQUIRE_EQUAL(left.sequence, right.sequence);
        BOOST_REQUIRE_EQUAL(left.bytes, right.bytes);
        BOOST_REQUIRE_EQUAL(left.missing.events, right.missing.events);
        BOOST_REQUIRE_EQUAL(left.missing.first_sequence, right.missing.first_sequence);
        BOOST_REQUIRE_EQUAL(left.missing.bytes, right.missing.bytes);
    }
    void receive_batch() {
        sys::error_code a;
        sys::error_code b;
        const auto left = quick.try_receive_batch(a);
        const auto right = exact.try_receive_batch(b);
        BOOST_REQUIRE_EQUAL(a, b);
        BOOST_REQUIRE_EQUAL(left.size(), right.size());
        BOOST_REQUIRE_EQUAL(left.missing().events, right.missing().events);
    }
    void compare_info() const {
        const subscriber_info left = quick.info();
        const subscriber_info right = exact.info();
        BOOST_REQUIRE_EQUAL(left.next_sequence, right.next_sequence);
        BOOST_REQUIRE_EQUAL(left.unread_events, right.unread_events);
        BOOST_REQUIRE_EQUAL(left.unread_bytes, right.unread_bytes);
        BOOST_REQUIRE_EQUAL(left.delivered_events, right.delivered_events);
        BOOST_REQUIRE_EQUAL(left.delivered_bytes, right.delivered_bytes);
        BOOST_REQUIRE_EQUAL(left.lagged_events, right.lagged_events);
        BOOST_REQUIRE_EQUAL(left.disconnected, right.disconnected);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_it_is_what_a_receive_under_the_lock_finds) {
    muster::test::seeded_random random;
    for (int run = 0; run < 60; ++run) {
        asio::io_context context;
        channel_type channel{context.get_executor(), muster::retention{random.below(40)}};
        std::array<muster::conflation_slot<record>, 2> keys;
        std::vector<twins> readers;
        std::uint64_t number = 0;
        for (int step = 0; step < 600; ++step) {
            switch (random.below(8)) {
            case 0:
                if (readers.size() < 4) {
                    readers.emplace_back(channel, 1 + random.below(50),
                                         random.below(6) == 0
                                             ? muster::overflow_policy::disconnect
                                             : muster::overflow_policy::drop_oldest);
                } else if (random.below(4) == 0) {
                    readers.erase(readers.begin());
                }
                break;
            case 1:
                channel.publish(std::make_shared<const std::uint64_t>(++number), random.below(9),
                                keys[random.below(2)]);
                break;
            case 2:
            case 3:
                for (std::uint64_t left = random.below(20); left != 0; --left) {
                    channel.publish(std::make_shared<const std::uint64_t>(++number),
                                    random.below(9));
                }
                break;
            case 4:
                if (!readers.empty()) {
                    readers[random.below(readers.size())].receive_batch();
                }
                break;
            default:
                if (!readers.empty()) {
                    auto& reader = readers[random.below(readers.size())];
                    const bool gap_first = random.below(2) == 0;
                    for (std::uint64_t left = 1 + random.below(20); left != 0; --left) {
                        reader.receive_one(gap_first);
                        reader.compare_info();
                    }
                }
            }
        }
        channel.close();
        for (auto& reader : readers) {
            for (int left = 0; left < 80; ++left) {
                reader.receive_one(true);
            }
            reader.compare_info();
        }
    }
}

BOOST_AUTO_TEST_CASE(readers_inspectors_and_a_publisher_on_threads_of_their_own) {
    constexpr std::uint64_t events = 5'000;
    asio::io_context context;
    channel_type channel{context.get_executor()};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> mistakes{0};
    std::vector<subscription_type> subscriptions;
    for (const std::uint64_t capacity : {std::uint64_t{10}, std::uint64_t{40}, 2 * events}) {
        subscriptions.push_back(channel.subscribe(subscribe_options{capacity}));
    }
    const auto read = [&](subscription_type& from) {
        std::uint64_t accounted = 0;
        std::uint64_t last = 0;
        sys::error_code ec;
        while (ec != muster::errc::stream_closed) {
            const auto next = from.try_receive(ec);
            if (ec) {
                std::this_thread::yield();
                continue;
            }
            accounted += 1 + next.missing.events;
            mistakes += next.sequence > last && *next.value == next.sequence ? 0 : 1;
            last = next.sequence;
        }
        mistakes += accounted == events && last == events ? 0 : 1;
    };
    std::vector<std::thread> threads;
    for (auto& subscription : subscriptions) {
        threads.emplace_back([&] { read(subscription); });
    }
    std::thread inspector{[&] {
        while (!done) {
            channel.for_each_subscriber([&](const subscriber_info& seen) {
                mistakes +=
                    seen.unread_events <= events && seen.next_sequence <= events + 1 ? 0 : 1;
            });
        }
    }};
    for (std::uint64_t number = 1; number <= events; ++number) {
        channel.publish(std::make_shared<const std::uint64_t>(number), 1);
    }
    channel.close();
    for (auto& thread : threads) {
        thread.join();
    }
    done = true;
    inspector.join();
    BOOST_TEST(mistakes == 0U);
    BOOST_TEST(subscriptions.back().info().lagged_events == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
