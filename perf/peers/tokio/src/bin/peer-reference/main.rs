//! The reference manager's shape, built anew from a description of it.

mod manager;
#[path = "../../manager_workloads/mod.rs"]
mod manager_workloads;
mod subscription;
mod ticker;

fn main() {
    muster_peers::args::Peer {
        name: "peer-reference",
        about: "The reference manager's shape: a ticker task per session, sessions in an \
                RwLock<HashMap>,\na broadcast channel per session and a global one, events cloned, \
                two atomic increments per counter.",
        workloads: manager_workloads::ALL,
    }
    .main()
}
