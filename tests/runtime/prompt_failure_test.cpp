#include "cancellable_call.hpp"
#include "prompt_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using boost::test_tools::per_element;
using test::cancellable_call;
using test::prompt_fixture;
using mode = script::input_mode;
using texts = std::vector<std::string>;

checkpoint_policy after_failure(failure_policy what, std::chrono::nanoseconds interval = 1s) {
    checkpoint_policy policy{interval};
    policy.on_failure = what;
    policy.send_deadline = 2500ms;
    return policy;
}

script hung() {
    return script{}.input(mode::hang).idle();
}

script refusing() {
    return script{}.input(mode::refuse).idle();
}

constexpr asio::cancellation_type cancellation_types[]{asio::cancellation_type::terminal,
                                                       asio::cancellation_type::partial,
                                                       asio::cancellation_type::total};

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(prompt_failure)

// ---- a backend that hangs

BOOST_AUTO_TEST_CASE(a_hung_backend_delays_no_other_session) {
    prompt_fixture f{checkpoint_policy{1s}};
    f.spawn("a");
    f.set_input("a", mode::hang);
    f.spawn("b");
    for (std::size_t due = 1; due <= 9; ++due) {
        f.clock.advance(1s);
        BOOST_TEST(f.prompts("b") == due);
    }
    BOOST_TEST(f.prompts("a") == 0u);
}

BOOST_AUTO_TEST_CASE(while_a_prompt_is_in_flight_further_ticks_are_coalesced) {
    prompt_fixture f{checkpoint_policy{1s}, hung()};
    f.spawn("a");
    f.clock.advance(4s);
    BOOST_TEST(f.receipts() == (texts{"a coalesced", "a coalesced", "a coalesced"}), per_element());
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 4u);
    BOOST_TEST(f.total(counter::checkpoint_send_attempts_total) == 1u);
    BOOST_TEST(f.total(counter::checkpoint_coalesced_total) == 3u);
    f.set_input("a", mode::accept);
    BOOST_TEST(f.receipts() == texts{"a sent"}, per_element());
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(1s);
    BOOST_TEST(f.prompts("a") == 2u);
}

BOOST_AUTO_TEST_CASE(a_prompt_times_out_after_ten_seconds_by_default) {
    prompt_fixture f{checkpoint_policy{60s}, hung()};
    f.spawn("a");
    f.clock.advance(70s - 1ms);
    BOOST_TEST(f.receipts().empty());
    f.clock.advance(1ms);
    BOOST_TEST(f.receipts() == texts{"a timed_out"}, per_element());
    BOOST_TEST(f.diagnostics() == texts{"failure 1"}, per_element());
    BOOST_TEST(f.total(counter::checkpoint_send_timeouts_total) == 1u);
    BOOST_TEST(f.total(counter::checkpoint_send_failures_total) == 0u);
    f.set_input("a", mode::accept);
    BOOST_TEST(f.prompts("a") == 0u); // it was given up
    f.clock.advance(50s);
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(by_default_three_failures_in_a_row_end_the_prompting) {
    prompt_fixture f{after_failure(failure_policy::disable_after()), hung()};
    f.spawn("a");
    f.clock.advance(1h);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "failure 2", "failure 3", "disabled 3"}),
               per_element());
    BOOST_TEST(f.receipts() == (texts{"a coalesced", "a coalesced", "a timed_out", //
                                      "a coalesced", "a coalesced", "a timed_out", //
                                      "a coalesced", "a coalesced", "a timed_out"}),
               per_element());
    BOOST_TEST(f.total(counter::checkpoint_ticks_total) == 9u);
    BOOST_TEST(f.total(counter::checkpoint_send_timeouts_total) == 3u);
    BOOST_TEST(f.total(counter::checkpoint_disables_total) == 1u);
    BOOST_TEST(!f.clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_kill_during_a_hung_prompt_is_not_a_failure) {
    prompt_fixture f{checkpoint_policy{1s}, hung()};
    f.spawn("a");
    f.clock.advance(1s);
    f.wait(f.subject->kill("a"));
    f.clock.advance(1h);
    BOOST_TEST(f.diagnostics().empty());
    BOOST_TEST(f.receipts() == texts{"a failed"}, per_element());
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(an_end_during_a_hung_prompt_is_not_a_failure) {
    prompt_fixture f{checkpoint_policy{1s}, hung()};
    f.spawn("a");
    f.clock.advance(1s);
    f.say("a", event{done{}});
    f.clock.advance(1h);
    BOOST_TEST(f.diagnostics().empty());
    BOOST_TEST(f.receipts().size() == 1u);
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(destroying_the_runtime_during_a_hung_prompt_leaves_nothing) {
    prompt_fixture f{checkpoint_policy{1s}, hung()};
    f.spawn("a");
    f.clock.advance(1s);
    auto asked = f.start(f.subject->prompt_checkpoint("a", "p"));
    f.settle();
    f.subject.reset();
    f.settle();
    BOOST_TEST(asked.ready());
    BOOST_TEST(f.backend->alive() == 0u);
}

// ---- failure policies

BOOST_AUTO_TEST_CASE(a_refused_prompt_is_a_failure) {
    prompt_fixture f{after_failure(failure_policy::disable_after(2)), refusing()};
    f.spawn("a");
    f.clock.advance(1h);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "failure 2", "disabled 2"}), per_element());
    BOOST_TEST(f.receipts() == (texts{"a failed", "a failed"}), per_element());
    BOOST_TEST(f.total(counter::checkpoint_send_attempts_total) == 2u);
    BOOST_TEST(f.total(counter::checkpoint_send_failures_total) == 2u);
    BOOST_TEST(f.total(counter::checkpoint_disables_total) == 1u);
    BOOST_TEST(!f.clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(one_sessions_failures_do_not_stop_another) {
    prompt_fixture f{after_failure(failure_policy::disable_after(1))};
    f.spawn("a");
    f.set_input("a", mode::refuse);
    f.spawn("b");
    f.clock.advance(5s);
    BOOST_TEST(f.prompts("a") == 0u);
    BOOST_TEST(f.prompts("b") == 5u);
}

BOOST_AUTO_TEST_CASE(a_success_forgives_the_failures_before_it) {
    prompt_fixture f{after_failure(failure_policy::disable_after(2)), refusing()};
    f.spawn("a");
    f.clock.advance(1s);
    f.set_input("a", mode::accept);
    f.clock.advance(1s);
    f.set_input("a", mode::refuse);
    f.clock.advance(1s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "failure 1"}), per_element());
    f.clock.advance(1s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 2", "disabled 2"}), per_element());
}

BOOST_AUTO_TEST_CASE(retrying_goes_on_at_the_normal_cadence_for_ever) {
    prompt_fixture f{after_failure(failure_policy::retry()), refusing()};
    f.spawn("a");
    f.clock.advance(100s);
    const auto told = f.diagnostics();
    BOOST_TEST(told.size() == 100u);
    BOOST_TEST(told.back() == "failure 100");
    f.set_input("a", mode::accept);
    f.clock.advance(1s);
    BOOST_TEST(f.prompts("a") == 1u);
}

BOOST_AUTO_TEST_CASE(backing_off_doubles_the_delay_up_to_its_maximum) {
    prompt_fixture f{after_failure(failure_policy::backoff(4s, 10s)), refusing()};
    f.spawn("a");
    f.clock.advance(1s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "backoff 1 4s"}), per_element());
    f.clock.advance(4s - 1ms);
    BOOST_TEST(f.diagnostics().empty());
    f.clock.advance(1ms);
    BOOST_TEST(f.diagnostics() == (texts{"failure 2", "backoff 2 8s"}), per_element());
    f.clock.advance(8s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 3", "backoff 3 10s"}), per_element());
    f.clock.advance(10s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 4", "backoff 4 10s"}), per_element());
    BOOST_TEST(f.total(counter::checkpoint_backoffs_total) == 4u);
    BOOST_TEST(f.total(counter::checkpoint_disables_total) == 0u);
}

BOOST_AUTO_TEST_CASE(after_a_backoff_that_helped_the_cadence_goes_on) {
    prompt_fixture f{after_failure(failure_policy::backoff(4s, 10s)), refusing()};
    f.spawn("a");
    f.clock.advance(1s);
    f.set_input("a", mode::accept);
    f.clock.advance(4s);
    BOOST_TEST(f.prompts("a") == 1u);
    f.clock.advance(1s);
    BOOST_TEST(f.prompts("a") == 2u);
    f.set_input("a", mode::refuse);
    f.diagnostics();
    f.clock.advance(1s);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "backoff 1 4s"}), per_element());
}

BOOST_AUTO_TEST_CASE(backing_off_can_give_up) {
    prompt_fixture f{after_failure(failure_policy::backoff(4s, 10s, 2)), refusing()};
    f.spawn("a");
    f.clock.advance(1h);
    BOOST_TEST(f.diagnostics() == (texts{"failure 1", "backoff 1 4s", "failure 2", "disabled 2"}),
               per_element());
    BOOST_TEST(!f.clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_session_whose_prompting_was_disabled_can_still_be_asked) {
    prompt_fixture f{after_failure(failure_policy::disable_after(1)), refusing()};
    f.spawn("a");
    f.clock.advance(2s);
    f.set_input("a", mode::accept);
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::sent));
}

// ---- prompts that somebody asked for

BOOST_AUTO_TEST_CASE(asking_returns_the_receipt_that_is_published) {
    prompt_fixture f{checkpoint_policy::off()};
    f.spawn("a");
    const auto receipt = f.wait(f.subject->prompt_checkpoint("a", "p"));
    BOOST_TEST(receipt.session.view() == "a");
    BOOST_TEST((receipt.outcome == prompt_outcome::sent));
    BOOST_TEST(!receipt.periodic);
    BOOST_TEST(!receipt.error);
    BOOST_TEST(f.receipts() == texts{"a sent asked"}, per_element());
}

BOOST_AUTO_TEST_CASE(asking_a_backend_that_refuses_returns_its_error) {
    prompt_fixture f{checkpoint_policy::off(), refusing()};
    f.spawn("a");
    const auto receipt = f.wait(f.subject->prompt_checkpoint("a", "p"));
    BOOST_TEST((receipt.outcome == prompt_outcome::failed));
    BOOST_TEST((receipt.error == errc::process));
}

BOOST_AUTO_TEST_CASE(asking_a_hung_backend_times_out) {
    prompt_fixture f{after_failure(failure_policy::retry(), 1h), hung()};
    f.spawn("a");
    auto asked = f.start(f.subject->prompt_checkpoint("a", "p"));
    f.clock.advance(2499ms);
    BOOST_TEST(!asked.ready());
    f.clock.advance(1ms);
    const auto receipt = asked.get();
    BOOST_TEST((receipt.outcome == prompt_outcome::timed_out));
    BOOST_TEST((receipt.error == errc::send_timed_out));
    BOOST_TEST(f.receipts() == texts{"a timed_out asked"}, per_element());
}

BOOST_AUTO_TEST_CASE(asking_while_a_prompt_is_in_flight_is_coalesced) {
    prompt_fixture f{checkpoint_policy::off(), hung()};
    f.spawn("a");
    auto first = f.start(f.subject->prompt_checkpoint("a", "first"));
    const auto second = f.wait(f.subject->prompt_checkpoint("a", "second"));
    BOOST_TEST((second.outcome == prompt_outcome::coalesced));
    f.set_input("a", mode::accept);
    BOOST_TEST((first.get().outcome == prompt_outcome::sent));
    BOOST_TEST(f.backend->inputs("a") == texts{"first\n"}, per_element());
}

BOOST_AUTO_TEST_CASE(what_was_asked_in_a_turn_goes_out_in_its_own_words_when_it_ends) {
    prompt_fixture f{checkpoint_policy::off()};
    f.spawn("a");
    f.say("a", event{turn_state{true}});
    const auto receipt = f.wait(f.subject->prompt_checkpoint("a", "mine"));
    BOOST_TEST((receipt.outcome == prompt_outcome::deferred_busy));
    f.say("a", event{turn_state{false}});
    BOOST_TEST(f.backend->inputs("a") == texts{"mine\n"}, per_element());
    BOOST_TEST(f.receipts() == (texts{"a deferred_busy asked", "a sent asked"}), per_element());
}

// ---- giving up

BOOST_AUTO_TEST_CASE(cancelling_an_input_abandons_it) {
    for (const auto type : cancellation_types) {
        prompt_fixture f{checkpoint_policy::off(), hung()};
        f.spawn("a");
        cancellable_call call{f, f.subject->send_input("a", "x")};
        BOOST_TEST(call.calls() == 0);
        call.cancel(type);
        f.settle();
        BOOST_TEST(call.calls() == 1);
        BOOST_TEST((call.error() == asio::error::operation_aborted));
        f.set_input("a", mode::accept);
        BOOST_TEST(f.prompts("a") == 0u);
        f.wait(f.subject->send_input("a", "y"));
        BOOST_TEST(f.prompts("a") == 1u);
    }
}

BOOST_AUTO_TEST_CASE(cancelling_a_prompt_abandons_it_and_is_not_a_failure) {
    for (const auto type : cancellation_types) {
        prompt_fixture f{checkpoint_policy::off(), hung()};
        f.spawn("a");
        cancellable_call call{f, f.subject->prompt_checkpoint("a", "x")};
        call.cancel(type);
        f.settle();
        BOOST_TEST(call.calls() == 1);
        BOOST_TEST((call.error() == asio::error::operation_aborted));
        BOOST_TEST(f.diagnostics().empty());
        f.set_input("a", mode::accept);
        BOOST_TEST(f.prompts("a") == 0u);
        BOOST_TEST(
            (f.wait(f.subject->prompt_checkpoint("a", "y")).outcome == prompt_outcome::sent));
        BOOST_TEST(f.prompts("a") == 1u);
        f.clock.advance(1h);
        BOOST_TEST(call.calls() == 1);
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
