#include "workloads/house.hpp"

#include "workloads/shared/loop.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace muster::work {

void session_options::declare_sessions(param_set& params) {
    params.number("sessions", sessions, 1, 2'000'000, "sessions");
}

void session_options::declare_session_capacity(param_set& params) {
    params.number("session_capacity", session_capacity, 1, 1U << 16U,
                  "events that a session's subscriber may lag");
}

runtime_options lean_options() {
    runtime_options options;
    options.checkpoint = checkpoint_policy::off();
    options.session_retention = retention(0);
    options.global_retention = retention(0);
    return options;
}

house::house(asio::io_context& on, std::uint64_t threads, const runtime_options& options,
             hand_over how, input_listener* listener)
    : context(on), workers(std::make_shared<load_backend>(how, listener)),
      runtime(std::make_unique<muster::runtime>(context, workers, options)), threads_(threads) {}

house::~house() {
    runtime.reset();
    context.restart();
    context.poll();
}

void house::run(asio::awaitable<void> driver) {
    bool ended = false;
    std::exception_ptr problem;
    asio::co_spawn(context, std::move(driver), [&](std::exception_ptr thrown) {
        ended = true;
        problem = std::move(thrown);
        context.stop();
    });
    context.restart();
    run_all(context, threads_);
    if (problem) {
        std::rethrow_exception(problem);
    }
    if (!ended) {
        throw std::runtime_error("the driver was left waiting with nothing to run");
    }
}

asio::awaitable<void> house::populate(std::uint64_t count) {
    for (std::uint64_t number = workers->workers().size(); number < count; ++number) {
        spawn_request request(id_of(number));
        co_await runtime->spawn(std::move(request));
    }
}

void house::say_to_all(std::uint64_t first, std::uint64_t count, std::uint64_t payload) {
    for (load_worker* const one : workers->workers()) {
        std::vector<event> burst;
        burst.reserve(count);
        for (std::uint64_t number = first; number < first + count; ++number) {
            burst.emplace_back(output(std::string(payload, static_cast<char>('a' + number % 16))));
        }
        one->say(std::move(burst));
    }
}

asio::awaitable<void> house::received(std::uint64_t events) {
    for (;;) {
        co_await asio::post(asio::use_awaitable); // whoever has something to say says it first
        const auto state = co_await runtime->snapshot();
        if (state.totals.value_or_zero(counter::events_received_total) >= events) {
            co_return;
        }
    }
}

runtime_snapshot house::state() {
    runtime_snapshot found;
    const auto ask = [](muster::runtime& asked, runtime_snapshot& seen) -> asio::awaitable<void> {
        seen = co_await asked.snapshot();
    };
    run(ask(*runtime, found));
    return found;
}

void add_latency(outcome& to, std::string_view stem, const runtime_snapshot& state, latency which) {
    const auto& summary = state.latencies[static_cast<std::size_t>(which)];
    const auto add = [&](const char* suffix, std::uint64_t histogram_summary::*value) {
        to.figure(std::string(stem) + suffix, summary ? json(*summary.*value) : json(nullptr));
    };
    add("_p50_ns", &histogram_summary::p50_ns);
    add("_p99_ns", &histogram_summary::p99_ns);
    add("_p999_ns", &histogram_summary::p999_ns);
    add("_max_ns", &histogram_summary::max_ns);
}

/// "session-0000042". Not by printf: that would be a twentieth of a spawn and a kill.
session_id id_of(std::uint64_t session) {
    std::string text = "session-0000000";
    auto digit = text.rbegin();
    for (; session != 0 && *digit != '-'; session /= 10) {
        *digit++ = static_cast<char>('0' + session % 10);
    }
    if (session != 0) {
        throw std::length_error("no more than ten million sessions have a name");
    }
    return session_id(text);
}

} // namespace muster::work
