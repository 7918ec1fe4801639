#include <muster/detail/next_up.hpp>

#include <muster/sync/light_strand.hpp>

#include "manual_loop.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace muster::test {
namespace {

using detail::next_up;

struct fixture {
    std::optional<manual_loop> loop{std::in_place};
    std::vector<std::string> ran;

    asio::io_context& context() { return loop->context(); }
    /// Posts a function that has the right to say what goes next.
    void post(std::function<void()> function) { next_up::post(context(), std::move(function)); }
    std::function<void()> say(std::string word) {
        return [this, word = std::move(word)] {
            ran.push_back(word);
        };
    }
    void expect(const std::vector<std::string>& words) {
        BOOST_TEST(ran == words, boost::test_tools::per_element());
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(sync)
BOOST_FIXTURE_TEST_SUITE(next_up_of_a_thread, fixture)

BOOST_AUTO_TEST_CASE(what_goes_next_runs_in_the_same_handler_after_its_poster) {
    post([this] {
        post(say("next"));
        ran.push_back("first");
    });
    BOOST_TEST(ran.empty());
    BOOST_TEST(loop->run_until_idle() == 1U);
    expect({"first", "next"});
}

BOOST_AUTO_TEST_CASE(only_one_goes_next_the_others_wait_for_the_context) {
    post([this] {
        post(say("a"));
        post(say("b"));
        post(say("c"));
    });
    BOOST_TEST(loop->run(1) == 1U);
    expect({"a"});
    BOOST_TEST(loop->run_until_idle() == 2U);
    expect({"a", "b", "c"});
}

BOOST_AUTO_TEST_CASE(a_chain_gives_the_thread_back_when_its_budget_is_used_up) {
    int steps = 0;
    std::function<void()> step = [&] {
        if (++steps < 100) {
            post(step);
        }
    };
    post(step);
    asio::post(context(), say("somebody else"));
    BOOST_TEST(loop->run(1) == 1U);
    BOOST_TEST(steps == next_up::budget + 1);
    BOOST_TEST(loop->run(1) == 1U);
    expect({"somebody else"});
    loop->run_until_idle();
    BOOST_TEST(steps == 100);
}

BOOST_AUTO_TEST_CASE(nothing_nests) {
    int depth = 0;
    int deepest = 0;
    int steps = 0;
    std::function<void()> step = [&] {
        deepest = std::max(deepest, ++depth);
        if (++steps < 50) {
            post(step);
        }
        --depth;
    };
    post(step);
    loop->run_until_idle();
    BOOST_TEST(steps == 50);
    BOOST_TEST(deepest == 1);
}

BOOST_AUTO_TEST_CASE(a_stopped_context_gets_its_thread_back_and_loses_nothing) {
    post([this] {
        post(say("next"));
        context().stop();
    });
    BOOST_TEST(loop->run(1) == 1U);
    expect({});
    BOOST_TEST(loop->run_until_idle() == 1U);
    expect({"next"});
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_loses_nothing) {
    post([this] {
        post(say("next"));
        throw std::runtime_error("thrown");
    });
    BOOST_CHECK_THROW(loop->run(1), std::runtime_error);
    expect({});
    loop->run_until_idle();
    expect({"next"});
}

BOOST_AUTO_TEST_CASE(a_dying_context_destroys_what_was_next_without_running_it) {
    const auto held = std::make_shared<int>(0);
    post([&, held] {
        post([&, held] { ran.push_back("ran"); });
        context().stop();
    });
    loop->run(1);
    BOOST_TEST(held.use_count() == 2);
    loop.reset();
    BOOST_TEST(held.use_count() == 1);
    expect({});
}

BOOST_AUTO_TEST_CASE(each_context_has_its_own) {
    manual_loop other;
    post([&] {
        next_up::post(other.context(), say("other"));
        post(say("own"));
    });
    loop->run_until_idle();
    expect({"own"});
    other.run_until_idle();
    expect({"own", "other"});
}

BOOST_AUTO_TEST_CASE(a_handler_that_runs_its_context_keeps_what_it_has_left) {
    post([this] {
        post(say("left by the outer"));
        asio::post(context(), [this] { ran.push_back("plain"); });
        post([this] { post(say("left by the inner")); });
        context().poll();
        ran.push_back("outer ends");
    });
    loop->run(1);
    expect({"plain", "left by the inner", "outer ends", "left by the outer"});
}

BOOST_AUTO_TEST_CASE(an_executor_is_plain_or_it_is_not) {
    const light_strand strand{context()};
    const asio::any_io_executor plain{context().get_executor()};
    const asio::any_io_executor wrapped{strand};
    BOOST_TEST(detail::plain_context(context().get_executor()) == &context());
    BOOST_TEST(detail::plain_context(plain) == &context());
    BOOST_TEST(detail::plain_context(wrapped) == nullptr);
    BOOST_TEST(detail::plain_context(strand) == nullptr);
}

// ---- light strands

BOOST_AUTO_TEST_CASE(what_is_posted_to_a_strand_does_not_wait_for_its_poster) {
    const light_strand strand{context()};
    post([&, this] {
        asio::post(strand, say("1"));
        asio::post(strand, say("2"));
        ran.push_back("first");
    });
    BOOST_TEST(loop->run(1) == 1U);
    expect({"first"});
    BOOST_TEST(loop->run_until_idle() == 1U);
    expect({"first", "1", "2"});
}

BOOST_AUTO_TEST_CASE(what_a_dispatched_function_leaves_on_its_strand_goes_next) {
    const light_strand strand{context()};
    post([&, this] {
        asio::dispatch(strand, [&, this] {
            asio::post(strand, say("left"));
            ran.push_back("dispatched");
        });
        ran.push_back("first ends");
    });
    BOOST_TEST(loop->run_until_idle() == 1U);
    expect({"dispatched", "first ends", "left"});
}

BOOST_AUTO_TEST_CASE(a_strand_lets_what_goes_next_have_the_thread_and_keeps_its_order) {
    const light_strand strand{context()};
    for (const char* const word : {"1", "2", "3"}) {
        asio::post(strand, [this, word] {
            ran.emplace_back(word);
            post(say(std::string(word) + " home"));
        });
    }
    loop->run_until_idle();
    expect({"1", "1 home", "2", "2 home", "3", "3 home"});
}

BOOST_AUTO_TEST_CASE(a_strand_with_much_to_do_still_gives_its_thread_back) {
    const light_strand strand{context()};
    int done = 0;
    for (int i = 0; i < 3 * light_strand_state::run_budget; ++i) {
        asio::post(strand, [&] { ++done; });
    }
    asio::post(context(), say("somebody else"));
    BOOST_TEST(loop->run(2) == 2U);
    BOOST_TEST(done == light_strand_state::run_budget);
    expect({"somebody else"});
    loop->run_until_idle();
    BOOST_TEST(done == 3 * light_strand_state::run_budget);
}

BOOST_AUTO_TEST_CASE(a_strand_that_was_next_is_abandoned_with_its_context) {
    const auto held = std::make_shared<int>(0);
    std::optional<light_strand> strand{std::in_place, context()};
    post([&, held] {
        asio::dispatch(*strand,
                       [&, held] { asio::post(*strand, [&, held] { ran.push_back("ran"); }); });
        context().stop();
    });
    loop->run(1);
    strand.reset();
    BOOST_TEST(held.use_count() == 2);
    loop.reset();
    BOOST_TEST(held.use_count() == 1);
    expect({});
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace muster::test
