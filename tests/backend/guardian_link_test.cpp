#include "../../lib/backend/guardian_link.hpp"

#include "../../lib/backend/command_image.hpp"
#include "process_world.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace {

using namespace muster;
using namespace muster::test;
using detail::guardian_link;

/// Keeps what it hears.
class recording_listener final : public detail::guardian_listener {
public:
    void hear(const detail::guard_report& report) override { last = report; }
    void hear_lost() override { lost = true; }
    void hear_admitted() override {}

    [[nodiscard]] bool heard(detail::guard_news news) const { return last && last->news == news; }

    std::optional<detail::guard_report> last;
    bool lost = false;
};

guardian_link::spawn_descriptors descriptors_for(const spawn_request& request) {
    guardian_link::spawn_descriptors fds;
    fds[detail::fd_image] = detail::make_command_file(request);
    fds[detail::fd_directory].reset(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const auto stream : {detail::fd_in, detail::fd_out, detail::fd_err}) {
        fds[stream].reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    }
    return fds;
}

struct process_status {
    char state = 'X';
    int parent = 0;
};

process_status status_of(int pid) {
    std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
    std::string name;
    process_status found;
    stat >> pid >> name >> found.state >> found.parent;
    return found;
}

/// Where the child has become the program, and the guardian has not yet seen that. (TSan forks, and
/// the guardian goes on.)
void stop_at_the_next_child(int guardian) {
    BOOST_REQUIRE(::ptrace(PTRACE_SEIZE, guardian, nullptr, PTRACE_O_TRACEVFORKDONE) == 0);
}

/// As a sandbox does, or Linux before 5.9.
void refuse_close_range() {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{std::size(code), code};
    BOOST_REQUIRE(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    BOOST_REQUIRE(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

struct fixture {
    asio::io_context context;
    std::shared_ptr<guardian_link> link = std::make_shared<guardian_link>(context);

    /// Asks for a child that stays.
    std::shared_ptr<recording_listener> spawn() {
        return spawn(descriptors_for(process_world::shell("sleep 1000")));
    }
    std::shared_ptr<recording_listener> spawn(guardian_link::spawn_descriptors fds) {
        auto listener = std::make_shared<recording_listener>();
        link->spawn(listener, std::move(fds), false);
        return listener;
    }
    template <typename Predicate>
    void until(Predicate done) {
        BOOST_REQUIRE(becomes_true([&] {
            context.restart();
            context.run_one_for(std::chrono::milliseconds{2});
            return done();
        }));
    }
};

BOOST_AUTO_TEST_SUITE(backend)
BOOST_FIXTURE_TEST_SUITE(guardian_requests, fixture)

/// It may die after the last look at it and before the request.
BOOST_AUTO_TEST_CASE(a_spawn_after_the_guardian_was_lost_gets_another) {
    const auto first = spawn();
    until([&] { return first->heard(detail::guard_news::spawned); });
    ::kill(status_of(first->last->pid).parent, SIGKILL);
    until([&] { return first->lost; });
    const auto second = spawn();
    until([&] { return second->heard(detail::guard_news::spawned); });
    BOOST_TEST(link->live() == 1u);
}

/// Says its guardian's pid and that of a grandchild.
struct talking_child {
    explicit talking_child(fixture& guarded) {
        int ends[2];
        BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        const detail::unique_fd output{ends[0]};
        auto fds = descriptors_for(process_world::shell("echo $PPID; sleep 1000 & echo $!; wait"));
        fds[detail::fd_out].reset(ends[1]);
        listener = guarded.spawn(std::move(fds));
        std::string text;
        for (char byte = 0; std::count(text.begin(), text.end(), '\n') < 2;) {
            BOOST_REQUIRE(::read(output.get(), &byte, 1) == 1);
            text.push_back(byte);
        }
        std::istringstream pids{text};
        pids >> guardian >> grandchild;
    }

    std::shared_ptr<recording_listener> listener;
    int guardian = 0;
    int grandchild = 0;
};

/// A request that it never read is no reason not to read what it has said.
BOOST_AUTO_TEST_CASE(a_guardian_that_dies_with_a_request_unread_is_heard_to_its_last_word) {
    const talking_child child{*this};
    // The child runs before that is said; a guardian that waits for requests has said it.
    BOOST_REQUIRE(becomes_true([&] { return status_of(child.guardian).state == 'S'; }));
    ::kill(child.guardian, SIGSTOP);
    link->signal(1, 0, 0);
    ::kill(child.guardian, SIGKILL);
    until([&] { return child.listener->lost; });
    BOOST_TEST(child.listener->heard(detail::guard_news::spawned));
    BOOST_TEST(becomes_true([&] { return has_ended(child.grandchild); }));
}

BOOST_AUTO_TEST_CASE(a_guardian_that_is_killed_before_it_tells_leaves_none_of_the_group) {
    const auto first = spawn();
    until([&] { return first->heard(detail::guard_news::spawned); });
    stop_at_the_next_child(status_of(first->last->pid).parent);
    const talking_child child{*this};
    ::kill(child.guardian, SIGKILL);
    ::waitpid(child.guardian, nullptr, __WALL);
    until([&] { return child.listener->lost; });
    BOOST_TEST(becomes_true([&] { return has_ended(child.grandchild); }));
}

/// Somebody waits for news of the first, and has had no turn since.
BOOST_AUTO_TEST_CASE(a_guardian_that_died_unnoticed_is_replaced_at_the_next_spawn) {
    const auto first = spawn();
    until([&] { return first->heard(detail::guard_news::spawned); });
    const int guardian = status_of(first->last->pid).parent;
    ::kill(guardian, SIGKILL);
    BOOST_REQUIRE(becomes_true([&] { return has_ended(guardian); }));
    const auto second = spawn();
    BOOST_TEST(first->lost);
    until([&] { return second->heard(detail::guard_news::spawned); });
    BOOST_TEST(!second->lost);
    BOOST_TEST(link->live() == 1u);
}

BOOST_AUTO_TEST_CASE(a_guardian_keeps_none_of_our_descriptors_where_close_range_is_refused) {
    const detail::unique_fd ours{::memfd_create("muster-kept", 0)};
    const pid_t pid = ::fork(); // a filter is for good
    if (pid == 0) {
        try {
            refuse_close_range();
            process_world world;
            const auto out = world.run(world.shell("ls -l /proc/$PPID/fd"))->sink.out;
            const bool read = out.find("signalfd") != std::string::npos;
            ::_exit(read && out.find("muster-kept") == std::string::npos ? 0 : 1);
        } catch (...) {
            ::_exit(2);
        }
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(a_spawn_that_cannot_be_asked_for_is_refused) {
    const auto listener =
        spawn(guardian_link::spawn_descriptors{}); // nothing that can be passed on
    until([&] { return listener->heard(detail::guard_news::refused); });
    BOOST_TEST(listener->last->value == EBADF);
    BOOST_TEST(link->live() == 0u);
    context.restart();
    context.run(); // nothing is expected any more
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

} // namespace
