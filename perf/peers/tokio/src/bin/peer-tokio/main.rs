//! The work that muster is measured on, on bare Tokio primitives.

mod channel;
mod lock;
mod payload;
mod timers;

fn main() {
    muster_peers::args::Peer {
        name: "peer-tokio",
        about: "Bare Tokio: broadcast, RwLock, sleep and interval.",
        workloads: &[
            channel::PUBLISH,
            channel::PUBLISH_WAITING,
            channel::DELIVERY,
            lock::UNCONTENDED,
            lock::MIX,
            timers::CHURN,
            timers::PERIODIC,
            timers::CHECKPOINT,
            timers::IDLE,
        ],
    }
    .main()
}
