#include <muster/sync/light_strand.hpp>

#include "destroy_after.hpp"
#include "handler_probe.hpp"
#include "manual_loop.hpp"
#include "seeded_random.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace execution = asio::execution;

static_assert(sizeof(light_strand) == sizeof(void*));
static_assert(sizeof(light_strand_state) <= 48);
static_assert(execution::is_executor<light_strand>::value);
static_assert(std::is_convertible_v<light_strand, asio::any_io_executor>);
static_assert(std::is_nothrow_move_constructible_v<light_strand>);

namespace {

/// A destructor that does something, for handlers that die unrun.
class at_end {
public:
    explicit at_end(std::function<void()> action) : action_{std::move(action)} {}
    at_end(at_end&& other) noexcept : action_{std::exchange(other.action_, nullptr)} {}
    at_end& operator=(at_end&&) = delete;
    ~at_end() {
        if (action_) {
            action_();
        }
    }

private:
    std::function<void()> action_;
};

class counted_state final : public light_strand_state {
public:
    counted_state(manual_loop& loop, int& disposals)
        : light_strand_state{loop.get_executor()}, disposals_{disposals} {}

private:
    void dispose() noexcept override {
        ++disposals_;
        delete this;
    }
    int& disposals_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_AUTO_TEST_SUITE(light_strand_executor)

BOOST_AUTO_TEST_CASE(posted_functions_run_in_order) {
    manual_loop loop;
    light_strand strand{loop.context()};
    std::vector<int> order;
    for (int i = 0; i < 30; ++i) {
        asio::post(strand, [&order, i] { order.push_back(i); });
    }
    BOOST_TEST(order.empty());
    loop.run_until_idle();
    BOOST_TEST(order.size() == 30U);
    BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(post_inside_waits_and_dispatch_inside_runs_at_once) {
    manual_loop loop;
    light_strand strand{loop.context()};
    std::string order;
    asio::post(strand, [&] {
        asio::post(strand, [&] { order += 'p'; });
        asio::defer(strand, [&] { order += 'f'; });
        asio::dispatch(strand, [&] { order += 'd'; });
        strand.execute([&] { order += 'e'; });
        strand.post([&] { order += 'P'; });
        order += '.';
    });
    loop.run_until_idle();
    BOOST_TEST(order == "de.pfP");
}

BOOST_AUTO_TEST_CASE(dispatch_from_outside_the_context_is_queued) {
    manual_loop loop;
    light_strand strand{loop.context()};
    bool ran = false;
    asio::dispatch(strand, [&] { ran = true; });
    BOOST_TEST(!ran);
    loop.run_until_idle();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(dispatch_from_the_context_enters_an_idle_strand_at_once) {
    manual_loop loop;
    light_strand strand{loop.context()};
    std::string order;
    asio::post(loop.context(), [&] {
        asio::dispatch(strand, [&] {
            BOOST_TEST(strand.running_in_this_thread());
            asio::post(strand, [&] { order += 'p'; });
            order += 'd';
        });
        order += '.';
        asio::dispatch(strand, [&] { order += 'q'; });
        BOOST_TEST(!strand.running_in_this_thread());
    });
    loop.run_until_idle();
    BOOST_TEST(order == "d.pq");
}

BOOST_AUTO_TEST_CASE(dispatches_between_strands_do_not_nest) {
    manual_loop loop;
    light_strand first{loop.context()};
    light_strand second{loop.context()};
    std::string order;
    asio::post(first, [&] {
        asio::dispatch(second, [&] {
            BOOST_TEST(!first.running_in_this_thread());
            BOOST_TEST(second.running_in_this_thread());
            order += '2';
        });
        order += '1';
    });
    loop.run_until_idle();
    BOOST_TEST(order == "12");
}

BOOST_AUTO_TEST_CASE(a_busy_strand_yields_after_its_budget) {
    manual_loop loop;
    light_strand strand{loop.context()};
    std::string order;
    for (int i = 0; i < 20; ++i) {
        strand.post([&] { order += 's'; });
    }
    asio::post(loop.context(), [&] { order += 'c'; });
    loop.run_until_idle();
    BOOST_TEST(order == std::string(light_strand_state::run_budget, 's') + 'c' +
                            std::string(20 - light_strand_state::run_budget, 's'));
    BOOST_TEST(loop.handlers_run() == 4U);
}

BOOST_AUTO_TEST_CASE(an_exception_passes_and_the_rest_still_runs) {
    manual_loop loop;
    light_strand strand{loop.context()};
    int ran = 0;
    asio::post(strand, [] { throw std::runtime_error("from a handler"); });
    asio::post(strand, [&] { ++ran; });
    asio::post(strand, [&] { ++ran; });
    BOOST_CHECK_THROW(loop.run_until_idle(), std::runtime_error);
    BOOST_TEST(!strand.running_in_this_thread());
    loop.run_until_idle();
    BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(an_exception_in_a_dispatch_leaves_the_strand_usable) {
    manual_loop loop;
    light_strand strand{loop.context()};
    int ran = 0;
    asio::post(loop.context(), [&] {
        BOOST_CHECK_THROW(strand.execute([] { throw std::runtime_error("dispatched"); }),
                          std::runtime_error);
        strand.execute([&] { ++ran; });
    });
    loop.run_until_idle();
    BOOST_TEST(ran == 1);
}

BOOST_AUTO_TEST_CASE(a_nested_run_of_the_context_does_not_run_the_same_strand) {
    manual_loop loop;
    light_strand strand{loop.context()};
    std::string order;
    asio::post(strand, [&] {
        asio::post(strand, [&] { order += 's'; });
        asio::post(loop.context(), [&] {
            BOOST_TEST(strand.running_in_this_thread());
            order += 'c';
        });
        loop.context().poll();
        order += '.';
    });
    loop.run_until_idle();
    BOOST_TEST(order == "c.s");
}

BOOST_AUTO_TEST_CASE(properties_are_kept_by_copies_and_compare) {
    manual_loop loop;
    const light_strand strand{loop.context()};
    const light_strand other{loop.context()};
    const auto never = asio::require(strand, execution::blocking.never);
    BOOST_TEST((strand == light_strand{strand}));
    BOOST_TEST((strand != other));
    BOOST_TEST((never != strand));
    BOOST_TEST((asio::require(never, execution::blocking.possibly) == strand));
    BOOST_TEST((asio::query(never, execution::blocking) == execution::blocking.never));
    BOOST_TEST((asio::query(strand, execution::blocking) == execution::blocking.possibly));
    const auto deferring = asio::prefer(strand, execution::relationship.continuation);
    BOOST_TEST(
        (asio::query(deferring, execution::relationship) == execution::relationship.continuation));
    const auto tracked = asio::prefer(strand, execution::outstanding_work.tracked);
    static_assert(sizeof(tracked) <= 16);
    BOOST_TEST(
        (asio::query(tracked, execution::outstanding_work) == execution::outstanding_work.tracked));
    BOOST_TEST(&asio::query(strand, execution::context) == &loop.context());
    BOOST_TEST(&strand.context() == &loop.context());
}

BOOST_AUTO_TEST_CASE(handles_can_be_assigned_and_swapped) {
    manual_loop loop;
    light_strand first{loop.context()};
    light_strand second{loop.context()};
    const light_strand copy = first;
    std::swap(first, second);
    BOOST_TEST((second == copy));
    first = copy;
    BOOST_TEST((first == second));
    first = std::move(second);
    BOOST_TEST((first == copy));
}

BOOST_AUTO_TEST_CASE(tracked_handles_keep_the_context_running) {
    asio::io_context context;
    light_strand strand{context};
    {
        auto tracked = asio::prefer(strand, execution::outstanding_work.tracked);
        auto copy = tracked;
        auto moved = std::move(tracked);
        context.poll();
        BOOST_TEST(!context.stopped());
    }
    context.poll();
    BOOST_TEST(context.stopped());
}

BOOST_AUTO_TEST_CASE(queued_functions_count_as_work) {
    asio::io_context context;
    light_strand strand{context};
    int ran = 0;
    for (int i = 0; i < 100; ++i) {
        strand.post([&] { ++ran; });
    }
    context.run();
    BOOST_TEST(ran == 100);
}

BOOST_AUTO_TEST_CASE(function_memory_comes_from_the_associated_allocator) {
    manual_loop loop;
    light_strand strand{loop.context()};
    allocation_counts counts;
    handler_probe<> probe;
    asio::post(strand, asio::bind_allocator(counting_allocator<char>{counts}, [&] {
                   BOOST_TEST(counts.live_bytes == 0U);
                   probe.handler()({});
               }));
    BOOST_TEST(counts.allocations == 1U);
    loop.run_until_idle();
    BOOST_TEST(probe.called_once());
    BOOST_TEST(counts.deallocations == 1U);
}

BOOST_AUTO_TEST_CASE(an_embedded_state_lives_until_handles_and_functions_are_gone) {
    int disposals = 0;
    {
        manual_loop loop;
        std::optional<light_strand> strand{*new counted_state{loop, disposals}};
        strand->post([] {});
        strand.reset();
        BOOST_TEST(disposals == 0);
        loop.run_until_idle();
        BOOST_TEST(disposals == 1);

        strand.emplace(*new counted_state{loop, disposals});
        strand->post([&] { strand.reset(); }); // the last handle goes inside the strand
        loop.run_until_idle();
        BOOST_TEST(disposals == 2);

        strand.emplace(*new counted_state{loop, disposals});
        asio::post(loop.context(), [&] { strand->execute([&] { strand.reset(); }); });
        loop.run_until_idle();
        BOOST_TEST(disposals == 3);

        strand.emplace(*new counted_state{loop, disposals});
        strand->post([] {});
        strand.reset();
    }
    BOOST_TEST(disposals == 4);
}

BOOST_AUTO_TEST_CASE(a_dying_context_destroys_queued_functions_without_running_them) {
    handler_probe<> probe;
    {
        manual_loop loop;
        light_strand strand{loop.context()};
        for (int i = 0; i < 20; ++i) {
            asio::post(strand, [handler = probe.handler()]() mutable { handler({}); });
        }
        loop.run_one();
    }
    BOOST_TEST(probe.calls() == std::size_t{light_strand_state::run_budget});
    BOOST_TEST(probe.abandoned() == 20U - light_strand_state::run_budget);
}

BOOST_AUTO_TEST_CASE(what_dying_functions_post_dies_too) {
    int ran = 0;
    int ended = 0;
    {
        manual_loop loop;
        light_strand strand{loop.context()};
        light_strand other{loop.context()};
        const auto repost = [&, strand, other] {
            ++ended;
            asio::dispatch(strand, [&, end = at_end{[&] {
                                           ++ended;
                                       }}] { ++ran; });
            asio::post(other, [&, end = at_end{[&] {
                                      ++ended;
                                  }}] { ++ran; });
        };
        asio::post(strand, [end = at_end{repost}] {});
        asio::post(strand, [end = at_end{repost}] {});
    }
    BOOST_TEST(ran == 0);
    BOOST_TEST(ended == 6);
}

BOOST_AUTO_TEST_CASE(functions_may_own_the_strand_they_wait_in) {
    const auto setup = [](manual_loop& loop) {
        auto strand = std::make_shared<light_strand>(loop.context());
        for (int i = 0; i < 20; ++i) {
            strand->post([strand] { strand->post([strand] {}); });
        }
        return 0;
    };
    BOOST_TEST(destroy_after_every_nth_handler(setup) > 3U);
    BOOST_TEST(destroy_after_every_nth_handler(setup, destroy_order::context_first) > 3U);
}

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
