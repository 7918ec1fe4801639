#include <muster/error.hpp>
#include <muster/metrics/write_file.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace muster;
namespace fs = std::filesystem;

namespace {

/// An empty directory that disappears with its contents.
class scratch_directory {
public:
    scratch_directory() {
        std::string name = (fs::temp_directory_path() / "muster-test-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() { fs::remove_all(path_); }

    [[nodiscard]] std::string operator/(const std::string& name) const {
        return (path_ / name).string();
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator{path_}) {
            found.push_back(entry.path().filename().string());
        }
        return found;
    }

private:
    fs::path path_;
};

/// Files of this process cannot grow beyond `bytes` meanwhile: a full disk for everyone's use.
class file_size_limit {
public:
    explicit file_size_limit(rlim_t bytes) : handler_{std::signal(SIGXFSZ, SIG_IGN)} {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limited{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limited);
    }
    file_size_limit(const file_size_limit&) = delete;
    file_size_limit& operator=(const file_size_limit&) = delete;
    ~file_size_limit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

std::atomic<int> flushed_directories{0};

template <typename Action>
void expect_refusal(Action action, errc code, const std::string& path) {
    try {
        action();
        BOOST_ERROR("nothing was thrown");
    } catch (const error& problem) {
        const std::string message = problem.what();
        BOOST_TEST((problem.code() == code));
        BOOST_TEST(message.find(path) != std::string::npos, message);
        BOOST_TEST(message.find("; ") != std::string::npos, message); // what to do
        BOOST_TEST(message.find('\n') == std::string::npos, message);
    }
}

} // namespace

/// In place of the C library's, to see what is flushed.
extern "C" __attribute__((visibility("default"))) int fsync(int descriptor) {
    struct stat what {};
    if (::fstat(descriptor, &what) == 0 && S_ISDIR(what.st_mode)) {
        ++flushed_directories;
    }
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_SUITE(file_writing)

BOOST_AUTO_TEST_CASE(a_file_is_written_and_replaced_whole) {
    const scratch_directory scratch;
    const auto path = scratch / "report.json";
    write_file_atomically(path, "first, and longer");
    write_file_atomically(path, "second");
    BOOST_TEST(read_file(path) == "second");
    BOOST_TEST(scratch.names().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_missing_directory_is_refused) {
    const scratch_directory scratch;
    const auto path = scratch / "missing/report.json";
    expect_refusal([&] { write_file_atomically(path, "x"); }, errc::configuration, path);
    BOOST_TEST(scratch.names().empty());
}

BOOST_AUTO_TEST_CASE(a_directory_in_the_files_place_is_refused_and_kept) {
    const scratch_directory scratch;
    const auto path = scratch / "report.json";
    fs::create_directory(path);
    expect_refusal([&] { write_file_atomically(path, "x"); }, errc::configuration, path);
    BOOST_TEST(scratch.names().size() == 1U);
    BOOST_TEST(fs::is_directory(path));
}

BOOST_AUTO_TEST_CASE(what_is_there_and_no_regular_file_is_refused_and_kept) {
    const scratch_directory scratch;
    const auto path = scratch / "pipe";
    BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    expect_refusal([&] { write_file_atomically(path, "x"); }, errc::configuration, path);
    BOOST_TEST(fs::is_fifo(path));
    fs::create_symlink("loop", scratch / "loop");
    expect_refusal([&] { write_file_atomically(scratch / "loop", "x"); }, errc::configuration,
                   scratch / "loop");
    BOOST_TEST(scratch.names().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_stays_and_its_target_is_written) {
    const scratch_directory scratch;
    const auto target = scratch / "target/report.json";
    fs::create_directory(scratch / "target");
    fs::create_symlink("target/link", scratch / "first");
    fs::create_symlink("report.json", scratch / "target/link");
    for (const char* contents : {"the target is made", "the target is replaced"}) {
        write_file_atomically(scratch / "first", contents);
        BOOST_TEST(fs::is_symlink(scratch / "first"));
        BOOST_TEST(fs::is_symlink(scratch / "target/link"));
        BOOST_REQUIRE(fs::is_regular_file(target));
        BOOST_TEST(read_file(target) == contents);
    }
    BOOST_TEST(scratch.names().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_replaced_keeps_its_mode) {
    const scratch_directory scratch;
    const auto path = scratch / "report.json";
    write_file_atomically(path, "first");
    for (const auto mode : {fs::perms{0600}, fs::perms{0666}}) {
        fs::permissions(path, mode);
        write_file_atomically(path, "second");
        BOOST_TEST((fs::status(path).permissions() == mode));
    }
}

BOOST_AUTO_TEST_CASE(the_directory_is_flushed_with_the_file) {
    const scratch_directory scratch;
    const int before = flushed_directories;
    write_file_atomically(scratch / "report.json", "x");
    BOOST_TEST(flushed_directories == before + 1);
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_old_file_and_nothing_else) {
    const scratch_directory scratch;
    const auto path = scratch / "report.json";
    write_file_atomically(path, "old");
    const std::string large(100'000, 'x');
    expect_refusal(
        [&] {
            const file_size_limit limit{4'096};
            write_file_atomically(path, large);
        },
        errc::dependency_unavailable, path);
    BOOST_TEST(read_file(path) == "old");
    BOOST_TEST(scratch.names().size() == 1U);
}

BOOST_AUTO_TEST_CASE(writers_of_the_same_file_do_not_mix) {
    const scratch_directory scratch;
    const auto path = scratch / "report.json";
    const auto write = [&](char letter) {
        for (int i = 0; i < 20; ++i) {
            write_file_atomically(path, std::string(10'000, letter));
        }
    };
    std::thread other{write, 'a'};
    write('b');
    other.join();
    const auto contents = read_file(path);
    BOOST_TEST(contents == std::string(10'000, contents.front()));
    BOOST_TEST(scratch.names().size() == 1U);
}

BOOST_AUTO_TEST_CASE(directories_are_made_with_their_parents) {
    const scratch_directory scratch;
    ensure_writable_directory(scratch / "a/b");
    ensure_writable_directory(scratch / "a/b");
    BOOST_TEST(fs::is_directory(scratch / "a/b"));
}

BOOST_AUTO_TEST_CASE(a_directory_below_a_file_is_refused) {
    const scratch_directory scratch;
    write_file_atomically(scratch / "file", "");
    for (const char* name : {"file", "file/below"}) {
        const auto path = scratch / name;
        expect_refusal([&] { ensure_writable_directory(path); }, errc::configuration, path);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_even_be_looked_at_is_refused) {
    const scratch_directory scratch;
    fs::create_symlink("loop", scratch / "loop");
    for (const auto& path : {scratch / std::string(300, 'x'), scratch / "loop"}) {
        expect_refusal([&] { ensure_writable_directory(path); }, errc::configuration, path);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_that_refuses_is_named) {
    const scratch_directory scratch;
    fs::create_directory(scratch / "closed");
    fs::permissions(scratch / "closed", fs::perms::owner_read | fs::perms::owner_exec);
    if (::geteuid() == 0) {
        return; // root writes everywhere
    }
    expect_refusal([&] { ensure_writable_directory(scratch / "closed"); }, errc::configuration,
                   scratch / "closed");
}

BOOST_AUTO_TEST_CASE(files_are_read_whole) {
    const scratch_directory scratch;
    for (const std::size_t size : {0U, 1U, 100'000U}) {
        const std::string contents(size, '\n');
        write_file_atomically(scratch / "file", contents);
        BOOST_TEST((read_file(scratch / "file") == contents));
    }
}

BOOST_AUTO_TEST_CASE(reading_a_directory_is_refused) {
    const scratch_directory scratch;
    expect_refusal([&] { static_cast<void>(read_file(scratch / "")); }, errc::configuration,
                   scratch / "");
}

BOOST_AUTO_TEST_CASE(reading_what_is_not_there_is_refused) {
    const scratch_directory scratch;
    expect_refusal([&] { static_cast<void>(read_file(scratch / "none")); }, errc::configuration,
                   scratch / "none");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
