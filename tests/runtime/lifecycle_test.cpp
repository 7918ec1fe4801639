#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::runtime_fixture;

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(lifecycle)

BOOST_AUTO_TEST_CASE(a_spawned_session_runs_in_the_background) {
    runtime_fixture f;
    f.spawn("a");
    const auto info = f.wait(f.subject->status("a"));
    BOOST_TEST((info.status == session_status::running));
    BOOST_TEST((info.visibility == visibility::background));
    BOOST_TEST(f.backend->alive() == 1u);
}

BOOST_AUTO_TEST_CASE(a_taken_id_is_refused_and_changes_nothing) {
    runtime_fixture f;
    f.spawn("a");
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"a"})) == errc::session_exists));
    BOOST_TEST(f.last_message.find("'a'") != std::string::npos);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
    BOOST_TEST(f.backend->alive() == 1u);
}

BOOST_AUTO_TEST_CASE(a_spawn_that_the_backend_refuses_leaves_nothing) {
    runtime_fixture f{script{}.refuse_spawn("no room")};
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"a"})) == condition::process));
    BOOST_TEST((f.failure_of(f.subject->status("a")) == errc::session_not_found));
    BOOST_TEST(f.wait(f.subject->list()).empty());
    BOOST_TEST(f.total(counter::spawn_requests_total) == 1u);
    BOOST_TEST(f.total(counter::spawn_failures_total) == 1u);
}

BOOST_AUTO_TEST_CASE(a_worker_of_another_session_is_killed_and_the_spawn_fails) {
    runtime_fixture f{script{}.spawn_as("b").idle()};
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"a"})) == errc::internal));
    BOOST_TEST(f.backend->alive() == 0u);
    BOOST_TEST(f.backend->kills() == 1u);
    BOOST_TEST(f.wait(f.subject->list()).empty());
}

BOOST_AUTO_TEST_CASE(a_mismatched_worker_that_cannot_be_killed_is_abandoned) {
    runtime_fixture f{script{}.spawn_as("b").refuse_kill().idle()};
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"a"})) == errc::internal));
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_stream_is_done) {
    runtime_fixture f{script{}.emit(output{"hello"})};
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 2u);
    BOOST_TEST((got[0].value.kind() == event_kind::output));
    BOOST_TEST((got[1].value.kind() == event_kind::done));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stream_error_is_a_crash_with_its_reason) {
    runtime_fixture f{script{}.fail("pipe broke")};
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_REQUIRE(got[0].value.get_if<crashed>() != nullptr);
    BOOST_TEST(got[0].value.get_if<crashed>()->reason == "worker output stream failed: pipe broke");
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::crashed));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_turn_is_not_the_end_of_the_session) {
    runtime_fixture f{script{}.emit(turn_state{true}).emit(turn_state{false}).idle()};
    f.spawn("a");
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
}

BOOST_AUTO_TEST_CASE(a_terminal_event_ends_the_session_and_then_the_worker) {
    runtime_fixture f{script{}.emit(done{"finished"}).emit(output{"too late"}).idle()};
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST(got[0].value.get_if<done>()->summary.value() == "finished");
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(kill_publishes_killed_and_returns_when_the_stream_has_ended) {
    runtime_fixture f;
    auto all = f.subject->subscribe_all();
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    BOOST_TEST(f.backend->alive() == 0u);
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST((got[0].value.kind() == event_kind::killed));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::killed));
    BOOST_TEST(f.total(counter::kill_successes_total) == 1u);
    BOOST_TEST(f.total(counter::killed_events_total) == 1u);
}

BOOST_AUTO_TEST_CASE(a_kill_that_fails_leaves_the_session_running) {
    runtime_fixture f{script{}.refuse_kill().idle()};
    f.spawn("a");
    BOOST_TEST((f.failure_of(f.subject->kill("a")) == condition::process));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
    f.wait(f.subject->send_input("a", "still there\n"));
    BOOST_TEST(f.backend->inputs("a").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_second_kill_finds_the_session_gone) {
    runtime_fixture f;
    f.spawn("a");
    auto first = f.start(f.subject->kill("a"));
    auto second = f.start(f.subject->kill("a"));
    f.settle();
    BOOST_CHECK_NO_THROW(first.get());
    BOOST_CHECK_THROW(second.get(), error);
    BOOST_TEST(f.backend->kills() == 1u);
}

BOOST_AUTO_TEST_CASE(input_goes_to_the_session_that_it_names) {
    runtime_fixture f;
    f.spawn("a");
    f.spawn("b");
    f.wait(f.subject->send_input("b", "hello\n"));
    BOOST_TEST(f.backend->inputs("a").empty());
    BOOST_REQUIRE(f.backend->inputs("b").size() == 1u);
    BOOST_TEST(f.backend->inputs("b").front() == "hello\n");
}

BOOST_AUTO_TEST_CASE(resize_is_forwarded) {
    runtime_fixture f;
    f.spawn("a");
    f.wait(f.subject->resize("a", terminal_size{132, 43}));
    BOOST_REQUIRE(f.backend->sizes("a").size() == 1u);
    BOOST_TEST(f.backend->sizes("a").front().columns == 132u);
}

BOOST_AUTO_TEST_CASE(calls_for_unknown_starting_and_ended_sessions_say_so) {
    runtime_fixture f;
    BOOST_TEST((f.failure_of(f.subject->send_input("x", "a")) == errc::session_not_found));
    BOOST_TEST((f.failure_of(f.subject->kill("x")) == condition::session_not_found));
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    BOOST_TEST((f.failure_of(f.subject->send_input("a", "x")) == errc::session_not_running));
    BOOST_TEST((f.failure_of(f.subject->kill("a")) == errc::session_not_running));
    BOOST_TEST((f.failure_of(f.subject->focus("a")) == errc::session_not_running));
    BOOST_TEST((f.failure_of(f.subject->prompt_checkpoint("a", "p")) == errc::session_not_running));
    BOOST_TEST(f.last_message.find("killed") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_hung_input_does_not_keep_the_session_from_being_killed) {
    runtime_fixture f{script{}.input(script::input_mode::hang).idle()};
    f.spawn("a");
    auto stuck = f.start(f.subject->send_input("a", "x"));
    f.settle();
    BOOST_TEST(!stuck.ready());
    f.wait(f.subject->kill("a"));
    BOOST_REQUIRE(stuck.ready());
    BOOST_CHECK_THROW(stuck.get(), error);
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(the_instruction_prelude_is_the_first_input) {
    runtime_fixture f;
    spawn_request request{"a"};
    request.instruction_prelude = "Be brief.\n";
    f.wait(f.subject->spawn(std::move(request)));
    BOOST_REQUIRE(f.backend->inputs("a").size() == 1u);
    BOOST_TEST(f.backend->inputs("a").front() == "Be brief.\n");
}

BOOST_AUTO_TEST_CASE(a_prelude_that_is_refused_undoes_the_spawn) {
    runtime_fixture f{script{}.input(script::input_mode::refuse).idle()};
    spawn_request request{"a"};
    request.instruction_prelude = "Be brief.\n";
    BOOST_TEST((f.failure_of(f.subject->spawn(std::move(request))) == condition::process));
    BOOST_TEST(f.wait(f.subject->list()).empty());
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(list_is_sorted_by_id) {
    runtime_fixture f;
    for (const auto* id : {"c", "a", "b"}) {
        f.spawn(id);
    }
    const auto all = f.wait(f.subject->list());
    BOOST_REQUIRE(all.size() == 3u);
    BOOST_TEST(all[0].id.view() == "a");
    BOOST_TEST(all[2].id.view() == "c");
}

BOOST_AUTO_TEST_CASE(at_most_one_session_is_focused) {
    runtime_fixture f;
    f.spawn("a");
    f.spawn("b");
    f.wait(f.subject->focus("a"));
    f.wait(f.subject->focus("b"));
    BOOST_TEST((f.wait(f.subject->status("a")).visibility == visibility::background));
    BOOST_TEST((f.wait(f.subject->status("b")).visibility == visibility::focused));
    f.wait(f.subject->set_visibility("a", visibility::background));
    BOOST_TEST((f.wait(f.subject->status("b")).visibility == visibility::focused));
    f.wait(f.subject->focus(std::nullopt));
    BOOST_TEST((f.wait(f.subject->status("b")).visibility == visibility::background));
}

BOOST_AUTO_TEST_CASE(remove_frees_the_id_of_a_terminal_session_only) {
    runtime_fixture f;
    f.spawn("a");
    BOOST_TEST((f.failure_of(f.subject->remove("a")) == errc::session_not_terminal));
    f.wait(f.subject->kill("a"));
    const auto received = f.total(counter::events_received_total);
    f.wait(f.subject->remove("a"));
    BOOST_TEST((f.failure_of(f.subject->status("a")) == errc::session_not_found));
    BOOST_TEST(f.total(counter::events_received_total) == received);
    f.spawn("a");
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
}

BOOST_AUTO_TEST_CASE(shutdown_kills_everybody_and_says_how_they_ended) {
    runtime_fixture f;
    f.spawn("a");
    f.spawn("b");
    f.wait(f.subject->kill("b"));
    const auto report = f.wait(f.subject->shutdown(1s));
    BOOST_TEST(report.complete());
    BOOST_REQUIRE(report.sessions.size() == 2u);
    BOOST_TEST((report.sessions[0].status == session_status::killed));
    BOOST_TEST(report.sessions[0].ended);
    BOOST_TEST(f.backend->alive() == 0u);
    BOOST_TEST((f.failure_of(f.subject->spawn(spawn_request{"c"})) == errc::shutting_down));
}

BOOST_AUTO_TEST_CASE(shutdown_reports_who_did_not_end_in_time) {
    runtime_fixture f{script{}.refuse_kill().idle()};
    f.spawn("a");
    const auto report = f.wait(f.subject->shutdown(1s));
    BOOST_TEST(!report.complete());
    BOOST_REQUIRE(report.sessions.size() == 1u);
    BOOST_TEST(!report.sessions[0].ended);
    BOOST_TEST(!report.sessions[0].problem.empty());
}

BOOST_AUTO_TEST_CASE(destroying_the_runtime_ends_its_workers_and_its_subscriptions) {
    runtime_fixture f;
    f.spawn("a");
    auto session = f.wait(f.subject->subscribe("a"));
    auto all = f.subject->subscribe_all();
    f.subject.reset();
    f.settle();
    BOOST_TEST(f.backend->alive() == 0u);
    f.drain(all);
    BOOST_TEST((f.last_error == errc::stream_closed));
    f.drain(session);
    BOOST_TEST((f.last_error == errc::stream_closed));
}

BOOST_AUTO_TEST_CASE(bad_requests_are_configuration_errors_and_leave_nothing) {
    runtime_fixture f;
    spawn_request request{"a", {""}};
    BOOST_TEST((f.failure_of(f.subject->spawn(std::move(request))) == condition::configuration));
    spawn_options options{checkpoint_policy{-1s}};
    BOOST_TEST(
        (f.failure_of(f.subject->spawn(spawn_request{"a"}, options)) == condition::configuration));
    BOOST_TEST((f.failure_of(f.subject->shutdown(-1s)) == condition::configuration));
    BOOST_TEST(
        (f.failure_of(f.subject->prompt_checkpoint("a", " \n")) == condition::configuration));
    BOOST_TEST(f.wait(f.subject->list()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
