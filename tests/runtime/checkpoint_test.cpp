#include "prompt_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::prompt_fixture;
using texts = std::vector<std::string>;

checkpoint_policy when_busy(busy_action action) {
    checkpoint_policy policy{1s};
    policy.when_busy = action;
    return policy;
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(checkpoint)

// ---- what is sent

BOOST_AUTO_TEST_CASE(a_prompt_goes_out_with_a_final_newline) {
    prompt_fixture f{checkpoint_policy{1s, "How far?"}};
    f.spawn("a");
    f.clock.advance(1s);
    BOOST_TEST(f.backend->inputs("a") == texts{"How far?\n"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_newline_that_is_there_is_not_doubled) {
    prompt_fixture f{checkpoint_policy{1s, "How far?\n"}};
    f.spawn("a");
    f.clock.advance(1s);
    BOOST_TEST(f.backend->inputs("a") == texts{"How far?\n"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(by_default_a_session_is_prompted_every_two_minutes) {
    prompt_fixture f;
    f.spawn("a");
    f.clock.advance(120s - 1ms);
    BOOST_TEST(f.prompts("a") == 0u);
    f.clock.advance(1ms);
    BOOST_TEST(f.backend->inputs("a") == texts{"Emit a checkpoint now.\n"},
               boost::test_tools::per_element());
    f.clock.advance(120s);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(an_interval_of_zero_turns_prompting_off) {
    prompt_fixture f{checkpoint_policy::off()};
    f.spawn("a");
    f.clock.advance(1h);
    BOOST_TEST(f.prompts("a") == 0u);
    BOOST_TEST(f.clock.wake_ups() == 0u);
}

BOOST_AUTO_TEST_CASE(a_prompt_of_white_space_turns_prompting_off) {
    for (const auto* nothing : {"", " \t\r\n"}) {
        prompt_fixture f{checkpoint_policy{1s, nothing}};
        f.spawn("a");
        f.clock.advance(1h);
        BOOST_TEST(f.prompts("a") == 0u);
        BOOST_TEST(f.clock.wake_ups() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_session_without_periodic_prompts_can_be_asked) {
    prompt_fixture f{checkpoint_policy::off()};
    f.spawn("a");
    const auto receipt = f.wait(f.subject->prompt_checkpoint("a", "Now?"));
    BOOST_TEST((receipt.outcome == prompt_outcome::sent));
    BOOST_TEST(f.backend->inputs("a") == texts{"Now?\n"}, boost::test_tools::per_element());
}

// ---- when

BOOST_AUTO_TEST_CASE(the_first_prompt_is_due_one_interval_after_the_spawn) {
    prompt_fixture f{checkpoint_policy{10s}};
    f.clock.advance(7s);
    f.spawn("a");
    f.clock.advance(10s - 1ms);
    BOOST_TEST(f.prompts("a") == 0u);
    f.clock.advance(1ms);
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_wakes_up_while_nothing_is_due) {
    prompt_fixture f;
    BOOST_TEST(!f.clock.next_alarm());
    f.spawn("a");
    f.spawn("b");
    f.clock.advance(119s);
    BOOST_TEST(f.clock.wake_ups() == 0u);
    f.clock.advance(1s);
    BOOST_TEST(f.clock.wake_ups() == 1u);
}

BOOST_AUTO_TEST_CASE(the_cadence_does_not_drift) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    for (std::size_t due = 1; due <= 50; ++due) {
        f.clock.advance(1s - 1ms);
        BOOST_TEST(f.prompts("a") == due - 1);
        f.clock.advance(1ms);
        BOOST_TEST(f.prompts("a") == due);
    }
}

BOOST_AUTO_TEST_CASE(every_tick_within_a_big_step_is_sent_once) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.clock.advance(1000s);
    BOOST_TEST(f.prompts("a") == 1000u);
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 1000u);
}

BOOST_AUTO_TEST_CASE(what_a_stall_has_missed_is_skipped_and_the_phase_stays) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.clock.stall(5500ms);
    f.settle();
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(499ms);
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(1ms);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(what_a_stall_has_missed_can_delay_the_cadence) {
    checkpoint_policy policy{1s};
    policy.when_missed = missed_tick_action::delay;
    prompt_fixture f{policy};
    f.spawn("a");
    f.clock.stall(5500ms);
    f.settle();
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(999ms);
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(1ms);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(a_stall_shorter_than_the_interval_shifts_nothing) {
    checkpoint_policy policy{1s};
    policy.when_missed = missed_tick_action::delay;
    prompt_fixture f{policy};
    f.spawn("a");
    f.clock.stall(1300ms);
    f.settle();
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(700ms);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(each_session_follows_its_own_policy) {
    prompt_fixture f{checkpoint_policy{1s, "runtime"}};
    f.spawn("a");
    f.spawn("b", checkpoint_policy{3s, "own"});
    f.spawn("c", checkpoint_policy::off());
    f.clock.advance(6s);
    BOOST_TEST(f.prompts("a") == 6u);
    BOOST_TEST(f.backend->inputs("a").back() == "runtime\n");
    BOOST_TEST(f.backend->inputs("b") == (texts{"own\n", "own\n"}),
               boost::test_tools::per_element());
    BOOST_TEST(f.prompts("c") == 0u);
}

BOOST_AUTO_TEST_CASE(without_spreading_all_sessions_share_a_phase) {
    prompt_fixture f{checkpoint_policy{1s}};
    for (int i = 0; i < 16; ++i) {
        f.spawn(std::to_string(i).c_str());
    }
    f.clock.advance(999ms);
    BOOST_TEST(f.backend->inputs_accepted() == 0u);
    f.clock.advance(1ms);
    BOOST_TEST(f.backend->inputs_accepted() == 16u);
}

BOOST_AUTO_TEST_CASE(spread_phases_are_within_the_interval_and_apart) {
    checkpoint_policy policy{1s};
    policy.spread_phase = true;
    prompt_fixture f{policy};
    for (int i = 0; i < 64; ++i) {
        f.spawn(std::to_string(i).c_str());
    }
    f.clock.advance(500ms);
    const auto half = f.backend->inputs_accepted();
    BOOST_TEST(half > 12u);
    BOOST_TEST(half < 52u);
    f.clock.advance(500ms);
    BOOST_TEST(f.backend->inputs_accepted() == 64u);
    BOOST_TEST(f.clock.wake_ups() > 32u);
    f.clock.advance(10s);
    BOOST_TEST(f.backend->inputs_accepted() == 11u * 64u);
}

// ---- to whom

BOOST_AUTO_TEST_CASE(the_focused_session_is_skipped_and_counted) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.spawn("b");
    f.wait(f.subject->focus("a"));
    f.clock.advance(2s);
    BOOST_TEST(f.prompts("a") == 0u);
    BOOST_TEST(f.prompts("b") == 2u);
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 4u);
    BOOST_TEST(f.total(counter::checkpoint_skips_focused_total) == 2u);
    BOOST_TEST(f.total(counter::checkpoint_send_attempts_total) == 2u);
    BOOST_TEST(f.receipts() ==
                   (texts{"a skipped_focused", "b sent", "a skipped_focused", "b sent"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(prompts_go_on_at_the_old_phase_when_the_focus_moves_away) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.spawn("b");
    f.wait(f.subject->focus("a"));
    f.clock.advance(2500ms);
    f.wait(f.subject->focus("b"));
    BOOST_TEST(f.prompts("a") == 0u);
    f.clock.advance(500ms);
    BOOST_TEST(f.prompts("a") == 1u);
    BOOST_TEST(f.prompts("b") == 2u);
    f.wait(f.subject->focus(std::nullopt));
    f.clock.advance(1s);
    BOOST_TEST(f.prompts("a") == 2u);
    BOOST_TEST(f.prompts("b") == 3u);
}

BOOST_AUTO_TEST_CASE(a_focused_session_can_still_be_asked) {
    prompt_fixture f;
    f.spawn("a");
    f.wait(f.subject->focus("a"));
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::sent));
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_has_ended_is_prompted_no_more) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("done");
    f.spawn("killed");
    f.clock.advance(2s);
    f.say("done", event{done{}});
    f.wait(f.subject->kill("killed"));
    f.clock.advance(1h);
    BOOST_TEST(f.prompts("done") == 2u);
    BOOST_TEST(f.prompts("killed") == 2u);
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 4u);
    BOOST_TEST(f.clock.wake_ups() <= 3u);
    BOOST_TEST(f.diagnostics().empty());
}

BOOST_AUTO_TEST_CASE(a_session_that_comes_back_under_its_old_id_is_prompted_afresh) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.clock.advance(1700ms);
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->remove("a"));
    f.spawn("a");
    f.clock.advance(999ms);
    BOOST_TEST(f.prompts("a") == 0u);
    f.clock.advance(1ms);
    BOOST_TEST(f.prompts("a") == 1u);
}

// ---- turns and questions

BOOST_AUTO_TEST_CASE(prompts_that_were_due_in_a_turn_become_one_when_it_ends) {
    prompt_fixture f{checkpoint_policy{1s}}; // coalescing is the default
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(3500ms);
    BOOST_TEST(f.prompts("a") == 0u);
    BOOST_TEST(f.total(counter::checkpoint_deferred_busy_total) == 3u);
    BOOST_TEST(f.total(counter::checkpoint_send_attempts_total) == 0u);
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.prompts("a") == 1u);
    BOOST_TEST(f.receipts() ==
                   (texts{"a deferred_busy", "a deferred_busy", "a deferred_busy", "a sent"}),
               boost::test_tools::per_element());
    f.clock.advance(500ms);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(a_turn_in_which_nothing_was_due_causes_no_prompt) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(500ms);
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.prompts("a") == 0u);
}

BOOST_AUTO_TEST_CASE(a_policy_can_skip_what_is_due_in_a_turn) {
    prompt_fixture f{when_busy(busy_action::skip)};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(2500ms);
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.prompts("a") == 0u);
    BOOST_TEST(f.receipts() == (texts{"a refused", "a refused"}), boost::test_tools::per_element());
    f.clock.advance(500ms);
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(a_policy_can_send_in_a_turn) {
    prompt_fixture f{when_busy(busy_action::send)};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(2s);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(a_deferred_prompt_waits_for_the_focus_to_go) {
    prompt_fixture f{checkpoint_policy{10s}};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(10s);
    f.wait(f.subject->focus("a"));
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.prompts("a") == 0u);
    f.wait(f.subject->focus(std::nullopt));
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_with_an_open_question_is_never_prompted) {
    for (const auto action : {busy_action::skip, busy_action::coalesce, busy_action::send}) {
        prompt_fixture f{when_busy(action)};
        f.spawn("a");
        f.say("a", event{needs_input{"q", "Go on?"}});
        f.clock.advance(2500ms);
        BOOST_TEST(
            (f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::refused));
        BOOST_TEST(f.prompts("a") == 0u);
        BOOST_TEST(f.receipts() == (texts{"a refused", "a refused", "a refused asked"}),
                   boost::test_tools::per_element());
        f.wait(f.subject->respond_to_needs_input("a", needs_input_response{"q", "yes"}));
        BOOST_TEST(f.prompts("a") == 0u);
        f.clock.advance(500ms);
        BOOST_TEST(f.prompts("a") == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_deferred_prompt_waits_for_the_answer_too) {
    prompt_fixture f{checkpoint_policy{10s}};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    f.clock.advance(10s);
    f.say("a", event{needs_input{"q", "Go on?"}});
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.prompts("a") == 0u);
    f.wait(f.subject->respond_to_needs_input("a", needs_input_response{"q", "yes"}));
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
