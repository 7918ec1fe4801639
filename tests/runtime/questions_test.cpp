#include "cancellable_call.hpp"
#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::cancellable_call;
using test::runtime_fixture;

/// "q" with two questions: "free" takes any text, "color" red or blue.
needs_input two_questions() {
    std::vector<question_option> colors;
    colors.emplace_back("red");
    colors.emplace_back("blue", "like the sky");
    std::vector<question> asked;
    asked.emplace_back("free", "What else?");
    asked.emplace_back("color", "Which color?", colors);
    return needs_input{"q", "Some questions", {}, {}, asked};
}

/// A session "a" that has asked.
class asking_fixture : public runtime_fixture {
public:
    explicit asking_fixture(needs_input asked) {
        spawn("a");
        ask(std::move(asked));
    }

    void ask(needs_input asked) {
        backend->push("a", event{std::move(asked)});
        settle();
    }
    void respond(needs_input_response response) {
        wait(subject->respond_to_needs_input("a", std::move(response)));
    }
    /// What is wrong with `answers` to "q".
    sys::error_code problem_with(std::vector<input_answer> answers) {
        return failure_of(
            subject->respond_to_needs_input("a", needs_input_response{"q", std::move(answers)}));
    }
    std::vector<std::string> open() {
        std::vector<std::string> ids;
        for (const auto& each : wait(subject->status("a")).open_questions) {
            ids.push_back(each.get_if<needs_input>()->prompt_id);
        }
        return ids;
    }
};

using ids = std::vector<std::string>;
using boost::test_tools::per_element;

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(questions)

BOOST_AUTO_TEST_CASE(an_open_question_is_shown_until_it_is_answered) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    const auto shown = f.wait(f.subject->list()).front().open_questions;
    BOOST_REQUIRE(shown.size() == 1u);
    BOOST_TEST(shown.front().get_if<needs_input>()->question_text == "Go on?");
    f.respond(needs_input_response{"q", "yes"});
    BOOST_TEST(f.open().empty());
    const auto given = f.backend->responses("a");
    BOOST_REQUIRE(given.size() == 1u);
    BOOST_TEST(given.front().prompt_id == "q");
    BOOST_TEST(given.front().answers.front().answer == "yes");
}

BOOST_AUTO_TEST_CASE(several_questions_can_be_open_and_are_answered_in_any_order) {
    asking_fixture f{needs_input{"q", "one"}};
    f.ask(needs_input{"r", "two"});
    f.ask(needs_input{"s", "three"});
    BOOST_TEST(f.open() == (ids{"q", "r", "s"}), per_element());
    f.respond(needs_input_response{"r", "2"});
    BOOST_TEST(f.open() == (ids{"q", "s"}), per_element());
    f.respond(needs_input_response{"s", "3"});
    f.respond(needs_input_response{"q", "1"});
    BOOST_TEST(f.open().empty());
    BOOST_TEST(f.backend->responses("a").size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_question_that_is_asked_again_is_replaced) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.ask(needs_input{"q", "Really?"});
    const auto shown = f.wait(f.subject->status("a")).open_questions;
    BOOST_REQUIRE(shown.size() == 1u);
    BOOST_TEST(shown.front().get_if<needs_input>()->question_text == "Really?");
}

BOOST_AUTO_TEST_CASE(of_many_open_questions_the_newest_are_kept) {
    constexpr std::size_t kept = session_info::max_open_questions;
    asking_fixture f{needs_input{"0", "Go on?"}};
    ids newest;
    for (std::size_t i = 1; i < 1'000; ++i) {
        f.backend->push("a", event{needs_input{std::to_string(i), "Go on?"}});
        if (i >= 1'000 - kept) {
            newest.push_back(std::to_string(i));
        }
    }
    f.settle();
    BOOST_TEST(f.open() == newest, per_element());
    BOOST_TEST(f.wait(f.subject->status("a")).dropped_questions == 1'000 - kept);
    const auto lost = std::to_string(1'000 - kept - 1);
    BOOST_TEST((f.failure_of(f.subject->respond_to_needs_input(
                    "a", needs_input_response{lost, "yes"})) == errc::prompt_not_found));
    for (const auto& id : newest) {
        BOOST_TEST(
            (f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::refused));
        f.respond(needs_input_response{id, "yes"});
    }
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::sent));
}

BOOST_AUTO_TEST_CASE(an_unknown_prompt_is_an_error_that_names_it) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    BOOST_TEST((f.failure_of(f.subject->respond_to_needs_input(
                    "a", needs_input_response{"x", "yes"})) == errc::prompt_not_found));
    BOOST_TEST(f.last_message.find("'a'") != std::string::npos);
    BOOST_TEST(f.last_message.find("'x'") != std::string::npos);
    BOOST_TEST(f.open() == ids{"q"}, per_element());
}

BOOST_AUTO_TEST_CASE(a_question_can_be_answered_once) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.respond(needs_input_response{"q", "yes"});
    BOOST_TEST((f.failure_of(f.subject->respond_to_needs_input(
                    "a", needs_input_response{"q", "yes"})) == errc::prompt_not_found));
    BOOST_TEST(f.backend->responses("a").size() == 1u);
}

BOOST_AUTO_TEST_CASE(every_question_needs_exactly_one_answer) {
    asking_fixture f{two_questions()};
    const input_answer free{"free", "nothing"};
    const input_answer color{"color", "red"};
    const input_answer other{"other", "red"};
    BOOST_TEST((f.problem_with({}) == errc::configuration));
    BOOST_TEST((f.problem_with({free}) == errc::configuration));
    BOOST_TEST((f.problem_with({free, free}) == errc::configuration));
    BOOST_TEST((f.problem_with({free, color, color}) == errc::configuration));
    BOOST_TEST((f.problem_with({free, other}) == errc::configuration));
    BOOST_TEST((f.problem_with({free, color, other}) == errc::configuration));
    BOOST_TEST(f.open() == ids{"q"}, per_element());
    BOOST_TEST(f.backend->responses("a").empty());
    f.respond(needs_input_response{"q", {color, free}});
    BOOST_TEST(f.open().empty());
}

BOOST_AUTO_TEST_CASE(an_answer_must_be_one_of_its_questions_options) {
    asking_fixture f{two_questions()};
    const input_answer free{"free", "nothing"};
    BOOST_TEST((f.problem_with({free, input_answer{"color", "green"}}) == errc::configuration));
    BOOST_TEST(f.last_message.find("color") != std::string::npos);
    f.respond(needs_input_response{"q", {free, input_answer{"color", "blue"}}});
}

BOOST_AUTO_TEST_CASE(a_question_may_allow_other_answers_than_its_options) {
    auto asked = two_questions();
    asked.questions.back().is_other = true;
    asking_fixture f{asked};
    f.respond(
        needs_input_response{"q", {input_answer{"free", ""}, input_answer{"color", "green"}}});
    BOOST_TEST(f.open().empty());
}

BOOST_AUTO_TEST_CASE(a_prompt_with_plain_options_takes_one_of_them) {
    asking_fixture f{needs_input{"q", "Go on?", {"yes", "no"}, "yes"}};
    BOOST_TEST((f.problem_with({input_answer{"", "maybe"}}) == errc::configuration));
    BOOST_TEST((f.problem_with({}) == errc::configuration));
    BOOST_TEST(
        (f.problem_with({input_answer{"", "yes"}, input_answer{"", "no"}}) == errc::configuration));
    f.respond(needs_input_response{"q", "no"});
    BOOST_TEST(f.backend->responses("a").front().answers.front().answer == "no");
}

BOOST_AUTO_TEST_CASE(a_question_whose_answer_the_backend_refuses_is_open_again) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.backend->set_input("a", script::input_mode::refuse);
    f.settle();
    BOOST_TEST((f.problem_with({input_answer{"", "yes"}}) == errc::process));
    BOOST_TEST(f.open() == ids{"q"}, per_element());
    f.backend->set_input("a", script::input_mode::accept);
    f.respond(needs_input_response{"q", "yes"});
    BOOST_TEST(f.open().empty());
}

BOOST_AUTO_TEST_CASE(a_response_whose_caller_gives_up_leaves_the_question_open) {
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                            asio::cancellation_type::total}) {
        asking_fixture f{needs_input{"q", "Go on?"}};
        f.backend->set_input("a", script::input_mode::hang);
        f.settle();
        cancellable_call call{
            f, f.subject->respond_to_needs_input("a", needs_input_response{"q", "yes"})};
        BOOST_TEST(call.calls() == 0);
        BOOST_TEST(f.open().empty()); // nobody else may answer it meanwhile
        call.cancel(type);
        f.settle();
        BOOST_TEST(call.calls() == 1);
        BOOST_TEST((call.error() == asio::error::operation_aborted));
        BOOST_TEST(f.open() == ids{"q"}, per_element());
        f.backend->set_input("a", script::input_mode::accept);
        f.respond(needs_input_response{"q", "yes"});
        BOOST_TEST(f.backend->responses("a").size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(while_an_answer_is_under_way_no_prompt_goes_out) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.backend->set_input("a", script::input_mode::hang);
    f.settle();
    auto answering =
        f.start(f.subject->respond_to_needs_input("a", needs_input_response{"q", "yes"}));
    f.settle();
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::refused));
    f.backend->set_input("a", script::input_mode::refuse); // the question is open again
    f.settle();
    BOOST_CHECK_THROW(answering.get(), error);
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::refused));
    f.backend->set_input("a", script::input_mode::accept);
    f.respond(needs_input_response{"q", "yes"});
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::sent));
}

BOOST_AUTO_TEST_CASE(a_question_carries_all_that_was_asked) {
    auto asked = two_questions();
    asked.question_text = "Some questions";
    asked.default_option = "red";
    asked.questions[0].header = "Else";
    asked.questions[0].is_secret = true;
    asked.questions[1].is_other = true;
    asking_fixture f{asked};
    const auto shown = f.wait(f.subject->status("a")).open_questions;
    BOOST_REQUIRE(shown.size() == 1u);
    const auto& open = *shown.front().get_if<needs_input>();
    BOOST_TEST(open.default_option.value() == "red");
    BOOST_REQUIRE(open.questions.size() == 2u);
    BOOST_TEST(open.questions[0].header == "Else");
    BOOST_TEST(open.questions[0].is_secret);
    BOOST_TEST(!open.questions[0].options);
    BOOST_TEST(open.questions[1].is_other);
    BOOST_TEST(open.questions[1].options->at(1).description == "like the sky");
}

BOOST_AUTO_TEST_CASE(an_answer_is_never_repeated_in_an_error) {
    auto asked = two_questions();
    asked.questions[1].is_secret = true;
    asking_fixture f{asked};
    f.problem_with({input_answer{"free", "x"}, input_answer{"color", "my password"}});
    BOOST_TEST(f.last_message.find("password") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_new_worker_does_not_wait_for_the_answers_to_the_old_one) {
    auto lives = std::make_shared<int>(0);
    runtime_fixture f{script_backend::script_source{[lives](const spawn_request&) {
        auto first = script{}.emit(needs_input{"q", "Go on?"}).fail("boom");
        return std::make_shared<const script>((*lives)++ == 0 ? first : script{}.idle());
    }}};
    spawn_options options;
    options.restart = restart_policy{restart_policy::mode::on_crash};
    f.spawn("a", options);
    f.clock.advance(100ms);
    BOOST_TEST(f.wait(f.subject->status("a")).open_questions.empty());
    BOOST_TEST((f.wait(f.subject->prompt_checkpoint("a", "p")).outcome == prompt_outcome::sent));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_session_closes_its_questions) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.ask(needs_input{"r", "And on?"});
    f.wait(f.subject->kill("a"));
    BOOST_TEST(f.open().empty());
    BOOST_TEST((f.problem_with({input_answer{"", "yes"}}) == errc::session_not_running));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_session_is_shown) {
    runtime_fixture f{script{}.emit(done{"finished"})};
    f.spawn("a");
    const auto info = f.wait(f.subject->status("a"));
    BOOST_REQUIRE(static_cast<bool>(info.end));
    BOOST_TEST(info.end.get_if<done>()->summary.value() == "finished");
}

BOOST_AUTO_TEST_CASE(whether_a_turn_is_active_is_shown) {
    runtime_fixture f;
    f.spawn("a");
    BOOST_TEST(!f.wait(f.subject->status("a")).turn_active);
    f.backend->push("a", event{turn_state{true}});
    f.settle();
    BOOST_TEST(f.wait(f.subject->status("a")).turn_active);
    f.backend->push("a", event{turn_state{false}});
    f.settle();
    BOOST_TEST(!f.wait(f.subject->status("a")).turn_active);
}

BOOST_AUTO_TEST_CASE(responses_are_counted_and_their_failures_too) {
    asking_fixture f{needs_input{"q", "Go on?"}};
    f.problem_with({});
    f.respond(needs_input_response{"q", "yes"});
    BOOST_TEST(f.total(counter::respond_requests_total) == 2u);
    BOOST_TEST(f.total(counter::respond_failures_total) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
