// Prompts on a cadence in real time: what a tick costs, and how late it comes.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "checkpoint";
    what.session_counts = {1'000, 100'000};
    what.bytes_each = 2'000;
    what.headlines = {"cpu_ns_per_tick", "read_lock_wait_ns_per_tick", "lateness_p50_ns",
                      "lateness_p99_ns"};
    what.variants = {
        {"in_phase",
         "all sessions prompted at once, every second",
         {{"phase", "together"}},
         {100'000}},
        {"spread", "prompts every second, spread over it", {}, {}},
        {"leeway",
         "the same, cadences within 10 ms moved together to share wake-ups",
         {{"leeway_ms", "10"}},
         {1'000}},
        {"short_interval",
         "a prompt every 25 ms, 40 times",
         {{"interval_ms", "25"}, {"ticks", "40"}, {"phase", "together"}},
         {30}},
        {"cadence",
         "a prompt every 10 ms for 4 s: lateness, and whether it grows (drift_ns)",
         {{"interval_ms", "10"}, {"ticks", "400"}},
         {1'000}},
    };
    what.checksum = [](const work_values& values) {
        return values.number("sessions") * values.number("ticks") * 23;
    };
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
