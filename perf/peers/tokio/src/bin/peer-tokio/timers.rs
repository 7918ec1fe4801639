//! tokio::time: sleep and interval.

use muster_peers::args::{choice, number, Failure, Param, Params, Workload};
use muster_peers::measure::{process_cpu_ns, sleeps, Span, Stopwatch};
use muster_peers::poll::poll_fn;
use muster_peers::prompts::{Cadence, Prompts, PROMPT};
use muster_peers::report::Outcome;
use muster_peers::run_on;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::Notify;
use tokio::task::unconstrained;
use tokio::time::{interval_at, sleep, sleep_until, Duration, Instant, MissedTickBehavior, Sleep};

const PHASE: Param =
    choice("phase", &["spread", "together"], "deadlines over the interval, or all at once");

pub const CHURN: Workload = Workload {
    name: "timer_churn",
    about: "schedule a batch of timers, then cancel it, again and again",
    params: &[
        number("rounds", 20, 1, 1 << 32, "batches"),
        number("batch", 50_000, 1, 10_000_000, "timers a batch"),
    ],
    run: churn,
};

pub const PERIODIC: Workload = Workload {
    name: "timer_periodic",
    about: "periodic timers that fire and are re-armed, in real time",
    params: &[
        number("timers", 100_000, 1, 10_000_000, "timers"),
        number("fires", 2, 1, 1 << 20, "fires of each"),
        number("interval_ms", 1_000, 1, 3_600_000, "period"),
        PHASE,
    ],
    run: periodic,
};

pub const CHECKPOINT: Workload = Workload {
    name: "checkpoint",
    about: "an interval task per session that hands a prompt to its in-process worker",
    params: &[
        number("sessions", 1_000, 1, 10_000_000, "sessions"),
        number("ticks", 2, 1, 1 << 20, "prompts to each"),
        number("interval_ms", 1_000, 1, 3_600_000, "cadence"),
        PHASE,
        number("threads", 1, 1, 64, "worker threads"),
    ],
    run: checkpoint,
};

pub const IDLE: Workload = Workload {
    name: "timer_idle",
    about: "timers armed an hour away, while nothing is due",
    params: &[
        number("timers", 1_000_000, 1, 10_000_000, "timers"),
        number("watch_ms", 1_000, 1, 60_000, "how long the process is watched"),
    ],
    run: idle,
};

/// Polls each once, which is what registers a Tokio timer; unconstrained, because beyond its budget
/// a task's poll is turned away before it registers.
async fn arm(timers: &mut [Pin<Box<Sleep>>]) {
    unconstrained(poll_fn(|context| {
        for timer in timers.iter_mut() {
            assert!(timer.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    }))
    .await
}

/// 1 to 60 s, the same for every peer.
fn churn_delay_ms(index: u64) -> u64 {
    1_000 + index * 7_919 % 59_000
}

fn churn(params: &Params) -> Result<Outcome, Failure> {
    let (rounds, batch) = (params.number("rounds"), params.number("batch"));
    let (span, schedule, cancel, checksum) = run_on(1, async move {
        let (mut schedule, mut cancel, mut checksum) = (0u64, 0u64, 0u64);
        let mut timers = Vec::with_capacity(batch as usize);
        let watch = Stopwatch::start();
        for _ in 0..rounds {
            let begin = process_cpu_ns();
            let now = Instant::now();
            for index in 0..batch {
                let delay = churn_delay_ms(index);
                checksum += delay;
                timers.push(Box::pin(sleep_until(now + Duration::from_millis(delay))));
            }
            arm(&mut timers).await;
            let armed = process_cpu_ns();
            timers.clear();
            schedule += armed - begin;
            cancel += process_cpu_ns() - armed;
        }
        (watch.stop(), schedule, cancel, checksum)
    });
    Ok(Outcome::new(rounds * batch, checksum, span)
        .cpu_per_operation("schedule_cancel_ns")
        .ratio("schedule_ns", schedule, rounds * batch)
        .ratio("cancel_ns", cancel, rounds * batch))
}

fn cadence_of(params: &Params, sessions: &str, ticks: &str) -> Cadence {
    Cadence {
        sessions: params.number(sessions),
        ticks: params.number(ticks),
        interval: Duration::from_millis(params.number("interval_ms")),
        spread: params.choice("phase") == "spread",
    }
}

/// Long enough to start all tasks before the cadence begins.
fn lead(sessions: u64) -> Duration {
    Duration::from_millis(100) + Duration::from_micros(sessions * 4)
}

#[derive(Default)]
struct Fired {
    total: AtomicU64,
    done: Notify,
}

fn periodic(params: &Params) -> Result<Outcome, Failure> {
    let cadence = cadence_of(params, "timers", "fires");
    let (span, checksum) = run_on(1, async move {
        let origin = Instant::now() + lead(cadence.sessions);
        let fired = Arc::new(Fired::default());
        for index in 0..cadence.sessions {
            let first = origin + cadence.offset(index) + cadence.interval;
            tokio::spawn(fire(first, cadence, fired.clone()));
        }
        sleep_until(origin + cadence.interval / 2).await;
        let watch = Stopwatch::start();
        fired.done.notified().await;
        (watch.stop(), fired.total.load(Ordering::Relaxed))
    });
    Ok(Outcome::new(cadence.sessions * cadence.ticks, checksum, span)
        .cpu_per_operation("cpu_ns_per_fire"))
}

async fn fire(first: Instant, cadence: Cadence, fired: Arc<Fired>) {
    let mut interval = interval_at(first, cadence.interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..cadence.ticks {
        interval.tick().await;
        if fired.total.fetch_add(1, Ordering::Relaxed) + 1 == cadence.sessions * cadence.ticks {
            fired.done.notify_one();
        }
    }
}

fn checkpoint(params: &Params) -> Result<Outcome, Failure> {
    let cadence = cadence_of(params, "sessions", "ticks");
    let (span, slept, prompts) = run_on(params.number("threads"), async move {
        let origin = Instant::now() + lead(cadence.sessions);
        let prompts = Arc::new(Prompts::new(cadence, origin));
        for session in 0..cadence.sessions {
            tokio::spawn(tick(session, cadence, prompts.clone()));
        }
        measure_prompts(&prompts, origin + cadence.interval / 2).await
    });
    Ok(Outcome::new(cadence.sessions * cadence.ticks, prompts.bytes(), span)
        .cpu_per_operation("cpu_ns_per_tick")
        .count("process_sleeps", slept)
        .percentiles("lateness", &prompts.lateness()))
}

async fn measure_prompts(prompts: &Arc<Prompts>, begin: Instant) -> (Span, u64, Arc<Prompts>) {
    sleep_until(begin).await;
    let slept = sleeps();
    let watch = Stopwatch::start();
    prompts.all_arrived().await;
    (watch.stop(), sleeps() - slept, prompts.clone())
}

async fn tick(session: u64, cadence: Cadence, prompts: Arc<Prompts>) {
    let mut interval = interval_at(prompts.first_due(session), cadence.interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..cadence.ticks {
        interval.tick().await;
        prompts.arrived(session, PROMPT.len());
    }
}

fn idle(params: &Params) -> Result<Outcome, Failure> {
    let timers = params.number("timers");
    let watch_for = Duration::from_millis(params.number("watch_ms"));
    let (span, slept) = run_on(1, async move {
        let far = Instant::now() + Duration::from_secs(3_600);
        let mut armed: Vec<_> = (0..timers).map(|_| Box::pin(sleep_until(far))).collect();
        arm(&mut armed).await;
        let slept = sleeps();
        let watch = Stopwatch::start();
        sleep(watch_for).await;
        (watch.stop(), sleeps() - slept)
    });
    Ok(Outcome::new(timers, timers, span).count("wake_ups", slept.saturating_sub(1)))
}
