//! The shape of the reference's later successor, built anew from a description of it.

mod bus;
mod manager;
#[path = "../../manager_workloads/mod.rs"]
mod manager_workloads;
mod scheduler;
mod subscription;

fn main() {
    muster_peers::args::Peer {
        name: "peer-successor",
        about: "The successor's shape: one checkpoint scheduler on a min-heap that awaits each \
                send,\nan event bus with channels made on demand, events shared in an Arc.",
        workloads: manager_workloads::ALL,
    }
    .main()
}
