#include <muster/checkpoint/prompter.hpp>
#include <muster/error.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>

namespace {

using muster::busy_action;
using muster::failure_policy;
using muster::prompter;
using verdict = muster::prompter::verdict;
using namespace std::chrono_literals;

/// The state before a prompt, as bits: turn active, waiting, in flight.
prompter prompter_in(bool turn, bool waiting, bool in_flight) {
    prompter made;
    if (in_flight) {
        BOOST_REQUIRE(made.requested(busy_action::send) == verdict::send);
    }
    made.turn_changed(turn);
    made.waiting_changed(waiting);
    return made;
}

/// The contract, written as a table and not as a state machine.
verdict expected(busy_action action, bool focused, bool turn, bool waiting, bool in_flight) {
    if (focused) {
        return verdict::skip_focused;
    }
    if (in_flight) {
        return verdict::coalesce;
    }
    if (waiting) {
        return verdict::refuse;
    }
    if (!turn || action == busy_action::send) {
        return verdict::send;
    }
    return action == busy_action::skip ? verdict::refuse : verdict::defer_busy;
}

} // namespace

BOOST_AUTO_TEST_SUITE(checkpoint)
BOOST_AUTO_TEST_SUITE(prompter)

BOOST_AUTO_TEST_CASE(every_state_gives_the_verdict_of_the_table) {
    constexpr std::array actions{busy_action::skip, busy_action::coalesce, busy_action::send};
    for (const auto action : actions) {
        for (unsigned bits = 0; bits < 16; ++bits) {
            const bool focused = bits & 1, turn = bits & 2, waiting = bits & 4, flight = bits & 8;
            auto subject = prompter_in(turn, waiting, flight);
            const auto want = expected(action, focused, turn, waiting, flight);
            BOOST_TEST((subject.periodic_due(action, focused) == want),
                       "action " << int(action) << " bits " << bits);
            BOOST_TEST(subject.in_flight() == (flight || want == verdict::send));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_requested_prompt_ignores_focus_alone) {
    auto subject = prompter_in(false, false, false);
    BOOST_TEST((subject.requested(busy_action::coalesce) == verdict::send));
    BOOST_TEST((subject.requested(busy_action::coalesce) == verdict::coalesce));
}

BOOST_AUTO_TEST_CASE(many_deferred_prompts_become_one_when_the_turn_ends) {
    muster::prompter subject;
    subject.turn_changed(true);
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST((subject.periodic_due(busy_action::coalesce, false) == verdict::defer_busy));
    }
    BOOST_TEST(!subject.take_deferred(false));
    subject.turn_changed(false);
    BOOST_TEST(subject.take_deferred(false));
    BOOST_TEST(subject.in_flight());
    subject.succeeded();
    subject.settled();
    BOOST_TEST(!subject.take_deferred(false));
}

BOOST_AUTO_TEST_CASE(a_deferred_prompt_waits_for_focus_to_leave_and_for_the_answer) {
    muster::prompter subject;
    subject.turn_changed(true);
    BOOST_TEST((subject.periodic_due(busy_action::coalesce, false) == verdict::defer_busy));
    subject.turn_changed(false);
    subject.waiting_changed(true);
    BOOST_TEST(!subject.take_deferred(false));
    subject.waiting_changed(false);
    BOOST_TEST(!subject.take_deferred(true));
    BOOST_TEST(subject.take_deferred(false));
}

BOOST_AUTO_TEST_CASE(a_prompt_that_goes_out_stands_for_the_deferred_one) {
    muster::prompter subject;
    subject.turn_changed(true);
    BOOST_TEST((subject.requested(busy_action::coalesce) == verdict::defer_busy));
    BOOST_TEST((subject.requested(busy_action::send) == verdict::send));
    subject.succeeded();
    subject.settled();
    subject.turn_changed(false);
    BOOST_TEST(!subject.take_deferred(false));
}

BOOST_AUTO_TEST_CASE(the_third_consecutive_failure_disables_by_default) {
    muster::prompter subject;
    const auto policy = failure_policy::disable_after();
    const auto fail = [&] {
        BOOST_REQUIRE((subject.requested(busy_action::send) == verdict::send));
        const auto verdict = subject.failed(policy);
        BOOST_TEST(subject.in_flight());
        subject.settled();
        return verdict;
    };
    BOOST_TEST(!fail().disable);
    BOOST_TEST(!fail().disable);
    const auto third = fail();
    BOOST_TEST(third.disable);
    BOOST_TEST(third.failures == 3u);
    BOOST_TEST(!subject.in_flight());
}

BOOST_AUTO_TEST_CASE(a_success_resets_the_count) {
    muster::prompter subject;
    const auto policy = failure_policy::disable_after(2);
    BOOST_REQUIRE((subject.requested(busy_action::send) == verdict::send));
    BOOST_TEST(!subject.failed(policy).disable);
    subject.settled();
    BOOST_REQUIRE((subject.requested(busy_action::send) == verdict::send));
    subject.succeeded();
    subject.settled();
    BOOST_REQUIRE((subject.requested(busy_action::send) == verdict::send));
    BOOST_TEST(subject.failed(policy).failures == 1u);
}

BOOST_AUTO_TEST_CASE(backoff_doubles_up_to_its_maximum) {
    const auto policy = failure_policy::backoff(10ms, 55ms, 6);
    const std::array want{10ms, 20ms, 40ms, 55ms, 55ms};
    for (std::uint32_t n = 1; n <= want.size(); ++n) {
        BOOST_TEST((policy.delay_after(n) == want[n - 1]), "after " << n);
        BOOST_TEST(!policy.disables(n));
    }
    BOOST_TEST(policy.disables(6));
    BOOST_TEST(!failure_policy::retry().delay_after(7).has_value());
    BOOST_TEST(!failure_policy::retry().disables(1'000'000));
}

BOOST_AUTO_TEST_CASE(backoff_does_not_overflow) {
    const auto policy = failure_policy::backoff(1ns, std::chrono::nanoseconds::max());
    BOOST_TEST((policy.delay_after(4'000'000'000u) == std::chrono::nanoseconds::max()));
}

BOOST_AUTO_TEST_CASE(a_final_newline_is_added_only_where_it_is_missing) {
    BOOST_TEST(muster::checkpoint_text("Emit a checkpoint now.") == "Emit a checkpoint now.\n");
    BOOST_TEST(muster::checkpoint_text("go\n") == "go\n");
    BOOST_TEST(muster::checkpoint_text("  \t\n").empty());
    BOOST_TEST(muster::checkpoint_text("").empty());
}

BOOST_AUTO_TEST_CASE(no_interval_or_no_prompt_is_not_periodic) {
    BOOST_TEST(muster::checkpoint_policy{}.is_periodic());
    BOOST_TEST(!muster::checkpoint_policy::off().is_periodic());
    const muster::checkpoint_policy blank{10ms, " \n"};
    BOOST_TEST(!blank.is_periodic());
}

BOOST_AUTO_TEST_CASE(invalid_policies_are_configuration_errors) {
    const auto is_configuration = [](const muster::error& e) {
        return e.code() == muster::condition::configuration;
    };
    muster::checkpoint_policy policy{-1ns};
    BOOST_CHECK_EXCEPTION(policy.validate(), muster::error, is_configuration);
    policy = {};
    policy.leeway = -1ns;
    BOOST_CHECK_EXCEPTION(policy.validate(), muster::error, is_configuration);
    policy.leeway = 0ns;
    policy.send_deadline = 0ns;
    BOOST_CHECK_EXCEPTION(policy.validate(), muster::error, is_configuration);
    policy = {};
    policy.on_failure = failure_policy::disable_after(0);
    BOOST_CHECK_EXCEPTION(policy.validate(), muster::error, is_configuration);
    policy.on_failure = failure_policy::backoff(2s, 1s);
    BOOST_CHECK_EXCEPTION(policy.validate(), muster::error, is_configuration);
    policy.on_failure = failure_policy::backoff(1s, 1s);
    BOOST_CHECK_NO_THROW(policy.validate());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
