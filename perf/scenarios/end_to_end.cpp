// Every event to a subscriber of its session and to a global one, both draining.

#include "harness/end_to_end_sum.hpp"
#include "harness/work_scenario.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

/// Some 640,000 deliveries; at most 4 million events in a round, for they all exist at once.
work_params events_for(std::size_t sessions) {
    const auto burst = std::clamp<std::uint64_t>(4'000'000 / sessions, 1, 16);
    return {{"burst", std::to_string(burst)}, {"events", share_of(320'000, sessions, burst, 8)}};
}

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "end_to_end";
    what.session_counts = {30, 1'000};
    what.bytes_each = 8'000;
    what.headlines = {"cpu_ns_per_delivery", "wall_ns_per_delivery", "dispatch_ns_per_event"};
    what.variants = {
        {"one_thread", "a subscriber a session and a global one, draining", {}, {}},
        {"two_threads", "the same on two threads", {{"threads", "2"}}, {}},
    };
    what.scale = events_for;
    what.checksum = sum_of_weights;
    what.checks = {{"event_clone_ops_count", "==", 0}, {"lost_events_count", "==", 0}};
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
