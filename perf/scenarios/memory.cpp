// Resident bytes for each session that idles, with and without its checkpoint and a subscriber.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario describe_scenario() {
    work_scenario what;
    what.name = what.workload = "memory";
    what.session_counts = {10'000, 100'000};
    what.bytes_each = 2'500;
    what.headlines = {"bytes_per_session", "cpu_ms"};
    what.variants = {
        {"idle", "sessions without checkpoints", {{"checkpoint", "off"}}, {}},
        {"with_checkpoint", "sessions with a checkpoint that is 120 s away", {}, {}},
        {"with_subscriber", "with a checkpoint and a subscriber each", {{"subscribers", "1"}}, {}},
    };
    what.checksum = [](const work_values& values) {
        return values.number("sessions") * (1 + values.number("subscribers"));
    };
    return what;
}

const bool enlisted = enlist_at_scale(describe_scenario());

} // namespace
} // namespace muster::perf
