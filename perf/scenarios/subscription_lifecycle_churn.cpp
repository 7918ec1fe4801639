// Subscriptions that come and go: what subscribing and dropping costs, and that nothing stays.

#include "harness/session_load.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>

namespace muster::perf {
namespace {

constexpr std::size_t rounds = 50;
constexpr std::uint64_t session_capacity = 8;

asio::awaitable<void> churn(runtime& supervisor, std::size_t sessions) {
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < sessions; ++i) {
            subscribe_options options{session_capacity};
            const auto dropped = co_await supervisor.subscribe(session_name(i), std::move(options));
        }
        const auto dropped = supervisor.subscribe_all();
    }
}

asio::awaitable<void> work(runtime& supervisor, std::size_t sessions, repetition& run) {
    co_await spawn_all(supervisor, sessions);
    run.begin();
    co_await churn(supervisor, sessions);
    run.end();
    co_await keep_snapshot(supervisor, run);
}

void sample(repetition& run, std::size_t sessions) {
    run.sample(counter::subscribe_session_calls_total);
    run.sample(counter::subscribe_global_calls_total);
    run.sample(counter::subscribe_session_failures_total);
    run.sample("subscribers_left_count", std::uint64_t{run.state()->subscribers.size()},
               better::lower);
    run.sample("subscribe_drop_ns_per_call",
               ratio(run.value("wall_ms") * 1e6, static_cast<double>(rounds * (sessions + 1))),
               better::lower);

    run.expect(counter::subscribe_session_calls_total, "==", rounds * sessions);
    run.expect(counter::subscribe_global_calls_total, "==", rounds);
    run.expect(counter::subscribe_session_failures_total, "==", 0);
    run.expect("subscribers_left_count", "==", 0);
    run.mix(static_cast<std::uint64_t>(run.value("subscribe_session_calls_total")));
}

void run_once(std::size_t sessions, repetition& run) {
    script idle;
    idle.idle();
    asio::io_context context{1};
    runtime_options options;
    options.checkpoint = checkpoint_policy::off();
    runtime supervisor{context, scripted(std::move(idle)), options};
    drive(context, work(supervisor, sessions, run));
    sample(run, sessions);
}

scenario describe_scenario() {
    scenario subject;
    subject.name = "subscription_lifecycle_churn";
    subject.purpose = "50 rounds of subscribing to every session and to all, and dropping it";
    subject.session_counts = {10};
    subject.max_sessions = 100'000;
    subject.headlines = {"subscribe_session_calls_total", "subscribe_global_calls_total", "wall_ms",
                         "subscribe_drop_ns_per_call"};
    subject.published = {{10, "subscribe_session_calls_total", {500}},
                         {10, "subscribe_global_calls_total", {50}},
                         {10, "wall_ms", {0}}};
    subject.config = [](std::size_t) {
        return config_values{{"rounds_count", std::uint64_t{rounds}},
                             {"session_capacity_count", session_capacity},
                             {"threads_count", std::uint64_t{1}}};
    };
    subject.run = run_once;
    return subject;
}

const bool enlisted = enlist(describe_scenario());

} // namespace
} // namespace muster::perf
