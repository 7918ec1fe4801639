//! A task per session that sends the checkpoint prompt at an interval.

use crate::manager::Inner;
use muster_peers::backend::WorkerHandle;
use muster_peers::counters::{Counter, Pair};
use muster_peers::model::{SpawnRequest, Status};
use std::sync::{Arc, Weak};
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio::time::{interval_at, MissedTickBehavior};

pub fn start(inner: &Arc<Inner>, request: &SpawnRequest) -> Option<JoinHandle<()>> {
    let period = inner.config.checkpoint_interval?;
    let first = request.first_due.unwrap_or_else(|| tokio::time::Instant::now() + period);
    let mut interval = interval_at(first, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (id, weak) = (request.session_id.clone(), Arc::downgrade(inner));
    Some(tokio::spawn(async move {
        loop {
            interval.tick().await;
            if !tick(&weak, &id).await {
                return;
            }
        }
    }))
}

/// False when the session has ended.
async fn tick(manager: &Weak<Inner>, id: &str) -> bool {
    let inner = match manager.upgrade() {
        Some(inner) => inner,
        None => return false,
    };
    let begin = Instant::now();
    let sessions = inner.sessions.read().await;
    let waited = begin.elapsed().as_nanos() as u64;
    let session = match sessions.get(id) {
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
    send(&inner, &handle, &counters).await;
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
