//! Rounds: the driver hands out a burst and goes on when every delivery of it has been taken, so
//! that nothing is lost and the work is fixed.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

#[derive(Default)]
pub struct Rounds {
    pending: AtomicU64,
    done: Notify,
}

impl Rounds {
    /// Before the burst is handed out: how many deliveries it will cause.
    pub fn expect(&self, deliveries: u64) {
        self.pending.store(deliveries, Ordering::Release);
    }

    /// A subscriber took `count` deliveries; called once per drained batch, not per event.
    pub fn took(&self, count: u64) {
        if count != 0 && self.pending.fetch_sub(count, Ordering::AcqRel) == count {
            self.done.notify_one();
        }
    }

    pub async fn finished(&self) {
        self.done.notified().await;
    }
}
