//! One task for all checkpoints: a min-heap of due times. It awaits each send before it looks at
//! the next session, and a session's next prompt is due one interval after its last one was sent.

use crate::manager::Inner;
use muster_peers::backend::WorkerHandle;
use muster_peers::counters::{Counter, Pair};
use muster_peers::model::Status;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{timeout_at, Instant};

type Entry = Reverse<(Instant, Arc<str>)>;

#[derive(Default)]
pub struct Schedule {
    heap: Mutex<BinaryHeap<Entry>>,
    changed: Notify,
}

impl Schedule {
    /// Wakes the scheduler only if the new entry is the first one due.
    pub fn add(&self, due: Instant, session_id: Arc<str>) {
        let mut heap = self.heap.lock().unwrap();
        let first = heap.peek().map_or(true, |Reverse(entry)| due < entry.0);
        heap.push(Reverse((due, session_id)));
        drop(heap);
        if first {
            self.changed.notify_one();
        }
    }

    /// Looks at every entry.
    pub fn remove(&self, session_id: &str) {
        let mut heap = self.heap.lock().unwrap();
        let kept = std::mem::take(&mut *heap).into_vec();
        *heap = kept.into_iter().filter(|Reverse(entry)| &*entry.1 != session_id).collect();
    }

    pub fn stop(&self) {
        self.changed.notify_one();
    }

    fn next_due(&self) -> Option<Instant> {
        self.heap.lock().unwrap().peek().map(|Reverse(entry)| entry.0)
    }

    fn take_due(&self, now: Instant) -> Option<Arc<str>> {
        let mut heap = self.heap.lock().unwrap();
        match heap.peek() {
            Some(Reverse((due, _))) if *due <= now => heap.pop().map(|Reverse(entry)| entry.1),
            _ => None,
        }
    }
}

pub async fn run(manager: Weak<Inner>, schedule: Arc<Schedule>, interval: Duration) {
    loop {
        match schedule.next_due() {
            Some(due) => {
                let _ = timeout_at(due, schedule.changed.notified()).await;
            }
            None => schedule.changed.notified().await,
        }
        match manager.upgrade() {
            Some(inner) => send_due(&inner, &schedule, interval).await,
            None => return,
        }
    }
}

async fn send_due(inner: &Inner, schedule: &Schedule, interval: Duration) {
    while let Some(session_id) = schedule.take_due(Instant::now()) {
        if tick(inner, &session_id).await {
            schedule.add(Instant::now() + interval, session_id);
        }
    }
}

/// False when the session has ended.
async fn tick(inner: &Inner, session_id: &str) -> bool {
    let begin = Instant::now();
    let sessions = inner.sessions.read().await;
    let waited = begin.elapsed().as_nanos() as u64;
    let session = match sessions.get(session_id) {
        Some(session) if session.status == Status::Running => session,
        _ => return false,
    };
    let counters = session.counters.clone();
    counters.add(Counter::CheckpointTicks, 1);
    counters.add(Counter::CheckpointReadLockWaitNanos, waited);
    if session.focused {
        counters.add(Counter::CheckpointSkipsFocused, 1);
        return true;
    }
    let handle = session.handle.clone();
    drop(sessions);
    send(inner, &handle, &counters).await;
    true
}

async fn send(inner: &Inner, handle: &WorkerHandle, counters: &Pair) {
    counters.add(Counter::CheckpointSendAttempts, 1);
    let begin = Instant::now();
    let sent = inner.backend.send_input(handle, inner.config.prompt.as_bytes()).await;
    counters.add(Counter::CheckpointSendNanos, begin.elapsed().as_nanos() as u64);
    if sent.is_err() {
        counters.add(Counter::CheckpointSendFailures, 1);
    }
}
