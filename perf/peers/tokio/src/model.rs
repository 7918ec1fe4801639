//! What both managers' callers see.

use crate::counters::COUNTERS;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Starting,
    Running,
    Done,
    Crashed,
    Killed,
}

#[derive(Clone)]
pub struct Config {
    pub session_capacity: usize,
    pub global_capacity: usize,
    /// `None` turns periodic prompts off.
    pub checkpoint_interval: Option<Duration>,
    pub prompt: String,
}

pub struct SpawnRequest {
    pub session_id: String,
    /// The number by which the backend knows the worker.
    pub worker: u64,
    /// When its first prompt is due; `None`: one interval from now.
    pub first_due: Option<Instant>,
}

#[derive(Debug)]
pub enum Error {
    SessionExists(String),
    SessionNotFound(String),
    SessionNotRunning(String, Status),
    Process(String),
}

pub struct SessionSnapshot {
    pub session_id: String,
    pub status: Status,
    pub counters: [u64; COUNTERS],
    pub received_per_second_x1000: u64,
}

pub struct Snapshot {
    pub uptime: Duration,
    pub totals: [u64; COUNTERS],
    pub sessions: Vec<SessionSnapshot>,
}

/// What a subscription yields.
pub enum Received<E> {
    Event(E),
    /// So many events were lost before the next one.
    Truncated(u64),
    Empty,
    Closed,
}
