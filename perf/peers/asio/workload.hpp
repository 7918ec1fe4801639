#pragma once

#include "workloads/shared/workload.hpp"

/// Bare Asio's side of the workloads. The way they are declared, timed and reported is shared with
/// muster's, and so is the loop that runs them.
namespace muster::work::peer {

void add_channel(registry& all);
void add_fanout(registry& all);
void add_lock(registry& all);
void add_timers(registry& all);
void add_checkpoint(registry& all);

} // namespace muster::work::peer
