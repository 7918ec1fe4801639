//! Where checkpoint prompts arrive: counts them per session, notes how late each was on its
//! cadence, and says when all have come.

use crate::measure::Samples;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

pub const PROMPT: &str = "Emit a checkpoint now.\n";

/// Session `i` is due at `origin + offset(i) + k * interval`, k = 1, 2, ...
#[derive(Clone, Copy)]
pub struct Cadence {
    pub sessions: u64,
    pub ticks: u64,
    pub interval: Duration,
    pub spread: bool,
}

impl Cadence {
    pub fn offset(&self, session: u64) -> Duration {
        if !self.spread {
            return Duration::ZERO;
        }
        let nanos = self.interval.as_nanos() as u64;
        Duration::from_nanos((nanos as u128 * session as u128 / self.sessions as u128) as u64)
    }
}

pub struct Prompts {
    cadence: Cadence,
    origin: Instant,
    counts: Vec<AtomicU32>,
    total: AtomicU64,
    bytes: AtomicU64,
    lateness: Mutex<Vec<u64>>,
    done: Notify,
}

impl Prompts {
    pub fn new(cadence: Cadence, origin: Instant) -> Self {
        let expected = cadence.sessions * cadence.ticks;
        let mut counts = Vec::new();
        counts.resize_with(cadence.sessions as usize, AtomicU32::default);
        let mut lateness = Vec::new();
        lateness.resize(expected as usize, 0); // touched now, so that no page fault is measured
        lateness.clear();
        Prompts {
            cadence,
            origin,
            counts,
            total: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            lateness: Mutex::new(lateness),
            done: Notify::new(),
        }
    }

    /// The first instant at which `session` is due.
    pub fn first_due(&self, session: u64) -> Instant {
        self.origin + self.cadence.offset(session) + self.cadence.interval
    }

    /// A prompt of `bytes` bytes reached `session`.
    pub fn arrived(&self, session: u64, bytes: usize) {
        let earlier = self.counts[session as usize].fetch_add(1, Ordering::Relaxed);
        let due = self.first_due(session) + self.cadence.interval * earlier;
        let late = Instant::now().saturating_duration_since(due);
        let total = self.total.fetch_add(1, Ordering::AcqRel) + 1;
        let expected = self.cadence.sessions * self.cadence.ticks;
        if total <= expected {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            self.lateness.lock().unwrap().push(late.as_nanos() as u64);
        }
        if total == expected {
            self.done.notify_one();
        }
    }

    pub async fn all_arrived(&self) {
        self.done.notified().await;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn lateness(&self) -> Samples {
        Samples::new(std::mem::take(&mut *self.lateness.lock().unwrap()))
    }
}
