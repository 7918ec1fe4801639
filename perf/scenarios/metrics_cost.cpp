// What the counters and histograms cost: end to end with them on, against the same with them off.

#include "harness/end_to_end_sum.hpp"
#include "harness/work_scenario.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "metrics_cost";
    what.session_counts = {30};
    what.max_sessions = 100'000;
    what.bytes_each = 7'000;
    what.headlines = {"on_to_off_ratio", "on_cpu_ns_per_delivery", "off_cpu_ns_per_delivery"};
    what.variants = {
        {"one_by_one", "metrics on against off, events handed over one by one", {}, {}},
        {"together", "metrics on against off, whole bursts", {{"hand_over", "together"}}, {}},
    };
    what.scale = [](std::size_t sessions) {
        return work_params{{"events", share_of(48'000, sessions, 16)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("pairs") * sum_of_weights(values);
    };
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
