// All counters of all sessions: as values in memory, and as a document.

#include "harness/work_scenario.hpp"

namespace muster::perf {
namespace {

work_scenario snapshots(const std::string& workload) {
    work_scenario what;
    what.name = "snapshot_cost";
    what.workload = workload;
    what.bytes_each = 4'000;
    what.scale = [](std::size_t sessions) {
        return work_params{{"snapshots", share_of(100'000, sessions, 1)}};
    };
    what.checksum = [](const work_values& values) {
        return values.number("sessions") * values.number("snapshots");
    };
    return what;
}

bool enlist_both() {
    auto values = snapshots("snapshot_cost");
    values.session_counts = {10'000, 100'000};
    values.headlines = {"cpu_ns_per_session", "snapshot_p50_ns", "snapshot_max_ns"};
    values.variants = {{"values", "all counters of all sessions, in memory", {}, {}}};
    enlist_at_scale(values);
    auto documents = snapshots("snapshot_json");
    documents.session_counts = {10'000};
    documents.headlines = {"cpu_ns_per_session", "document_p50_ns", "document_max_ns"};
    documents.variants = {{"json", "a snapshot of all sessions as a JSON document", {}, {}}};
    return enlist_at_scale(documents);
}

const bool enlisted = enlist_both();

} // namespace
} // namespace muster::perf
