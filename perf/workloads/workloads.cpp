#include "workloads/workloads.hpp"

namespace muster::work {

const registry& all_workloads() {
    static const registry workloads = [] {
        registry all;
        add_channel_publish(all);
        add_channel_delivery(all);
        add_fanout(all);
        add_checkpoint(all);
        add_lifecycle(all);
        add_snapshots(all);
        add_lock(all);
        add_timers(all);
        add_wheel(all);
        add_metrics_cost(all);
        add_processes(all);
        add_floor(all);
        return all;
    }();
    return workloads;
}

} // namespace muster::work
