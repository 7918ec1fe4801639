// Subscribers that start to read after the burst: what is lost is exactly what does not fit, and
// everyone is told.

#include "harness/session_load.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace muster::perf {
namespace {

constexpr std::size_t events_each = 80;
constexpr std::uint64_t session_capacity = 8;
constexpr std::uint64_t global_capacity = 32;

/// What the readers found when they looked.
struct delivered {
    std::uint64_t session_events = 0;
    std::uint64_t global_events = 0;
    std::uint64_t gap_events = 0;
    std::uint64_t bytes = 0;
};

constexpr std::string_view marker_prefix = "[muster] output truncated";

bool is_marker(const envelope& event) {
    const auto* text = event.get_if<output>();
    return text != nullptr && text->stream == output_stream::standard_error &&
           text->bytes.starts_with(marker_prefix);
}

/// Reads what is there; counts events, not the markers that stand for what is missing.
template <typename Subscription>
std::uint64_t drain(Subscription& reader, delivered& found) {
    std::uint64_t events = 0;
    for (;;) {
        sys::error_code ec;
        const event_delivery next = reader.try_receive(ec);
        if (ec) {
            return events;
        }
        found.gap_events += next.missing.events;
        if (next.value && !is_marker(next.value)) {
            ++events;
            found.bytes += next.value.output_bytes();
        }
    }
}

asio::awaitable<std::vector<session_subscription>> subscribe_each(runtime& supervisor,
                                                                  std::size_t sessions) {
    std::vector<session_subscription> readers;
    for (std::size_t i = 0; i < sessions; ++i) {
        subscribe_options options{"late", session_capacity};
        readers.push_back(co_await supervisor.subscribe(session_name(i), std::move(options)));
    }
    co_return readers;
}

asio::awaitable<void> work(runtime& supervisor, script_backend& workers, std::size_t sessions,
                           repetition& run, delivered& found) {
    co_await spawn_all(supervisor, sessions);
    auto readers = co_await subscribe_each(supervisor, sessions);
    auto all = supervisor.subscribe_all(subscribe_options{"late", global_capacity});
    run.begin();
    for (std::size_t i = 0; i < sessions; ++i) {
        workers.resume(session_name(i));
    }
    co_await until_received(supervisor, sessions * events_each);
    for (auto& reader : readers) {
        found.session_events += drain(reader, found);
    }
    found.global_events = drain(all, found);
    run.end();
    co_await keep_snapshot(supervisor, run);
}

void sample(repetition& run, std::size_t sessions, const delivered& found) {
    const std::uint64_t events = sessions * events_each;
    const std::uint64_t kept_by_sessions = sessions * session_capacity;
    const std::uint64_t kept_by_all = std::min(global_capacity, events);
    const std::uint64_t dropped = 2 * events - kept_by_sessions - kept_by_all;
    run.sample(counter::events_received_total);
    run.sample(counter::queue_pressure_dropped_events_total);
    run.sample(counter::queue_pressure_dropped_bytes_total);
    run.sample(counter::output_truncation_markers_total);
    run.sample("delivered_session_events_count", found.session_events);
    run.sample("delivered_global_events_count", found.global_events);
    run.sample("gap_events_count", found.gap_events);

    run.expect(counter::events_received_total, "==", events);
    run.expect(counter::queue_pressure_dropped_events_total, "==", dropped);
    run.expect(counter::queue_pressure_dropped_bytes_total, "==", dropped * output_line(0).size());
    run.expect(counter::output_truncation_markers_total, "==", sessions);
    run.expect("delivered_session_events_count", "==", kept_by_sessions);
    run.expect("delivered_global_events_count", "==", kept_by_all);
    run.expect("gap_events_count", "==", dropped);
    run.mix(found.bytes);
    run.mix(found.gap_events);
}

void run_once(std::size_t sessions, repetition& run) {
    script burst;
    burst.idle();
    for (std::size_t i = 0; i < events_each; ++i) {
        burst.emit(output{output_line(i)});
    }
    burst.idle();
    const auto workers = std::make_shared<script_backend>(std::move(burst));
    asio::io_context context{1};
    runtime_options options;
    options.checkpoint = checkpoint_policy::off();
    runtime supervisor{context, workers, options};
    delivered found;
    drive(context, work(supervisor, *workers, sessions, run, found));
    sample(run, sessions, found);
}

scenario describe_scenario() {
    scenario subject;
    subject.name = "stream_pressure";
    subject.purpose = "80 events a session; a subscriber each and a global one read afterwards";
    subject.session_counts = {1, 5, 20};
    subject.max_sessions = 100'000;
    subject.headlines = {"queue_pressure_dropped_events_total", "output_truncation_markers_total",
                         "wall_ms"};
    subject.published = {{1, "queue_pressure_dropped_events_total", {120}},
                         {5, "queue_pressure_dropped_events_total", {728}},
                         {20, "queue_pressure_dropped_events_total", {3'008}},
                         {1, "output_truncation_markers_total", {1}},
                         {5, "output_truncation_markers_total", {5}},
                         {20, "output_truncation_markers_total", {20}}};
    subject.config = [](std::size_t) {
        return config_values{{"events_per_session_count", std::uint64_t{events_each}},
                             {"session_capacity_count", session_capacity},
                             {"global_capacity_count", global_capacity},
                             {"threads_count", std::uint64_t{1}}};
    };
    subject.run = run_once;
    return subject;
}

const bool enlisted = enlist(describe_scenario());

} // namespace
} // namespace muster::perf
