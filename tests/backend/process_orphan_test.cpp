#include "process_world.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(backend)
BOOST_AUTO_TEST_SUITE(process_orphans)

namespace {

/// Where the test that plays a supervisor writes the ids of its processes.
constexpr int pids_fd = 9;

// Four processes in and out of the group: the child, one in the background, one that ignores
// everything it can, and one that left the group.
constexpr const char* family =
    "sleep 1000 & sh -c \"trap '' HUP INT TERM; sleep 1000; sleep 1000\" & "
    "setsid sh -c 'echo $$; sleep 1000' & "
    "echo $$ $!; while :; do sleep 1; done";

std::vector<int> numbers_in(const std::string& text) {
    std::istringstream words{text};
    return {std::istream_iterator<int>{words}, {}};
}

std::vector<int> own_children() {
    std::vector<int> children;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream list{task.path() / "children"};
        children.insert(children.end(), std::istream_iterator<int>{list}, {});
    }
    return children;
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator list{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(list), end(list)));
}

/// Processes that live and whose environment names the test, wherever they have gone.
std::vector<int> marked_processes(const std::string& mark) {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        std::ifstream file{entry.path() / "environ"};
        const std::string environment{std::istreambuf_iterator<char>{file}, {}};
        if (environment.find(mark) != std::string::npos) {
            found.push_back(std::stoi(entry.path().filename()));
        }
    }
    return found;
}

pid_t start_supervisor(int pids_pipe) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(pids_pipe, pids_fd);
        ::execl("/proc/self/exe", "muster-tests",
                "--run_test=backend/process_orphans/plays_a_supervisor", nullptr);
        ::_exit(127);
    }
    return pid;
}

std::string read_lines(int fd, std::size_t count) {
    std::string text;
    char byte = 0;
    while (count > 0 && ::read(fd, &byte, 1) == 1) {
        text.push_back(byte);
        count -= byte == '\n' ? 1 : 0;
    }
    return text;
}

} // namespace

// Not a test by itself: the next one runs it in a process of its own and kills that.
BOOST_AUTO_TEST_CASE(plays_a_supervisor) {
    if (std::getenv("MUSTER_TEST_MARK") == nullptr) {
        return;
    }
    process_world world;
    std::vector<std::shared_ptr<supervised>> sessions;
    for (int index = 0; index < 5; ++index) {
        sessions.push_back(world.start(world.shell(family, ("s" + std::to_string(index)).c_str())));
    }
    for (const auto& session : sessions) {
        world.until([&] { return numbers_in(session->sink.out).size() == 3; });
        std::ostringstream line;
        for (const int pid : numbers_in(session->sink.out)) {
            line << pid << ' ';
        }
        const std::string text = line.str() + "\n";
        BOOST_REQUIRE(::write(pids_fd, text.data(), text.size()) > 0);
    }
    world.context.run_for(60s);
}

BOOST_AUTO_TEST_CASE(a_supervisor_that_is_killed_leaves_no_process_behind) {
    const std::string mark = "MUSTER_TEST_MARK=" + std::to_string(::getpid());
    ::setenv("MUSTER_TEST_MARK", std::to_string(::getpid()).c_str(), 1);
    int pids[2];
    BOOST_REQUIRE(::pipe(pids) == 0);
    const pid_t supervisor = start_supervisor(pids[1]);
    ::close(pids[1]);
    ::unsetenv("MUSTER_TEST_MARK");
    const auto started = numbers_in(read_lines(pids[0], 5));
    BOOST_TEST(started.size() == 15U);
    BOOST_TEST(marked_processes(mark).size() > 20U);
    ::kill(supervisor, SIGKILL);
    ::waitpid(supervisor, nullptr, 0);
    for (const int pid : started) {
        BOOST_TEST(becomes_true([pid] { return is_gone(pid); }), pid);
    }
    BOOST_TEST(becomes_true([&] { return marked_processes(mark).empty(); }));
    ::close(pids[0]);
}

BOOST_AUTO_TEST_CASE(a_destroyed_backend_takes_those_who_left_their_group_with_it) {
    std::vector<int> started;
    {
        process_world world{process_world::quick()};
        const auto session = world.start(world.shell(family));
        world.until([&] { return numbers_in(session->sink.out).size() == 3; });
        started = numbers_in(session->sink.out);
        world.kill(session);
        world.finish(session);
        BOOST_TEST(world.reports.at(0).group_empty);
    }
    for (const int pid : started) {
        BOOST_TEST(becomes_true([pid] { return is_gone(pid); }), pid);
    }
}

BOOST_AUTO_TEST_CASE(a_destroyed_backend_ends_its_children_while_a_fork_of_the_supervisor_lives) {
    int pid = 0;
    pid_t fork_of_us = 0;
    {
        process_world world{process_world::quick()};
        const auto session =
            world.start(world.shell("setsid sh -c 'echo $$; exec sleep 1000' & wait"));
        world.until([&] { return !session->sink.out.empty(); });
        pid = std::stoi(session->sink.out);
        fork_of_us = ::fork();
        if (fork_of_us == 0) {
            ::pause();
            ::_exit(0);
        }
        session->process.reset();
        world.backend.reset();
    }
    const bool gone = becomes_true([pid] { return is_gone(pid); });
    ::kill(fork_of_us, SIGKILL);
    ::waitpid(fork_of_us, nullptr, 0);
    BOOST_TEST(gone);
}

BOOST_AUTO_TEST_CASE(the_supervisor_has_no_children_and_no_zombies_of_its_own) {
    const auto before = own_children();
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("sleep 1000 & sleep 1000"));
    BOOST_TEST(own_children() == before, boost::test_tools::per_element());
    world.kill(session);
    world.finish(session);
    BOOST_TEST(own_children() == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(descriptors_stay_flat_over_many_sessions) {
    process_world world{process_world::quick()};
    std::size_t level = 0;
    for (int round = 0; round < 4; ++round) {
        {
            std::vector<std::shared_ptr<supervised>> sessions;
            for (int index = 0; index < 20; ++index) {
                const std::string id = "s" + std::to_string(index);
                sessions.push_back(world.launch(index % 2 == 0
                                                    ? world.shell("echo x", id.c_str())
                                                    : spawn_request{session_id{id}, {"/no"}}));
            }
            for (const auto& session : sessions) {
                world.until([&] { return session->ended; });
            }
        }
        level = round == 0 ? open_descriptors() : level;
        BOOST_TEST(open_descriptors() == level);
    }
    BOOST_TEST(world.backend->live_groups() == 0U);
}

BOOST_AUTO_TEST_CASE(a_killed_guardian_crashes_its_sessions_and_the_next_spawn_gets_another) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("echo $PPID; sleep 1000 & sleep 1000"));
    world.until([&] { return !session->sink.out.empty(); });
    ::kill(std::stoi(session->sink.out), SIGKILL);
    world.finish(session);
    BOOST_TEST(session->sink.crash.value() == "the guardian of child processes was killed");
    BOOST_TEST(!world.reports.at(0).group_empty);
    BOOST_TEST(world.run(world.shell("echo again", "t"))->sink.out == "again\n");
}

BOOST_AUTO_TEST_CASE(a_guardian_that_was_killed_while_idle_is_replaced_at_the_next_spawn) {
    process_world world{process_world::quick()};
    const int guardian = std::stoi(world.run(world.shell("echo $PPID"))->sink.out);
    ::kill(guardian, SIGKILL);
    BOOST_TEST(becomes_true([guardian] { return has_ended(guardian); }));
    BOOST_TEST(world.run(world.shell("echo again", "t"))->sink.out == "again\n");
}

BOOST_AUTO_TEST_CASE(a_killed_guardian_takes_the_groups_of_destroyed_workers_with_it) {
    process_world world{process_world::quick()};
    const auto session = world.start(world.shell("sleep 1000 & echo $PPID $!; wait"));
    world.until([&] { return numbers_in(session->sink.out).size() == 2; });
    const auto pids = numbers_in(session->sink.out);
    ::kill(pids.at(0), SIGSTOP);
    session->process->abandon();
    world.finish(session);
    session->process.reset();
    ::kill(pids.at(0), SIGKILL);
    world.until([&] { return world.backend->live_groups() == 0; });
    BOOST_TEST(becomes_true([&] { return has_ended(pids.at(1)); }));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
