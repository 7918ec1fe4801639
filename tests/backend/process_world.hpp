#pragma once

#include <muster/backend/process.hpp>
#include <muster/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace muster::test {

/// Asks the kernel, whose processes live in no virtual time, until `done()`; a test that would hang
/// fails after 20 s.
template <typename Predicate>
bool becomes_true(Predicate done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!done() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    return done();
}

/// Keeps what a worker says.
class recording_sink final : public event_sink {
public:
    void push(event value) override { record(std::move(value)); }
    void push(std::span<event> values) override {
        for (event& value : values) {
            record(std::move(value));
        }
    }

    void end(std::exception_ptr) override {} // processes run as coroutines

    std::vector<event> events;
    std::string out;
    std::string err;
    std::optional<std::string> crash;
    std::size_t output_events = 0;
    bool keep_output = true;
    std::size_t output_bytes = 0;

private:
    void record(event value) {
        if (const auto* said = value.get_if<output>()) {
            ++output_events;
            output_bytes += said->bytes.size();
            if (keep_output) {
                (said->stream == output_stream::standard_output ? out : err) += said->bytes;
            }
            return;
        }
        if (const auto* reason = value.get_if<crashed>()) {
            crash = reason->reason;
        }
        events.push_back(std::move(value));
    }
};

/// One session as the runtime would drive it.
struct supervised {
    explicit supervised(asio::io_context& context) : executor{context} {}

    session_executor executor;
    std::unique_ptr<worker> process;
    recording_sink sink;
    bool spawned = false;
    bool ended = false;
    std::exception_ptr failure;
};

/// A context with a process backend, driven by the test with bounded waits.
class process_world {
public:
    explicit process_world(process_options options = {})
        : backend{std::make_unique<process_backend>(context, watch(std::move(options)))} {}

    /// The options of most tests: no grace where the test does not wait for it.
    static process_options quick() {
        process_options options;
        options.defaults.grace = kill_grace{
            std::chrono::nanoseconds{0}, std::chrono::nanoseconds{0}, std::chrono::nanoseconds{0}};
        return options;
    }

    static spawn_request shell(std::string script, const char* id = "s") {
        return spawn_request{session_id{id}, {"/bin/sh", "-c", std::move(script)}};
    }

    /// Runs handlers until `done()`; a test failure after `limit`, which only catches what hangs: a
    /// sanitizer on a busy machine takes its time.
    template <typename Predicate>
    void until(Predicate done, std::chrono::milliseconds limit = std::chrono::seconds{60}) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline,
                                  "the awaited state was not reached in time");
            context.restart();
            context.run_one_for(std::chrono::milliseconds{2});
        }
    }

    /// Starts a session; its spawn and run are under way when the call returns.
    std::shared_ptr<supervised> launch(spawn_request request) {
        auto session = std::make_shared<supervised>(context);
        asio::co_spawn(session->executor, live(*backend, session, std::move(request)),
                       [session](std::exception_ptr failure) {
                           session->failure = failure;
                           session->ended = true;
                       });
        return session;
    }

    /// Starts a session and waits until it runs. Throws what `spawn` threw.
    std::shared_ptr<supervised> start(spawn_request request) {
        auto session = launch(std::move(request));
        until([&] { return session->spawned || session->ended; });
        if (session->failure) {
            std::rethrow_exception(session->failure);
        }
        return session;
    }

    /// Waits until `run` has returned. Throws what it threw.
    void finish(const std::shared_ptr<supervised>& session) {
        until([&] { return session->ended; });
        if (session->failure) {
            std::rethrow_exception(session->failure);
        }
    }

    /// Runs one of the worker's coroutines to its end. Throws what it threw.
    void complete(const std::shared_ptr<supervised>& session, session_awaitable<> work) {
        bool done = false;
        std::exception_ptr failure;
        asio::co_spawn(session->executor, std::move(work), [&](std::exception_ptr result) {
            failure = result;
            done = true;
        });
        until([&] { return done; });
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    void kill(const std::shared_ptr<supervised>& session) {
        complete(session, session->process->kill());
    }

    /// Spawns, runs to the end and returns what was recorded.
    std::shared_ptr<supervised> run(spawn_request request) {
        auto session = start(std::move(request));
        finish(session);
        return session;
    }

    asio::io_context context;
    std::vector<process_report> reports;
    std::unique_ptr<process_backend> backend;

private:
    process_options watch(process_options options) {
        options.on_ended = [this](const session_id&, const process_report& report) {
            reports.push_back(report);
        };
        return options;
    }

    static session_awaitable<> live(process_backend& backend, std::shared_ptr<supervised> session,
                                    spawn_request request) {
        session->process = co_await backend.spawn(request, session->executor);
        session->spawned = true;
        co_await session->process->run(session->sink);
    }
};

/// No process has this id, not even a zombie.
inline bool is_gone(int pid) {
    return ::kill(pid, 0) != 0 && errno == ESRCH;
}

/// It is gone, or a zombie of somebody who is not ours. TSan gives every process a thread of its
/// own: as long as that lives, its descriptors do.
inline bool has_ended(int pid) {
    const auto process = "/proc/" + std::to_string(pid);
    std::ifstream stat{process + "/stat"};
    std::string name;
    char state = 'X';
    stat >> pid >> name >> state;
    if (state == 'X') {
        return true;
    }
    std::error_code gone;
    int threads = 0;
    for (std::filesystem::directory_iterator all{process + "/task", gone}, none;
         !gone && all != none; all.increment(gone)) {
        ++threads;
    }
    return state == 'Z' && threads <= 1;
}

} // namespace muster::test
