// Readers of the awaitable lock against a thread that writes every 100 µs.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "lock_mix";
    what.count_param = what.counted = "readers";
    what.session_counts = {64};
    what.max_sessions = 100'000;
    what.bytes_each = 1'500;
    what.headlines = {"wall_ns_per_read", "cpu_ns_per_read", "wait_p99_ns"};
    what.variants = {
        {"one_thread", "readers on one thread, a writer every 100 us", {}, {}},
        {"two_threads", "readers on two threads, a writer every 100 us", {{"threads", "2"}}, {}},
    };
    what.scale = [](std::size_t readers) {
        return work_params{{"reads", share_of(6'400'000, readers, 64)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("readers") * values.number("reads");
    };
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
