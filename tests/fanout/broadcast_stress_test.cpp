#include <muster/fanout/broadcast.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(fanout)
BOOST_AUTO_TEST_SUITE(broadcast_stress)

namespace {

namespace asio = boost::asio;

using record = std::shared_ptr<const std::uint64_t>;
using channel_type = muster::broadcast<record, asio::any_io_executor, 16>;

struct tally {
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t statuses = 0;
    bool ordered = true;
};

// Reads in batches and one by one in turn, until the channel closes.
asio::awaitable<void> read(channel_type::subscription_type subscription, tally& out) {
    std::uint64_t last = 0;
    try {
        for (bool single = false;; single = !single) {
            if (single) {
                const auto next = co_await subscription.receive();
                out.ordered = out.ordered && next.sequence > last;
                last = next.sequence;
                out.lost += next.missing.events;
                out.statuses += *next.value == 0 ? 1 : 0;
                ++out.delivered;
                continue;
            }
            const auto batch = co_await subscription.receive_batch();
            out.lost += batch.missing().events;
            for (auto&& [value, sequence] : batch) {
                out.ordered = out.ordered && sequence > last;
                last = sequence;
                out.statuses += *value == 0 ? 1 : 0;
            }
            out.delivered += batch.size();
        }
    } catch (const boost::system::system_error&) {
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(every_event_of_two_producers_is_delivered_or_counted_as_lost) {
    constexpr std::uint64_t per_producer = 5'000;
    asio::io_context context;
    channel_type channel{context.get_executor()};
    std::array<tally, 6> tallies;
    for (std::size_t i = 0; i < tallies.size(); ++i) {
        const std::uint64_t capacity = i % 2 == 0 ? 20 : 100'000;
        asio::co_spawn(asio::make_strand(context),
                       read(channel.subscribe(muster::subscribe_options{capacity}), tallies[i]),
                       asio::detached);
    }
    std::array<muster::conflation_slot<record>, 2> keys;
    std::atomic<int> producing{2};
    const auto produce = [&](muster::conflation_slot<record>& key) {
        for (std::uint64_t i = 1; i <= per_producer; ++i) {
            channel.publish(std::make_shared<const std::uint64_t>(i), 1);
        }
        channel.publish(std::make_shared<const std::uint64_t>(0), 1, key);
        if (--producing == 0) {
            channel.close();
        }
    };
    auto work = asio::make_work_guard(context);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] { context.run(); });
        threads.emplace_back([&, i] { produce(keys[static_cast<std::size_t>(i)]); });
    }
    threads[1].join();
    threads[3].join();
    work.reset();
    threads[0].join();
    threads[2].join();
    for (const auto& one : tallies) {
        BOOST_TEST(one.ordered);
        BOOST_TEST(one.statuses == 2U);
        BOOST_TEST(one.delivered + one.lost == 2 * per_producer + 2);
    }
    BOOST_TEST(tallies[1].lost == 0U);
}

BOOST_AUTO_TEST_CASE(subscribers_come_and_go_while_two_threads_publish) {
    asio::io_context context;
    channel_type channel{context.get_executor(), muster::retention{50}};
    std::atomic<bool> stop{false};
    const auto produce = [&] {
        const auto value = std::make_shared<const std::uint64_t>(1);
        while (!stop) {
            channel.publish(value, 1);
            channel.for_each_subscriber([](const muster::subscriber_info&) {});
        }
    };
    std::thread first{produce};
    std::thread second{produce};
    bool gapless = true;
    for (int i = 0; i < 2'000; ++i) {
        auto subscription = channel.subscribe(
            muster::subscribe_options{"passing", 1000, muster::start_position::last(10)});
        boost::system::error_code ec;
        std::uint64_t last = 0;
        for (int polls = 0; polls < 3; ++polls) {
            const auto batch = subscription.try_receive_batch(ec);
            for (auto&& [value, sequence] : batch) {
                gapless = gapless && (last == 0 || batch.missing() || sequence == last + 1);
                last = sequence;
            }
        }
    }
    stop = true;
    first.join();
    second.join();
    BOOST_TEST(gapless);
    BOOST_TEST(channel.subscriber_count() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
