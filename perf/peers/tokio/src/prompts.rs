//! Where checkpoint prompts arrive: counts them per session, notes how late each was on its
//! cadence, and says when all have come. A session's prompts come one after another, so that its
//! cells have one writer; only the total is everybody's: one atomic read-modify-write a prompt.

use crate::measure::Samples;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// What one session was sent: the count in the lower half, the bytes in the upper one.
#[derive(Default)]
struct Arrivals(AtomicU64);

impl Arrivals {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed) as u32
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed) >> 32
    }

    fn add(&self, bytes: usize) {
        let earlier = self.0.load(Ordering::Relaxed);
        self.0.store(earlier + ((bytes as u64) << 32) + 1, Ordering::Relaxed);
    }
}

pub struct Prompts {
    cadence: Cadence,
    origin: Instant,
    arrivals: Vec<Arrivals>,
    total: AtomicU64,
    lateness: Vec<AtomicU64>,
    done: Notify,
}

impl Prompts {
    pub fn new(cadence: Cadence, origin: Instant) -> Self {
        let mut arrivals = Vec::new();
        arrivals.resize_with(cadence.sessions as usize, Arrivals::default);
        // Written now, so that no page fault is measured.
        let expected = cadence.sessions * cadence.ticks;
        let lateness = (0..expected).map(AtomicU64::new).collect();
        Prompts {
            cadence,
            origin,
            arrivals,
            total: AtomicU64::new(0),
            lateness,
            done: Notify::new(),
        }
    }

    /// The first instant at which `session` is due.
    pub fn first_due(&self, session: u64) -> Instant {
        self.origin + self.cadence.offset(session) + self.cadence.interval
    }

    /// A prompt of `bytes` bytes reached `session`; more than were asked for do not count.
    pub fn arrived(&self, session: u64, bytes: usize) {
        let arrivals = &self.arrivals[session as usize];
        let earlier = arrivals.count();
        if u64::from(earlier) >= self.cadence.ticks {
            return;
        }
        arrivals.add(bytes);
        let due = self.first_due(session) + self.cadence.interval * earlier;
        let late = Instant::now().saturating_duration_since(due);
        // Tick by tick, so that neighbours in time are neighbours in memory.
        let place = u64::from(earlier) * self.cadence.sessions + session;
        self.lateness[place as usize].store(late.as_nanos() as u64, Ordering::Relaxed);
        if self.total.fetch_add(1, Ordering::AcqRel) + 1 == self.lateness.len() as u64 {
            self.done.notify_one();
        }
    }

    pub async fn all_arrived(&self) {
        self.done.notified().await;
    }

    pub fn bytes(&self) -> u64 {
        self.arrivals.iter().map(Arrivals::bytes).sum()
    }

    pub fn lateness(&self) -> Samples {
        let value = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        Samples::new(self.lateness.iter().map(value).collect())
    }
}
