// Prompts that somebody asked for during a turn: they go out with their own words, once.

#include "prompt_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using texts = std::vector<std::string>;

class deferred_fixture : public test::prompt_fixture {
public:
    deferred_fixture() : prompt_fixture{checkpoint_policy{10s, "due"}} {}

    void ask_in_turn(const char* text) {
        say("a", event{turn_state{true}});
        const auto receipt = wait(subject->prompt_checkpoint("a", text));
        BOOST_TEST((receipt.outcome == prompt_outcome::deferred_busy));
    }
    void end_turn() { say("a", event{turn_state{false}}); }
    /// A turn in which a periodic prompt is due.
    void pass_turn() {
        say("a", event{turn_state{true}});
        clock.advance(10s);
        end_turn();
    }
    void require_prompts(const texts& expected) {
        BOOST_TEST(backend->inputs("a") == expected, boost::test_tools::per_element());
    }
};

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_FIXTURE_TEST_SUITE(deferred_prompt, deferred_fixture)

BOOST_AUTO_TEST_CASE(it_goes_out_when_the_turn_ends_and_stands_for_what_was_due) {
    spawn("a");
    ask_in_turn("asked");
    clock.advance(10s);
    end_turn();
    require_prompts({"asked\n"});
    BOOST_TEST(receipts() == (texts{"a deferred_busy asked", "a deferred_busy", "a sent asked"}),
               boost::test_tools::per_element());
    pass_turn();
    require_prompts({"asked\n", "due\n"});
}

BOOST_AUTO_TEST_CASE(it_is_not_held_back_by_the_focus) {
    spawn("a");
    wait(subject->focus("a"));
    ask_in_turn("asked");
    end_turn();
    require_prompts({"asked\n"});
}

BOOST_AUTO_TEST_CASE(a_later_one_does_not_leave_its_words_behind) {
    spawn("a");
    ask_in_turn("first");
    wait(subject->focus("a"));
    end_turn();
    wait(subject->prompt_checkpoint("a", "second"));
    wait(subject->focus(std::nullopt));
    pass_turn();
    require_prompts({"first\n", "second\n", "due\n"});
}

BOOST_AUTO_TEST_CASE(it_ends_with_its_worker) {
    spawn_options options;
    options.restart = restart_policy{restart_policy::mode::on_crash};
    spawn("a", options);
    ask_in_turn("to the old worker");
    say("a", event{crashed{"boom"}});
    clock.advance(options.restart.initial_delay);
    BOOST_TEST(wait(subject->status("a")).restarts == 1u);
    pass_turn();
    require_prompts({"due\n"});
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
