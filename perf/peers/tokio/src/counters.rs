//! The managers' counters: one block per session and one in total, each event bumping both.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Counter {
    CheckpointTicks,
    CheckpointSkipsFocused,
    CheckpointSendAttempts,
    CheckpointSendFailures,
    CheckpointReadLockWaitNanos,
    CheckpointSendNanos,
    EventsReceived,
    EventsForwardedSession,
    EventsForwardedGlobal,
    EventCloneOps,
    EventDispatchNanos,
    SessionReceiverCountLast,
    GlobalReceiverCountLast,
    QueuePressureDropped,
    TruncationMarkers,
    DoneEvents,
    CrashedEvents,
}

pub const COUNTERS: usize = 17;

#[derive(Default)]
pub struct Counters([AtomicU64; COUNTERS]);

impl Counters {
    pub fn add(&self, counter: Counter, count: u64) {
        self.0[counter as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub fn set(&self, counter: Counter, value: u64) {
        self.0[counter as usize].store(value, Ordering::Relaxed);
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }

    pub fn values(&self) -> [u64; COUNTERS] {
        let mut values = [0; COUNTERS];
        values
            .iter_mut()
            .zip(&self.0)
            .for_each(|(value, cell)| *value = cell.load(Ordering::Relaxed));
        values
    }
}

/// A session's block beside the total's: two atomic increments for everything that is counted.
#[derive(Clone)]
pub struct Pair {
    pub session: std::sync::Arc<Counters>,
    pub total: std::sync::Arc<Counters>,
}

impl Pair {
    pub fn add(&self, counter: Counter, count: u64) {
        self.session.add(counter, count);
        self.total.add(counter, count);
    }

    pub fn set(&self, counter: Counter, value: u64) {
        self.session.set(counter, value);
        self.total.set(counter, value);
    }
}
