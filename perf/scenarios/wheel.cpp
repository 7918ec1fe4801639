// The timer wheel alone, without a clock: schedule and cancel, fire and re-arm, the worst tick.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "wheel";
    what.count_param = what.counted = "timers";
    what.session_counts = {10'000, 100'000, 1'000'000};
    what.bytes_each = 60;
    what.headlines = {"fire_rearm_ns", "schedule_cancel_ns", "tick_p50_ns", "tick_max_ns",
                      "tick_from_afar_max_ns"};
    what.variants = {
        {"spread", "timers due over 1000 ticks", {}, {}},
        {"together", "timers that are all due in the same tick", {{"phase", "together"}}, {}},
    };
    what.scale = [](std::size_t timers) {
        return work_params{{"fires", share_of(4'000'000, timers, 1)},
                           {"rounds", share_of(4'000'000, timers, 1)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("timers") * values.number("fires");
    };
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
