#include "workloads/workloads.hpp"

namespace muster::work {

const registry& all_workloads() {
    static const registry workloads = [] {
        registry all;
        add_channel(all);
        add_fanout(all);
        add_checkpoint(all);
        add_lifecycle(all);
        add_snapshots(all);
        add_timers(all);
        return all;
    }();
    return workloads;
}

} // namespace muster::work
