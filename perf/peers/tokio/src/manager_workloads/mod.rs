//! The workloads of a session manager, for whichever manager the binary brings as `crate::manager`.

mod checkpoint;
mod fanout;
mod lifecycle;
mod setup;

use muster_peers::args::Workload;

pub const ALL: &[Workload] = &[
    fanout::DISPATCH,
    fanout::END_TO_END,
    checkpoint::CHECKPOINT,
    lifecycle::MEMORY,
    lifecycle::SUBSCRIBE_CHURN,
    lifecycle::SPAWN_KILL,
    lifecycle::SNAPSHOT_COST,
];
