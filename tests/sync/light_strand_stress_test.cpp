#include <muster/sync/light_strand.hpp>

#include "manual_loop.hpp"
#include "seeded_random.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(light_strand_stress)

BOOST_AUTO_TEST_CASE(random_posts_and_dispatches_keep_order_per_strand) {
    seeded_random random;
    manual_loop loop;
    std::vector<light_strand> strands(5, light_strand{loop.context()});
    for (auto& strand : strands) {
        strand = light_strand{loop.context()};
    }
    std::array<int, 5> posted{};
    std::array<int, 5> seen{};
    int left = 5'000;
    std::function<void()> step = [&] {
        for (std::uint64_t i = random.below(4); i > 0 && left > 0; --i) {
            const auto which = static_cast<std::size_t>(random.below(5));
            --left;
            strands[which].post([&, which, number = posted[which]++] {
                BOOST_TEST(number == seen[which]++);
                BOOST_TEST(strands[which].running_in_this_thread());
                step();
            });
        }
    };
    while (left > 0) {
        step();
        loop.run(random.below(10));
    }
    loop.run_until_idle();
    BOOST_TEST(posted == seen, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(several_threads_never_run_two_functions_of_one_strand_at_once) {
    asio::io_context context{2};
    struct lane {
        explicit lane(asio::io_context& io) : strand{io} {}
        light_strand strand;
        std::atomic<int> inside{0};
        int plain = 0; // not atomic: the strand must order it
        int order[2] = {0, 0};
    };
    constexpr int per_producer = 4'000;
    std::array<lane, 3> lanes{lane{context}, lane{context}, lane{context}};
    std::atomic<bool> broken{false};
    const auto produce = [&](int producer) {
        for (int i = 0; i < per_producer; ++i) {
            lane& to = lanes[static_cast<std::size_t>(i % 3)];
            const auto work = [&, producer, i] {
                broken = broken || to.inside.fetch_add(1) != 0 || to.order[producer] > i;
                to.order[producer] = i;
                ++to.plain;
                to.inside.fetch_sub(1);
            };
            to.strand.post(work);
        }
    };
    {
        auto guard = asio::make_work_guard(context);
        std::thread runner{[&] {
            context.run();
        }};
        std::thread producer{[&] {
            produce(0);
        }};
        asio::post(context, [&] { produce(1); });
        producer.join();
        guard.reset();
        context.run();
        runner.join();
    }
    BOOST_TEST(!broken);
    BOOST_TEST(lanes[0].plain + lanes[1].plain + lanes[2].plain == 2 * per_producer);
}

BOOST_AUTO_TEST_CASE(threads_hand_a_strand_over_by_dispatch) {
    asio::io_context context{2};
    light_strand strand{context};
    long sum = 0;
    constexpr int hops = 5'000;
    const auto chain = [&](auto& self, int left) -> void {
        ++sum;
        if (left > 1) {
            asio::post(context,
                       [&, left] { asio::dispatch(strand, [&, left] { self(self, left - 1); }); });
        }
    };
    for (int i = 0; i < 3; ++i) {
        asio::post(strand, [&] { chain(chain, hops); });
    }
    std::thread runner{[&] {
        context.run();
    }};
    context.run();
    runner.join();
    BOOST_TEST(sum == 3L * hops);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
