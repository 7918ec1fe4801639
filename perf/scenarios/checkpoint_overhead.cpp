// Idle sessions with a short checkpoint interval: what a tick costs, from the wheel to the send.

#include "harness/session_load.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>

namespace muster::perf {
namespace {

constexpr std::chrono::milliseconds interval{25};
constexpr std::chrono::milliseconds watched{180};
constexpr std::uint64_t ticks_each = watched / interval;

asio::awaitable<void> work(runtime& supervisor, std::size_t sessions, repetition& run) {
    co_await spawn_all(supervisor, sessions);
    run.begin(); // nothing is due until an interval after the first spawn
    co_await pause(watched);
    run.end();
    // Ends the prompting, so that what is read afterwards stands still.
    co_await supervisor.shutdown(std::chrono::seconds{10});
    co_await keep_snapshot(supervisor, run);
}

void sample(repetition& run, std::size_t sessions, const script_backend& workers) {
    run.sample(counter::checkpoint_ticks_total);
    run.sample(counter::checkpoint_send_attempts_total);
    run.sample(counter::checkpoint_send_failures_total);
    run.sample(counter::checkpoint_send_timeouts_total);
    run.sample(counter::checkpoint_send_nanos_total, better::lower);
    run.sample(counter::checkpoint_loop_read_lock_wait_nanos_total, better::lower);
    const double ticks = run.value("checkpoint_ticks_total");
    run.sample("read_lock_wait_ns_per_tick",
               ratio(run.value("checkpoint_loop_read_lock_wait_nanos_total"), ticks),
               better::lower);
    run.sample("cpu_us_per_tick", ratio(run.value("cpu_ms") * 1'000, ticks), better::lower);
    run.sample("prompts_not_received_count",
               run.value("checkpoint_send_attempts_total") -
                   static_cast<double>(workers.inputs_accepted()),
               better::lower);

    run.expect(counter::checkpoint_ticks_total, ">=", sessions * (ticks_each - 1));
    run.expect(counter::checkpoint_ticks_total, "<=", sessions * (ticks_each + 1));
    run.expect(counter::checkpoint_send_failures_total, "==", 0);
    run.expect(counter::checkpoint_send_timeouts_total, "==", 0);
    run.expect("prompts_not_received_count", "==", 0);
    run.mix(sessions);
}

void run_once(std::size_t sessions, repetition& run) {
    script idle;
    idle.idle();
    const auto workers = scripted(std::move(idle));
    asio::io_context context{1};
    runtime_options options;
    options.checkpoint = checkpoint_policy{interval};
    runtime supervisor{context, workers, options};
    drive(context, work(supervisor, sessions, run));
    sample(run, sessions, *workers);
}

scenario describe_scenario() {
    scenario subject;
    subject.name = "checkpoint_overhead";
    subject.purpose = "checkpoint prompts every 25 ms to idle sessions, for 180 ms";
    subject.session_counts = {10, 20, 30};
    subject.max_sessions = 100'000;
    subject.needs_the_processor = true;
    subject.headlines = {"checkpoint_ticks_total", "wall_ms", "cpu_us_per_tick",
                         "read_lock_wait_ns_per_tick"};
    subject.published = {{10, "checkpoint_ticks_total", {60}},  {10, "wall_ms", {181}},
                         {20, "checkpoint_ticks_total", {101}}, {20, "wall_ms", {181}},
                         {30, "checkpoint_ticks_total", {150}}, {30, "wall_ms", {184}}};
    subject.config = [](std::size_t) {
        return config_values{{"checkpoint_interval_ms", std::uint64_t{interval.count()}},
                             {"watched_ms", std::uint64_t{watched.count()}},
                             {"threads_count", std::uint64_t{1}}};
    };
    subject.run = run_once;
    return subject;
}

const bool enlisted = enlist(describe_scenario());

} // namespace
} // namespace muster::perf
