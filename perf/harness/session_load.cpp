#include "harness/session_load.hpp"

#include <muster/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <limits>
#include <string>
#include <utility>

namespace muster::perf {
namespace {

constexpr std::chrono::milliseconds poll_interval{1};

} // namespace

void drive(asio::io_context& context, asio::awaitable<void> work, std::chrono::nanoseconds limit) {
    bool ended = false;
    std::exception_ptr problem;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown) {
        ended = true;
        problem = std::move(thrown);
    });
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!ended && context.run_one_until(deadline) != 0) {
    }
    if (problem) {
        std::rethrow_exception(problem);
    }
    if (!ended) {
        throw error{errc::internal, "the work did not end in time; run it with fewer sessions"};
    }
}

asio::awaitable<void> pause(std::chrono::nanoseconds duration) {
    asio::steady_timer timer{co_await asio::this_coro::executor, duration};
    co_await timer.async_wait(asio::use_awaitable);
}

session_id session_name(std::size_t number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "session-%06zu", number);
    return session_id{text.data()};
}

asio::awaitable<void> spawn_all(runtime& supervisor, std::size_t sessions) {
    for (std::size_t i = 0; i < sessions; ++i) {
        spawn_request request{session_name(i)};
        co_await supervisor.spawn(std::move(request));
    }
}

asio::awaitable<void> until_received(runtime& supervisor, std::uint64_t events) {
    for (;;) {
        const auto state = co_await supervisor.snapshot();
        if (state.totals.value_or_zero(counter::events_received_total) >= events) {
            co_return;
        }
        co_await pause(poll_interval);
    }
}

std::shared_ptr<script_backend> scripted(script every_session) {
    auto workers = std::make_shared<script_backend>(std::move(every_session));
    workers->track(false);
    return workers;
}

std::string output_line(std::size_t number) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "line %02zu from a scripted session\n", number);
    return text.data();
}

asio::awaitable<void> keep_snapshot(runtime& supervisor, repetition& run) {
    auto state = co_await supervisor.snapshot();
    run.keep(std::move(state));
    run.sample(counter::event_clone_ops_total);
    run.expect(counter::event_clone_ops_total, "==", 0);
}

double ratio(double total, double count) {
    return count > 0 ? total / count : std::numeric_limits<double>::quiet_NaN();
}

} // namespace muster::perf
