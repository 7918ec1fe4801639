#pragma once

#include "workloads/shared/workload.hpp"

/// Muster's side of the workloads of perf/peers/WORKLOADS.md, and those that only muster has.
/// Each uses the library through its public headers, as a program of a user would.
namespace muster::work {

void add_channel_publish(registry& all);
void add_channel_delivery(registry& all);
void add_fanout(registry& all);
void add_checkpoint(registry& all);
void add_lifecycle(registry& all);
void add_snapshots(registry& all);
void add_lock(registry& all);
void add_timers(registry& all);
void add_wheel(registry& all);
void add_metrics_cost(registry& all);
void add_processes(registry& all);
void add_floor(registry& all);

/// Every workload, in the order of WORKLOADS.md.
[[nodiscard]] const registry& all_workloads();

} // namespace muster::work
