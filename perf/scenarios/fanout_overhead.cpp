// Bursts of output while one global subscriber never reads: what the dispatch of an event costs.

#include "harness/session_load.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>

namespace muster::perf {
namespace {

constexpr std::size_t events_each = 40;
constexpr std::chrono::milliseconds watched{120};
constexpr std::uint64_t global_capacity = 4'096;

asio::awaitable<void> work(runtime& supervisor, std::size_t sessions, repetition& run) {
    const auto idle = supervisor.subscribe_all(subscribe_options{"idle", global_capacity});
    run.begin();
    co_await spawn_all(supervisor, sessions);
    co_await pause(watched);
    co_await until_received(supervisor, sessions * events_each);
    run.end();
    co_await keep_snapshot(supervisor, run);
}

void sample(repetition& run, std::size_t sessions) {
    const std::uint64_t events = sessions * events_each;
    run.sample(counter::events_received_total);
    run.sample(counter::events_forwarded_session_total);
    run.sample(counter::events_forwarded_global_total);
    run.sample(counter::output_bytes_total);
    run.sample(counter::event_dispatch_nanos_total, better::lower);
    run.sample("dispatch_ns_per_event",
               ratio(run.value("event_dispatch_nanos_total"), static_cast<double>(events)),
               better::lower);
    const auto& summary = run.state()->latencies[static_cast<std::size_t>(latency::dispatch)];
    if (summary) {
        run.sample("dispatch_p99_ns", summary->p99_ns, better::lower);
    }

    run.expect(counter::events_received_total, "==", events);
    run.expect(counter::events_forwarded_global_total, "==", events);
    run.expect(counter::events_forwarded_session_total, "==", 0);
    run.expect(counter::output_bytes_total, "==", events * output_line(0).size());
    run.mix(static_cast<std::uint64_t>(run.value("events_received_total")));
    run.mix(static_cast<std::uint64_t>(run.value("output_bytes_total")));
}

void run_once(std::size_t sessions, repetition& run) {
    script talkative;
    for (std::size_t i = 0; i < events_each; ++i) {
        talkative.emit(output{output_line(i)});
    }
    talkative.idle();
    asio::io_context context{1};
    runtime_options options;
    options.checkpoint = checkpoint_policy::off();
    runtime supervisor{context, scripted(std::move(talkative)), options};
    drive(context, work(supervisor, sessions, run));
    sample(run, sessions);
}

scenario describe_scenario() {
    scenario subject;
    subject.name = "fanout_overhead";
    subject.purpose = "40 output events a session, one idle global subscriber, no checkpoints";
    subject.session_counts = {10, 20, 30};
    subject.max_sessions = 100'000;
    subject.headlines = {"events_received_total", "event_dispatch_nanos_total",
                         "dispatch_ns_per_event", "dispatch_p99_ns"};
    subject.published = {{10, "events_received_total", {400}},
                         {20, "events_received_total", {800}},
                         {30, "events_received_total", {1'200}},
                         {10, "event_dispatch_nanos_total", {295'745, 196'843}},
                         {20, "event_dispatch_nanos_total", {574'956, 374'801}},
                         {30, "event_dispatch_nanos_total", {969'701, 550'043}}};
    subject.config = [](std::size_t) {
        return config_values{{"events_per_session_count", std::uint64_t{events_each}},
                             {"watched_ms", std::uint64_t{watched.count()}},
                             {"global_capacity_count", global_capacity},
                             {"threads_count", std::uint64_t{1}}};
    };
    subject.run = run_once;
    return subject;
}

const bool enlisted = enlist(describe_scenario());

} // namespace
} // namespace muster::perf
