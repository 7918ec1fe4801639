#include <muster/sync/light_strand.hpp>

#include "handler_probe.hpp"
#include "manual_loop.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// In a namespace, because the C library has a function of the suite's name.
namespace muster::test {

namespace execution = asio::execution;

static_assert(sizeof(light_strand) == sizeof(void*));
static_assert(sizeof(light_strand_state) <= 48);
static_assert(execution::is_executor<light_strand>::value);
static_assert(std::is_convertible_v<light_strand, asio::any_io_executor>);
static_assert(std::is_nothrow_move_constructible_v<light_strand>);

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

BOOST_AUTO_TEST_CASE(try_run_runs_what_dispatch_would_run_at_once_and_nothing_else) {
    manual_loop loop;
    light_strand strand{loop.context()};
    light_strand other{loop.context()};
    std::string order;
    const auto refused = [&order] {
        order += '!';
    };
    BOOST_TEST(!strand.try_run(refused)); // not in the context
    asio::post(loop.context(), [&] {
        BOOST_TEST(strand.try_run([&] { // idle
            BOOST_TEST(strand.running_in_this_thread());
            BOOST_TEST(strand.try_run([&] { order += 'n'; })); // inside
            BOOST_TEST(!other.try_run(refused));               // inside another one
            strand.post([&] { order += 'q'; });
            order += 'i';
        }));
        BOOST_TEST(!strand.try_run(refused)); // something is queued
        order += '.';
    });
    loop.run_until_idle();
    BOOST_TEST(order == "ni.q");
}

BOOST_AUTO_TEST_CASE(a_function_that_try_run_refuses_has_not_been_moved_from) {
    manual_loop loop;
    light_strand strand{loop.context()};
    bool ran = false;
    auto function = [&ran, owned = std::make_unique<bool>(true)] {
        ran = *owned;
    };
    BOOST_TEST(!strand.try_run(std::move(function)));
    strand.post(std::move(function));
    loop.run_until_idle();
    BOOST_TEST(ran);
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

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
} // namespace muster::test
