//! tokio::sync::RwLock.

use muster_peers::args::{choice, number, Failure, Params, Workload};
use muster_peers::measure::{Samples, Stopwatch};
use muster_peers::report::Outcome;
use muster_peers::run_on;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{RwLock, RwLockReadGuard};

pub const UNCONTENDED: Workload = Workload {
    name: "lock_uncontended",
    about: "lock and unlock with nobody else there",
    params: &[
        number("operations", 10_000_000, 1, 1 << 40, "lock+unlock pairs"),
        choice("how", &["await", "try"], "read().await or try_read()"),
        choice("side", &["shared", "exclusive"], "reader's or writer's lock"),
    ],
    run: uncontended,
};

pub const MIX: Workload = Workload {
    name: "lock_mix",
    about: "readers against a writer thread",
    params: &[
        number("readers", 64, 1, 100_000, "reader tasks"),
        number("reads", 100_000, 1, 1 << 40, "reads by each"),
        number("burst", 64, 1, 1 << 20, "reads before a reader yields to the others"),
        number("write_every_us", 100, 1, 1_000_000, "pause of the writer thread"),
        number("threads", 1, 1, 64, "worker threads, the writer's not counted"),
    ],
    run: mix,
};

fn uncontended(params: &Params) -> Result<Outcome, Failure> {
    let operations = params.number("operations");
    let awaited = params.choice("how") == "await";
    let shared = params.choice("side") == "shared";
    let (span, checksum) = run_on(1, async move {
        let lock = RwLock::new(7u64);
        let watch = Stopwatch::start();
        let sum = match (awaited, shared) {
            (true, true) => read_await(&lock, operations).await,
            (true, false) => write_await(&lock, operations).await,
            (false, true) => (0..operations).map(|_| *lock.try_read().unwrap()).sum(),
            (false, false) => (0..operations).map(|_| *lock.try_write().unwrap()).sum(),
        };
        (watch.stop(), sum)
    });
    Ok(Outcome::new(operations, checksum, span).cpu_per_operation("lock_unlock_ns"))
}

async fn read_await(lock: &RwLock<u64>, operations: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..operations {
        sum += *lock.read().await;
    }
    sum
}

async fn write_await(lock: &RwLock<u64>, operations: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..operations {
        sum += *lock.write().await;
    }
    sum
}

/// Both halves are equal whenever a reader looks.
#[derive(Default)]
struct Guarded {
    left: u64,
    right: u64,
}

#[derive(Default)]
struct Reader {
    checksum: u64,
    waits: Vec<u64>,
}

impl Reader {
    /// Tries first, which is Tokio's fastest way; only a wait reads the clock.
    async fn lock<'a>(&mut self, lock: &'a RwLock<Guarded>) -> RwLockReadGuard<'a, Guarded> {
        if let Ok(guard) = lock.try_read() {
            return guard;
        }
        let begin = Instant::now();
        let guard = lock.read().await;
        self.waits.push(begin.elapsed().as_nanos() as u64);
        guard
    }

    async fn run(mut self, lock: Arc<RwLock<Guarded>>, reads: u64, burst: u64) -> Reader {
        for read in 1..=reads {
            let guard = self.lock(&lock).await;
            self.checksum += 1 + (guard.left - guard.right);
            drop(guard);
            if read % burst == 0 {
                tokio::task::yield_now().await;
            }
        }
        self
    }
}

fn write_until(stop: &AtomicBool, lock: &RwLock<Guarded>, pause: Duration) -> u64 {
    let mut writes = 0;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(pause);
        let mut guard = lock.blocking_write();
        guard.left += 1;
        guard.right += 1;
        writes += 1;
    }
    writes
}

fn mix(params: &Params) -> Result<Outcome, Failure> {
    let (readers, reads, burst) =
        (params.number("readers"), params.number("reads"), params.number("burst"));
    let pause = Duration::from_micros(params.number("write_every_us"));
    let lock = Arc::new(RwLock::new(Guarded::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, lock) = (stop.clone(), lock.clone());
        thread::spawn(move || write_until(&stop, &lock, pause))
    };
    let (span, checksum, waits) = run_on(params.number("threads"), async move {
        let watch = Stopwatch::start();
        let tasks: Vec<_> = (0..readers)
            .map(|_| tokio::spawn(Reader::default().run(lock.clone(), reads, burst)))
            .collect();
        let mut all = Reader::default();
        for task in tasks {
            let mut reader = task.await.expect("a reader ends");
            all.checksum += reader.checksum;
            all.waits.append(&mut reader.waits);
        }
        (watch.stop(), all.checksum, Samples::new(all.waits))
    });
    stop.store(true, Ordering::Relaxed);
    let writes = writer.join().expect("the writer ends");
    Ok(Outcome::new(readers * reads, checksum, span)
        .wall_per_operation("wall_ns_per_read")
        .cpu_per_operation("cpu_ns_per_read")
        .count("writes", writes)
        .count("waits", waits.len())
        .percentiles("wait", &waits))
}
