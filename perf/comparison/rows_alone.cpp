#include "comparison/row_set.hpp"

// What nobody else does in the same way: muster alone, against its targets.

namespace muster::perf {
namespace {

using enum better;

void add_wheel(row_set& all, std::size_t timers, double fire_ns) {
    auto& added =
        add(all, "wheel_" + text(timers), "the wheel alone, no clock: " + text(timers) + " timers")
            .work("wheel",
                  {{"timers", text(timers)},
                   {"rounds", text(2'000'000 / timers)}, // or the first touch of the slots counts
                   {"fires", text(4'000'000 / timers)}},
                  {{"rounds", "1"}, {"fires", "1"}})
            .compare("schedule_cancel_ns", lower, {itself(6)})
            .compare("fire_rearm_ns", lower, {itself(fire_ns)})
            .at_most(3);
    if (timers == 1'000'000) {
        added.compare("tick_max_ns", lower, {itself(300'000)});
    }
}

void add_floor(row_set& all) {
    auto& added = add(all, "floor", "what everything is made of, on this machine")
                      .work("floor", {}, {{"operations", "100000"}, {"wake_ups", "100"}})
                      .at_most(1);
    for (const char* const figure :
         {"tick_clock_ns", "steady_clock_ns", "cell_ns", "atomic_add_ns", "mutex_ns",
          "malloc_free_ns", "memory_ns", "post_ns", "strand_hop_ns", "light_strand_hop_ns",
          "coroutine_resume_ns", "wake_up_ns", "wake_up_futex_ns", "wake_up_late_p50_ns",
          "wake_up_late_p99_ns"}) {
        added.compare(figure, lower);
    }
}

void add_children(row_set& all) {
    add(all, "children_200", "200 real children: spawn, first output, kill, reaped")
        .work("process_lives", {{"children", "200"}, {"rounds", "2"}}, {{"rounds", "1"}})
        .compare("wall_ns_per_round", lower, {itself(500'000'000)})
        .compare("wall_ns_per_child", lower)
        .at_most(3);
    add(all, "children_2000", "2,000 real children, the same")
        .work("process_lives", {{"children", "2000"}, {"rounds", "1"}}, {{"children", "200"}})
        .compare("wall_ns_per_child", lower, {itself(2'500'000)})
        .at_most(2);
    add(all, "children_output", "the output of 200 children, against cat through one pipe")
        .work("process_output", {{"children", "200"}, {"pairs", "3"}}, {{"pairs", "1"}})
        .compare("of_one_pipe_pct", higher, {itself(60)})
        .at_most(1); // pairs of its own
}

} // namespace

void add_rows_alone(row_set& all) {
    add_wheel(all, 10'000, 8);
    add_wheel(all, 100'000, 8);
    add_wheel(all, 1'000'000, 35);
    add(all, "memory_1000000", "1,000,000 idle sessions with their checkpoint timers")
        .work("memory", {{"sessions", "1000000"}}, {{"sessions", "100000"}})
        .compare("bytes_per_session", lower, {itself(750)})
        .compare("peak_rss_bytes", lower)
        .at_most(1);
    add(all, "snapshot_json", "a snapshot of 10,000 sessions as a JSON document")
        .work("snapshot_json", {{"sessions", "10000"}, {"snapshots", "3"}}, {{"snapshots", "1"}})
        .compare("document_p50_ns", lower, {itself(50'000'000)})
        .at_most(3);
    add(all, "metrics_cost", "end to end with the metrics on against off")
        .work("metrics_cost", {{"sessions", "30"}}, {{"pairs", "5"}})
        .compare("on_to_off_ratio", lower, {itself(1.05)})
        .at_most(2);
    add_children(all);
    add_floor(all);
}

} // namespace muster::perf
