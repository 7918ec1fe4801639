#include "../../lib/backend/guardian_link.hpp"

#include "../../lib/backend/command_image.hpp"
#include "process_world.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

int parent_of(int pid) {
    std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
    std::string name;
    char state = 0;
    int parent = 0;
    stat >> pid >> name >> state >> parent;
    return parent;
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
    ::kill(parent_of(first->last->pid), SIGKILL);
    until([&] { return first->lost; });
    const auto second = spawn();
    until([&] { return second->heard(detail::guard_news::spawned); });
    BOOST_TEST(link->live() == 1u);
}

/// A request that it never read is no reason not to read what it has said.
BOOST_AUTO_TEST_CASE(a_guardian_that_dies_with_a_request_unread_is_heard_to_its_last_word) {
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    detail::unique_fd output{ends[0]};
    auto fds = descriptors_for(process_world::shell("echo $PPID; sleep 1000 & echo $!; wait"));
    fds[detail::fd_out].reset(ends[1]);
    const auto listener = spawn(std::move(fds));
    std::string text;
    for (char byte = 0; std::count(text.begin(), text.end(), '\n') < 2;) {
        BOOST_REQUIRE(::read(output.get(), &byte, 1) == 1);
        text.push_back(byte);
    }
    std::istringstream pids{text};
    int guardian = 0;
    int grandchild = 0;
    pids >> guardian >> grandchild;
    ::kill(guardian, SIGSTOP);
    link->signal(1, 0, 0);
    ::kill(guardian, SIGKILL);
    until([&] { return listener->lost; });
    BOOST_TEST(listener->heard(detail::guard_news::spawned));
    BOOST_TEST(becomes_true([&] { return has_ended(grandchild); }));
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
