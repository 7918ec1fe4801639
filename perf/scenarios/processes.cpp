// Real children by the hundred and by the thousand: their lives, and what their pipes carry.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario children(const std::string& workload) {
    work_scenario what;
    what.name = "processes";
    what.workload = workload;
    what.count_param = what.counted = "children";
    what.max_sessions = 10'000;
    what.bytes_each = 1'000'000; // of the children themselves
    return what;
}

bool enlist_both() {
    auto lives = children("process_lives");
    lives.session_counts = {200, 2'000};
    lives.headlines = {"wall_ns_per_child", "wall_ns_per_round", "spawn_ns_per_child",
                       "kill_ns_per_child"};
    lives.variants = {{"lives", "spawn, first output, kill, reaped", {}, {}}};
    lives.checksum = [](const work_values& values) {
        return values.number("children") * values.number("rounds");
    };
    enlist_at_scale(lives);
    auto output = children("process_output");
    output.session_counts = {200};
    output.headlines = {"of_one_pipe_pct", "bytes_per_us", "one_pipe_bytes_per_us"};
    output.variants = {{"output", "many pipes' throughput against cat through one", {}, {}}};
    output.checksum = [](const work_values& values) {
        return values.number("bytes") * values.number("pairs");
    };
    return enlist_at_scale(output);
}

const bool enlisted = enlist_both();

} // namespace
} // namespace muster::perf
