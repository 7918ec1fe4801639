#include "process_world.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(process_kill)

namespace {

process_options with_grace(kill_grace grace) {
    process_options options;
    options.defaults.grace = grace;
    return options;
}

constexpr auto long_grace = 15s;

void wait_for_output(process_world& world, const std::shared_ptr<supervised>& session,
                     const std::string& text) {
    world.until([&] { return session->sink.out.find(text) != std::string::npos; });
}

} // namespace

BOOST_AUTO_TEST_CASE(closed_input_ends_a_child_that_reads_it) {
    process_world world{with_grace(kill_grace{long_grace, long_grace, long_grace})};
    const auto session = world.start(world.shell("cat"));
    world.kill(session);
    world.finish(session);
    BOOST_TEST(world.reports.at(0).exit_code.value() == 0);
    BOOST_TEST(world.reports.at(0).group_empty);
    BOOST_TEST(session->sink.events.empty());
}

BOOST_AUTO_TEST_CASE(an_interrupt_ends_a_child_that_ignores_its_input) {
    process_world world{with_grace(kill_grace{20ms, long_grace, long_grace})};
    const auto session = world.start(world.shell("exec sleep 1000"));
    world.kill(session);
    world.finish(session);
    BOOST_TEST(world.reports.at(0).signal.value() == SIGINT);
    BOOST_TEST(session->sink.events.empty());
}

BOOST_AUTO_TEST_CASE(sigterm_ends_a_child_that_ignores_interrupts) {
    process_world world{with_grace(kill_grace{0ms, 20ms, long_grace})};
    const auto session = world.start(world.shell(
        "trap '' INT; trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done"));
    wait_for_output(world, session, "up");
    world.kill(session);
    world.finish(session);
    BOOST_TEST(world.reports.at(0).exit_code.value() == 7);
    BOOST_TEST(session->sink.out == "up\nbye\n");
    BOOST_TEST(session->sink.events.empty());
}

BOOST_AUTO_TEST_CASE(sigkill_ends_a_child_that_ignores_everything) {
    process_world world{with_grace(kill_grace{10ms, 10ms, 10ms})};
    const auto session =
        world.start(world.shell("trap '' INT TERM; echo up; while :; do sleep 0.01; done"));
    wait_for_output(world, session, "up");
    world.kill(session);
    world.finish(session);
    BOOST_TEST(world.reports.at(0).signal.value() == SIGKILL);
    BOOST_TEST(world.reports.at(0).group_empty);
}

BOOST_AUTO_TEST_CASE(rungs_without_grace_are_skipped) {
    process_world world{process_world::quick()};
    const auto session = world.start(
        world.shell("trap 'echo int' INT; trap 'echo term' TERM; echo up; cat; sleep 100"));
    wait_for_output(world, session, "up");
    world.kill(session);
    world.finish(session);
    BOOST_TEST(session->sink.out == "up\n");
    BOOST_TEST(world.reports.at(0).signal.value() == SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_kill_takes_the_whole_group) {
    process_world world{with_grace(kill_grace{0ms, 0ms, 20ms})};
    const auto session = world.start(world.shell("trap '' TERM; sh -c 'echo $$; sleep 1000' & sh "
                                                 "-c '(echo $$; exec sleep 1000)' & wait; wait"));
    world.until(
        [&] { return std::count(session->sink.out.begin(), session->sink.out.end(), '\n') == 2; });
    world.kill(session);
    world.finish(session);
    const auto newline = session->sink.out.find('\n');
    BOOST_TEST(is_gone(std::stoi(session->sink.out)));
    BOOST_TEST(is_gone(std::stoi(session->sink.out.substr(newline))));
    BOOST_TEST(world.reports.at(0).group_empty);
}

/// The kernel counts it as a member until its parent, who left the group, reaps it.
BOOST_AUTO_TEST_CASE(a_zombie_that_nobody_reaps_does_not_keep_a_group_alive) {
    process_world world{with_grace(kill_grace{0ms, 0ms, 0ms, 5s})};
    const auto session = world.start(world.shell(
        "(sleep 1000 & exec setsid sh -c 'echo up; exec sleep 1000') & exec sleep 1000"));
    wait_for_output(world, session, "up");
    world.kill(session);
    world.finish(session);
    BOOST_TEST(world.reports.at(0).group_empty);
    BOOST_TEST(session->sink.events.empty());
    BOOST_TEST(world.backend->live_groups() == 0U);
}

BOOST_AUTO_TEST_CASE(a_child_that_dies_of_a_kill_after_that_gave_up_has_not_crashed) {
    process_world world{with_grace(kill_grace{0ms, 0ms, 0ms, 0ms})};
    const auto session = world.start(world.shell("exec sleep 1000"));
    BOOST_CHECK_THROW(world.kill(session), error);
    world.finish(session);
    BOOST_TEST(session->sink.events.empty());
}

BOOST_AUTO_TEST_CASE(two_kills_at_once_both_return) {
    process_world world{with_grace(kill_grace{0ms, 20ms, 20ms})};
    const auto session = world.start(world.shell("trap '' INT TERM; sleep 1000; sleep 1000"));
    int returned = 0;
    for (int count = 0; count < 2; ++count) {
        asio::co_spawn(session->executor, session->process->kill(),
                       [&](std::exception_ptr failure) { returned += failure ? 0 : 1; });
    }
    world.until([&] { return returned == 2; });
    world.finish(session);
}

BOOST_AUTO_TEST_CASE(a_kill_after_the_end_returns_at_once) {
    process_world world;
    const auto session = world.run(world.shell("exit 2"));
    world.kill(session);
    BOOST_TEST(session->sink.crash.value() == "exited with code 2");
}

BOOST_AUTO_TEST_CASE(a_cancelled_kill_leaves_a_session_that_can_be_killed) {
    process_world world{with_grace(kill_grace{long_grace, long_grace, long_grace})};
    const auto session = world.start(world.shell("sleep 1000; sleep 1000"));
    asio::cancellation_signal cancel;
    bool done = false;
    asio::co_spawn(
        session->executor, session->process->kill(),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { done = true; }));
    world.context.run_for(20ms);
    BOOST_TEST(!done);
    asio::post(session->executor, [&] { cancel.emit(asio::cancellation_type::terminal); });
    world.until([&] { return done; });
    BOOST_TEST(!session->ended);
    session->process->abandon();
    world.finish(session);
    world.until([&] { return world.backend->live_groups() == 0; });
}

BOOST_AUTO_TEST_CASE(a_destroyed_worker_leaves_no_process) {
    process_world world;
    auto session = world.start(world.shell("sleep 1000 & echo $$; wait"));
    world.until([&] { return session->sink.out.size() > 2; });
    const int pid = std::stoi(session->sink.out);
    session->process->abandon();
    world.finish(session);
    session->process.reset();
    world.until([&] { return is_gone(pid); });
    world.until([&] { return world.backend->live_groups() == 0; });
    BOOST_TEST(session->sink.events.empty());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_destroyed_worker_is_not_reported) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("read line"));
    BOOST_TEST(session->process->try_send_input("\n"));
    world.until([&] { return world.backend->live_groups() == 0; }); // the news is on its way
    session->process.reset();
    world.finish(session);
    BOOST_TEST(world.reports.empty());
}

BOOST_AUTO_TEST_CASE(a_destroyed_context_leaves_no_process) {
    for (int handlers = 0; handlers < 24; ++handlers) {
        int pid = 0;
        {
            process_world world;
            auto session = world.launch(world.shell("echo $$; sleep 1000"));
            std::weak_ptr<supervised> alive = session;
            for (int count = 0; count < handlers; ++count) {
                world.context.restart();
                world.context.run_one_for(10ms);
            }
            pid = session->sink.out.empty() ? 0 : std::stoi(session->sink.out);
        }
        BOOST_TEST(becomes_true([pid] { return pid == 0 || is_gone(pid); }));
    }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
