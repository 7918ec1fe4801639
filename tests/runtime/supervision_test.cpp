#include "runtime_fixture.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace muster;
using namespace std::chrono_literals;
using test::runtime_fixture;

spawn_options restarting(restart_policy::mode when, std::uint32_t max_restarts = 5) {
    spawn_options options;
    options.restart = restart_policy{when};
    options.restart.initial_delay = 100ms;
    options.restart.max_delay = 400ms;
    options.restart.max_restarts = max_restarts;
    options.restart.window = 60s;
    return options;
}

spawn_options watched(silence_policy::action what) {
    spawn_options options;
    options.silence = silence_policy{5s, what};
    return options;
}

std::vector<event_kind> kinds(const std::vector<event_delivery>& deliveries) {
    std::vector<event_kind> found;
    for (const auto& each : deliveries) {
        found.push_back(each.value.kind());
    }
    return found;
}

/// The first `crashes` workers of a session fail, the next one stays.
script_backend::script_source failing(std::size_t crashes) {
    auto left = std::make_shared<std::size_t>(crashes);
    return [left](const spawn_request&) {
        const bool fails = *left != 0;
        *left -= fails ? 1 : 0;
        return std::make_shared<const script>(fails ? script{}.fail("boom") : script{}.idle());
    };
}

BOOST_AUTO_TEST_SUITE(runtime)
BOOST_AUTO_TEST_SUITE(supervision)

BOOST_AUTO_TEST_CASE(a_crashed_worker_is_started_anew_and_keeps_its_subscribers) {
    runtime_fixture f{failing(1)};
    auto all = f.subject->subscribe_all();
    f.spawn("a", restarting(restart_policy::mode::on_crash));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::starting));
    f.clock.advance(99ms);
    BOOST_TEST(f.backend->alive() == 0u);
    f.clock.advance(1ms);
    const auto info = f.wait(f.subject->status("a"));
    BOOST_TEST((info.status == session_status::running));
    BOOST_TEST(info.restarts == 1u);
    auto session = f.wait(f.subject->subscribe("a"));
    f.wait(f.subject->kill("a"));
    const auto got = f.drain(all);
    BOOST_REQUIRE(got.size() == 2u);
    const auto* again = got[0].value.get_if<restarted>();
    BOOST_REQUIRE(again != nullptr);
    BOOST_TEST(again->attempt == 1u);
    BOOST_TEST(again->reason == "worker output stream failed: boom");
    BOOST_TEST((got[1].value.kind() == event_kind::killed));
    BOOST_TEST(f.drain(session).size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_pause_doubles_and_too_many_restarts_end_the_session) {
    runtime_fixture f{failing(10)};
    auto all = f.subject->subscribe_all();
    f.spawn("a", restarting(restart_policy::mode::on_crash, 3));
    f.clock.advance(100ms); // second worker
    f.clock.advance(199ms);
    BOOST_TEST((f.wait(f.subject->status("a")).restarts == 1u));
    f.clock.advance(1ms);   // third
    f.clock.advance(400ms); // fourth and last
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::crashed));
    const std::vector<event_kind> want{event_kind::restarted, event_kind::restarted,
                                       event_kind::restarted, event_kind::crashed};
    BOOST_TEST((kinds(f.drain(all)) == want));
}

BOOST_AUTO_TEST_CASE(on_crash_leaves_a_worker_that_is_done_alone) {
    runtime_fixture f{script{}.emit(output{"x"})};
    f.spawn("a", restarting(restart_policy::mode::on_crash));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::done));
}

BOOST_AUTO_TEST_CASE(always_starts_a_worker_anew_that_said_it_was_done) {
    auto count = std::make_shared<int>(0);
    runtime_fixture f{script_backend::script_source{[count](const spawn_request&) {
        return std::make_shared<const script>((*count)++ == 0 ? script{}.emit(done{"first"}).idle()
                                                              : script{}.idle());
    }}};
    auto all = f.subject->subscribe_all();
    f.spawn("a", restarting(restart_policy::mode::always));
    f.clock.advance(100ms);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
    const std::vector<event_kind> want{event_kind::restarted};
    BOOST_TEST((kinds(f.drain(all)) == want));
    BOOST_TEST(f.backend->alive() == 1u);
}

BOOST_AUTO_TEST_CASE(a_kill_is_never_undone_also_between_two_workers) {
    runtime_fixture f{failing(1)};
    f.spawn("a", restarting(restart_policy::mode::always));
    f.wait(f.subject->kill("a"));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::killed));
    f.clock.advance(10s);
    BOOST_TEST(f.backend->alive() == 0u);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::killed));
}

BOOST_AUTO_TEST_CASE(checkpoints_go_on_with_the_new_worker) {
    runtime_fixture f{failing(1)};
    auto options = restarting(restart_policy::mode::on_crash);
    options.checkpoint = checkpoint_policy{1s};
    f.spawn("a", options);
    f.clock.advance(100ms);
    f.clock.advance(3s);
    BOOST_TEST(f.backend->inputs("a").size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_restarting_session_does_not_keep_the_runtime_alive) {
    runtime_fixture f{failing(1)};
    f.spawn("a", restarting(restart_policy::mode::on_crash));
    f.subject.reset();
    f.clock.advance(10s);
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(shutdown_ends_a_restarting_session) {
    runtime_fixture f{failing(1)};
    f.spawn("a", restarting(restart_policy::mode::on_crash));
    BOOST_TEST(f.wait(f.subject->shutdown(1s)).complete());
    f.clock.advance(10s);
    BOOST_TEST(f.backend->alive() == 0u);
}

BOOST_AUTO_TEST_CASE(silence_is_observed_once_an_interval) {
    runtime_fixture f;
    auto seen = f.subject->subscribe_diagnostics();
    f.spawn("a", watched(silence_policy::action::observe));
    f.clock.advance(4s);
    f.backend->push("a", output{"still here"});
    f.settle();
    f.clock.advance(4999ms);
    sys::error_code ec;
    BOOST_TEST(!seen.try_receive(ec).value);
    f.clock.advance(1ms);
    const auto first = seen.try_receive(ec).value;
    BOOST_REQUIRE(first);
    BOOST_TEST((first->kind == checkpoint_diagnostic::kind_type::silent));
    BOOST_TEST((first->delay == 5s));
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
}

BOOST_AUTO_TEST_CASE(a_silent_session_can_be_prompted_or_killed) {
    runtime_fixture f;
    f.spawn("a", watched(silence_policy::action::prompt));
    f.spawn("b", watched(silence_policy::action::kill));
    f.clock.advance(5s);
    BOOST_TEST(f.backend->inputs("a").size() == 1u);
    BOOST_TEST((f.wait(f.subject->status("b")).status == session_status::killed));
}

BOOST_AUTO_TEST_CASE(terminal_sessions_beyond_the_count_are_removed_oldest_first) {
    runtime_options options;
    options.terminal.max_count = 2;
    runtime_fixture f{script{}.idle(), options};
    for (const auto* id : {"a", "b", "c"}) {
        f.spawn(id);
        f.wait(f.subject->kill(id));
    }
    f.settle();
    const auto left = f.wait(f.subject->list());
    BOOST_REQUIRE(left.size() == 2u);
    BOOST_TEST(left[0].id.view() == "b");
    BOOST_TEST(f.total(counter::killed_events_total) == 3u);
}

BOOST_AUTO_TEST_CASE(a_session_removed_by_hand_does_not_count_any_more) {
    runtime_options options;
    options.terminal.max_count = 2;
    runtime_fixture f{script{}.idle(), options};
    for (const auto* id : {"a", "b", "c"}) {
        f.spawn(id);
    }
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->kill("b"));
    f.wait(f.subject->remove("b"));
    f.wait(f.subject->kill("c"));
    f.settle();
    BOOST_TEST(f.wait(f.subject->list()).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_session_removed_by_hand_leaves_nothing_to_wake_up_for) {
    runtime_options options;
    options.terminal.max_age = 1h;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    BOOST_TEST(f.clock.next_alarm().has_value());
    f.wait(f.subject->remove("a"));
    BOOST_TEST(!f.clock.next_alarm());
}

BOOST_AUTO_TEST_CASE(a_limit_beyond_all_time_is_never_reached) {
    runtime_options options;
    options.terminal.max_age = std::chrono::nanoseconds::max();
    runtime_fixture f{script{}.idle(), options};
    auto watched = spawn_options{};
    watched.silence = {std::chrono::nanoseconds::max(), silence_policy::action::kill};
    f.spawn("a", watched);
    f.spawn("b");
    f.wait(f.subject->kill("b"));
    f.clock.advance(1000h);
    BOOST_TEST(f.wait(f.subject->list()).size() == 2u);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
}

BOOST_AUTO_TEST_CASE(terminal_sessions_are_removed_when_they_are_old) {
    runtime_options options;
    options.terminal.max_age = 10s;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    f.clock.advance(6s);
    f.spawn("b");
    f.wait(f.subject->kill("b"));
    f.clock.advance(4s);
    BOOST_TEST(f.wait(f.subject->list()).size() == 1u);
    f.clock.advance(6s);
    BOOST_TEST(f.wait(f.subject->list()).empty());
}

BOOST_AUTO_TEST_CASE(a_session_removed_by_hand_is_not_removed_twice) {
    runtime_options options;
    options.terminal.max_age = 10s;
    runtime_fixture f{script{}.idle(), options};
    f.spawn("a");
    f.wait(f.subject->kill("a"));
    f.wait(f.subject->remove("a"));
    f.spawn("a");
    f.clock.advance(20s);
    BOOST_TEST((f.wait(f.subject->status("a")).status == session_status::running));
    BOOST_TEST(f.total(counter::killed_events_total) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
