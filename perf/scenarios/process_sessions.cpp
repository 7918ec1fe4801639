// Real children: shells that print 40 lines and answer each checkpoint prompt; every prompt is
// answered, every line arrives, and nothing is left running.

#include "harness/session_load.hpp"

#include <muster/backend/process.hpp>

#include <boost/asio/io_context.hpp>

#include <cerrno>
#include <chrono>
#include <vector>

#include <signal.h>

namespace muster::perf {
namespace {

constexpr std::chrono::milliseconds interval{100};
constexpr std::chrono::milliseconds watched{450};
constexpr std::uint64_t ticks_each = watched / interval;
constexpr std::uint64_t lines_each = 40;
constexpr std::uint64_t line_bytes = 14; // "line 01 of 40" and its newline

constexpr const char* worker_script = R"sh(
line=1
while [ "$line" -le 40 ]; do
    printf 'line %02d of 40\n' "$line"
    line=$((line + 1))
done
answers=0
while IFS= read -r prompt; do
    answers=$((answers + 1))
    printf '{"muster":1,"event":"checkpoint","summary":"answer %d"}\n' "$answers"
done
)sh";

/// What came out of the children.
struct outcome {
    std::uint64_t answers = 0;
    std::uint64_t output_bytes = 0;
    std::uint64_t lost = 0;
    std::uint64_t failures = 0; // of prompts, while all children ran
    double spawn_ms = 0;
    std::uint64_t workers_left = 0;
    std::vector<process_report> ended;
};

asio::awaitable<void> spawn_children(runtime& supervisor, std::size_t sessions) {
    for (std::size_t i = 0; i < sessions; ++i) {
        spawn_request request{session_name(i)};
        request.command.emplace_back("/bin/sh");
        request.command.emplace_back("-c");
        request.command.emplace_back(worker_script);
        co_await supervisor.spawn(std::move(request));
    }
}

void read_all(global_subscription& reader, outcome& found) {
    for (;;) {
        sys::error_code ec;
        const event_delivery next = reader.try_receive(ec);
        if (ec) {
            return;
        }
        found.lost += next.missing.events;
        if (next.value) {
            found.answers += next.value.kind() == event_kind::checkpoint ? 1 : 0;
            found.output_bytes += next.value.output_bytes();
        }
    }
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>{std::chrono::steady_clock::now() - start}
        .count();
}

asio::awaitable<void> work(runtime& supervisor, std::size_t sessions, repetition& run,
                           outcome& found) {
    // Room for everything: this scenario is not about loss.
    auto reader = supervisor.subscribe_all(subscribe_options{"everything", 1'000 * sessions});
    run.begin();
    const auto start = std::chrono::steady_clock::now();
    co_await spawn_children(supervisor, sessions);
    found.spawn_ms = milliseconds_since(start);
    co_await pause(watched);
    const auto state = co_await supervisor.snapshot();
    found.failures = state.totals.value_or_zero(counter::checkpoint_send_failures_total);
    // Closes each child's input first: it answers what it was sent, sees the end, and leaves. A
    // prompt that is due in between may find the input closed, so failures count until here.
    const auto report = co_await supervisor.shutdown(std::chrono::seconds{30});
    run.end();
    found.workers_left = report.workers_left;
    read_all(reader, found);
    co_await keep_snapshot(supervisor, run);
}

bool is_gone(const process_report& child) {
    return child.group_empty && ::kill(-child.pid, 0) != 0 && errno == ESRCH;
}

double prompts_sent(const repetition& run) {
    return run.value("checkpoint_send_attempts_total") -
           run.value("checkpoint_send_failures_total") -
           run.value("checkpoint_send_timeouts_total");
}

void sample(repetition& run, const outcome& found) {
    std::uint64_t gone = 0;
    for (const auto& child : found.ended) {
        gone += is_gone(child) ? 1 : 0;
    }
    run.sample(counter::checkpoint_ticks_total);
    run.sample(counter::checkpoint_send_attempts_total);
    run.sample(counter::checkpoint_send_failures_total);
    run.sample(counter::checkpoint_send_timeouts_total);
    run.sample("failures_while_running_count", found.failures);
    run.sample("answers_count", found.answers);
    run.sample("prompts_unanswered_count", prompts_sent(run) - static_cast<double>(found.answers),
               better::lower);
    run.sample(counter::output_bytes_total);
    run.sample("output_read_bytes", found.output_bytes);
    run.sample("spawn_all_ms", found.spawn_ms, better::lower);
    run.sample("process_groups_gone_count", gone);
    run.sample("workers_left_count", found.workers_left, better::lower);
}

void check(repetition& run, std::size_t sessions) {
    const std::uint64_t bytes = sessions * lines_each * line_bytes;
    run.expect(counter::checkpoint_ticks_total, ">=", sessions * (ticks_each - 1));
    run.expect("failures_while_running_count", "==", 0);
    run.expect(counter::checkpoint_send_timeouts_total, "==", 0);
    run.expect("prompts_unanswered_count", "==", 0);
    run.expect(counter::output_bytes_total, "==", bytes);
    run.expect("output_read_bytes", "==", bytes);
    run.expect("process_groups_gone_count", "==", sessions);
    run.expect("workers_left_count", "==", 0);
    run.mix(bytes);
}

void run_once(std::size_t sessions, repetition& run) {
    outcome found;
    asio::io_context context{1};
    process_options processes;
    processes.defaults.protocol = true;
    processes.on_ended = [&found](const session_id&, const process_report& report) {
        found.ended.push_back(report);
    };
    const auto workers = std::make_shared<process_backend>(context, std::move(processes));
    runtime_options options;
    options.checkpoint = checkpoint_policy{interval};
    runtime supervisor{context, workers, options};
    drive(context, work(supervisor, sessions, run, found));
    sample(run, found);
    check(run, sessions);
}

scenario describe_scenario() {
    scenario subject;
    subject.name = "process_sessions";
    subject.purpose = "real shells that print 40 lines and answer a prompt every 100 ms";
    subject.session_counts = {10, 20, 30};
    subject.max_sessions = 2'000;
    subject.repetitions = 3;
    subject.needs_the_processor = true;
    subject.headlines = {"answers_count", "prompts_unanswered_count", "process_groups_gone_count",
                         "spawn_all_ms", "wall_ms"};
    subject.config = [](std::size_t) {
        return config_values{{"checkpoint_interval_ms", std::uint64_t{interval.count()}},
                             {"watched_ms", std::uint64_t{watched.count()}},
                             {"lines_per_session_count", lines_each},
                             {"threads_count", std::uint64_t{1}}};
    };
    subject.run = run_once;
    return subject;
}

const bool enlisted = enlist(describe_scenario());

} // namespace
} // namespace muster::perf
