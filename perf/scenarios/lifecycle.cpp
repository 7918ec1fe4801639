// Sessions that come and go, and subscriptions that do.

#include "harness/work_scenario.hpp"

#include <algorithm>

namespace muster::perf {
namespace {

bool enlist_spawns() {
    work_scenario what;
    what.name = what.workload = "spawn_kill";
    what.session_counts = {1'000, 30'000};
    what.bytes_each = 3'000;
    what.headlines = {"cpu_ns_per_pair", "pairs_per_sec"};
    what.variants = {{"", "in-process sessions, spawned, killed and gone", {}, {}}};
    what.scale = [](std::size_t sessions) {
        return work_params{{"rounds", share_of(30'000, sessions, 1)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("sessions") * values.number("rounds");
    };
    return enlist_at_scale(what);
}

bool enlist_subscriptions() {
    work_scenario what;
    what.name = what.workload = "subscribe_churn";
    what.session_counts = {10, 10'000};
    what.bytes_each = 3'000;
    what.headlines = {"subscribe_drop_ns"};
    what.variants = {
        {"", "a subscription to one session after the other, dropped at once", {}, {}}};
    // Eight for each session at least, for the first one makes its channel.
    what.scale = [](std::size_t sessions) {
        const auto operations = std::max<std::uint64_t>(1'000'000, 8 * sessions);
        return work_params{{"operations", std::to_string(operations)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("operations");
    };
    return enlist_at_scale(what);
}

const bool enlisted = enlist_spawns() && enlist_subscriptions();

} // namespace
} // namespace muster::perf
