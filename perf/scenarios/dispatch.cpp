// What it costs to take an event from a session, with nobody who reads it.

#include "harness/work_scenario.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

/// Some 1.2 million events; at most 4 million in a round, for they all exist at once.
work_params events_for(std::size_t sessions) {
    const auto burst = std::clamp<std::uint64_t>(4'000'000 / sessions, 1, 40);
    return {{"burst", std::to_string(burst)}, {"events", share_of(1'200'000, sessions, burst, 8)}};
}

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "dispatch";
    what.session_counts = {30, 1'000};
    what.bytes_each = 9'000;
    what.headlines = {"cpu_ns_per_event", "dispatch_ns_per_event", "dispatch_p50_ns",
                      "dispatch_p99_ns"};
    what.variants = {
        {"idle_subscriber", "events into the runtime; one global subscriber never reads", {}, {}},
        {"nobody", "events into the runtime; nobody is subscribed", {{"subscriber", "none"}}, {}},
        {"together", "bursts handed over as a whole", {{"hand_over", "together"}}, {}},
    };
    what.scale = events_for;
    what.checksum = [](const work_values& values) {
        const auto events = values.number("sessions") * values.number("events");
        return values.choice("subscriber") == "global" ? 2 * events : events;
    };
    what.checks = {{"event_clone_ops_count", "==", 0}};
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
