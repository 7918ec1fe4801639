#include "process_world.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(process_life)

namespace {

std::string text_of(const std::function<void()>& action, errc expected) {
    try {
        action();
    } catch (const error& failure) {
        BOOST_TEST(failure.code() == make_error_code(expected), failure.what());
        return failure.what();
    }
    BOOST_ERROR("nothing was thrown");
    return {};
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(both_streams_become_output_and_code_0_ends_the_run) {
    process_world world;
    const auto session = world.run(world.shell("echo out; echo err >&2"));
    BOOST_TEST(session->sink.out == "out\n");
    BOOST_TEST(session->sink.err == "err\n");
    BOOST_TEST(session->sink.events.empty());
    BOOST_TEST(world.reports.size() == 1U);
    BOOST_TEST(world.reports.at(0).group_empty);
    BOOST_TEST(world.reports.at(0).exit_code.value() == 0);
    BOOST_TEST(is_gone(world.reports.at(0).pid));
    BOOST_TEST(world.backend->live_groups() == 0U);
}

BOOST_AUTO_TEST_CASE(another_exit_code_is_a_crash) {
    process_world world;
    const auto session = world.run(world.shell("exit 3"));
    BOOST_TEST(session->sink.crash.value() == "exited with code 3");
    BOOST_TEST(world.reports.at(0).exit_code.value() == 3);
    BOOST_TEST(!world.reports.at(0).signal);
}

BOOST_AUTO_TEST_CASE(a_signal_is_a_crash_and_not_an_exit_code) {
    process_world world;
    const auto session = world.run(world.shell("kill -KILL $$"));
    BOOST_TEST(session->sink.crash.value() == "killed by signal 9 (SIGKILL)");
    BOOST_TEST(world.reports.at(0).signal.value() == SIGKILL);
    BOOST_TEST(!world.reports.at(0).exit_code);
}

BOOST_AUTO_TEST_CASE(a_program_is_found_in_the_path_of_the_child) {
    process_world world;
    auto request = spawn_request{session_id{"s"}, {"sh", "-c", "echo found"}};
    BOOST_TEST(world.run(request)->sink.out == "found\n");
    request.environment.emplace_back("PATH", "/nowhere:/proc/self/exe:");
    const auto text = text_of([&] { world.start(request); }, errc::dependency_unavailable);
    BOOST_TEST(contains(text, "session 's'"), text);
    BOOST_TEST(contains(text, "'sh'"), text);
}

BOOST_AUTO_TEST_CASE(a_missing_program_is_an_unavailable_dependency_and_leaves_nothing) {
    process_world world;
    const auto request = spawn_request{session_id{"lost"}, {"/no/such/program"}};
    const auto text = text_of([&] { world.start(request); }, errc::dependency_unavailable);
    BOOST_TEST(contains(text, "session 'lost'"), text);
    BOOST_TEST(contains(text, "/no/such/program"), text);
    BOOST_TEST(world.backend->live_groups() == 0U);
    BOOST_TEST(world.reports.empty());
}

BOOST_AUTO_TEST_CASE(an_empty_command_is_a_configuration_error) {
    process_world world;
    const auto text =
        text_of([&] { world.start(spawn_request{session_id{"mute"}}); }, errc::configuration);
    BOOST_TEST(contains(text, "session 'mute'"), text);
}

BOOST_AUTO_TEST_CASE(an_unusable_directory_is_a_configuration_error) {
    process_world world;
    auto request = world.shell("true");
    for (const char* path : {"/no/such/directory", "/etc/passwd"}) {
        request.workdir = path;
        const auto text = text_of([&] { world.start(request); }, errc::configuration);
        BOOST_TEST(contains(text, path), text);
    }
    BOOST_TEST(world.backend->live_groups() == 0U);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_executed_is_a_configuration_error) {
    process_world world;
    for (const char* path : {"/etc/passwd", "/etc"}) {
        const auto request = spawn_request{session_id{"s"}, {path}};
        const auto text = text_of([&] { world.start(request); }, errc::configuration);
        BOOST_TEST(contains(text, path), text);
    }
}

BOOST_AUTO_TEST_CASE(the_request_decides_on_directory_and_environment) {
    ::setenv("MUSTER_TEST_INHERITED", "kept", 1);
    ::setenv("MUSTER_TEST_REPLACED", "old", 1);
    process_world world;
    auto request =
        world.shell("pwd; echo $MUSTER_TEST_INHERITED $MUSTER_TEST_REPLACED "
                    "$MUSTER_TEST_NEW $MUSTER_SESSION_ID $MUSTER_MODEL; exec ./sh -c 'echo local'");
    request.workdir = "/bin/../bin";
    request.model = "m1";
    request.environment.emplace_back("MUSTER_TEST_REPLACED", "first");
    request.environment.emplace_back("MUSTER_TEST_REPLACED", "new");
    request.environment.emplace_back("MUSTER_TEST_NEW", "a=b");
    const auto session = world.run(request);
    const auto line = session->sink.out.find('\n');
    BOOST_TEST(contains(session->sink.out.substr(0, line), "/bin"));
    BOOST_TEST(session->sink.out.substr(line + 1) == "kept new a=b s m1\nlocal\n");
}

BOOST_AUTO_TEST_CASE(children_inherit_no_descriptors_and_no_signal_state) {
    process_world world;
    ::signal(SIGPIPE, SIG_IGN);
    auto first = world.start(world.shell("sleep 100", "other"));
    const auto session = world.run(
        world.shell("ls /proc/self/fd | wc -l; grep -E 'SigBlk|SigIgn' /proc/self/status"));
    ::signal(SIGPIPE, SIG_DFL);
    BOOST_TEST(session->sink.out == "4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    first->process->abandon();
    world.until([&] { return world.backend->live_groups() == 0; });
}

BOOST_AUTO_TEST_CASE(a_child_leads_its_own_group) {
    process_world world;
    const auto session = world.run(world.shell("ps -o pgid= -p $$"));
    BOOST_TEST(std::stoi(session->sink.out) == world.reports.at(0).pid);
}

BOOST_AUTO_TEST_CASE(a_child_that_closes_its_streams_but_lives_on_has_not_ended) {
    process_world world;
    const auto start = std::chrono::steady_clock::now(); // before the child can begin to sleep
    const auto session = world.start(world.shell("echo x; exec >&- 2>&- <&-; sleep 0.3; exit 4"));
    world.finish(session);
    BOOST_TEST((std::chrono::steady_clock::now() - start >= 300ms));
    BOOST_TEST(session->sink.out == "x\n");
    BOOST_TEST(session->sink.crash.value() == "exited with code 4");
}

BOOST_AUTO_TEST_CASE(a_grandchild_that_holds_the_pipe_is_killed_after_the_drain_time) {
    process_options options;
    options.defaults.drain = 50ms;
    process_world world{options};
    const auto session = world.run(world.shell("sleep 1000 & echo $!; exit 0"));
    BOOST_TEST(!session->sink.crash);
    BOOST_TEST(is_gone(std::stoi(session->sink.out)));
    BOOST_TEST(world.reports.at(0).group_empty);
}

BOOST_AUTO_TEST_CASE(what_was_written_before_the_end_arrives_however_late_it_is_read) {
    const auto written =
        std::filesystem::temp_directory_path() / ("muster-written-" + std::to_string(::getpid()));
    std::filesystem::remove(written);
    process_options options;
    options.defaults.drain = 0ms;
    process_world world{options};
    const auto session =
        world.start(world.shell("sleep 1000 & head -c 60000 /dev/zero | tr '\\0' x; echo e >&2; "
                                "echo $$ > " +
                                written.string()));
    // The context stands still until all is written and the child is gone.
    BOOST_TEST(becomes_true([&] {
        pid_t child = 0;
        return std::ifstream{written} >> child && is_gone(child);
    }));
    world.finish(session);
    std::filesystem::remove(written);
    BOOST_TEST(session->sink.out.size() == 60000U);
    BOOST_TEST(session->sink.err == "e\n");
}

BOOST_AUTO_TEST_CASE(big_output_arrives_whole) {
    process_world world;
    auto session = world.launch(world.shell("head -c 50000000 /dev/zero"));
    session->sink.keep_output = false;
    world.finish(session);
    BOOST_TEST(session->sink.output_bytes == 50'000'000U);
}

BOOST_AUTO_TEST_CASE(two_hundred_children_at_once) {
    process_world world;
    std::vector<std::shared_ptr<supervised>> sessions;
    for (int index = 0; index < 200; ++index) {
        sessions.push_back(world.launch(
            world.shell("echo $MUSTER_SESSION_ID", ("s" + std::to_string(index)).c_str())));
    }
    for (int index = 0; index < 200; ++index) {
        const auto& session = sessions.at(static_cast<std::size_t>(index));
        world.finish(session);
        BOOST_TEST(session->sink.out == "s" + std::to_string(index) + "\n");
    }
    BOOST_TEST(world.reports.size() == 200U);
    for (const auto& report : world.reports) {
        BOOST_TEST(report.group_empty);
    }
    BOOST_TEST(world.backend->live_groups() == 0U);
}

BOOST_AUTO_TEST_CASE(an_idle_backend_does_not_keep_the_context_running) {
    process_world world;
    world.run(world.shell("true"));
    world.context.restart();
    BOOST_TEST(world.context.run_for(2s) < 10U);
    BOOST_TEST(world.context.stopped());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
