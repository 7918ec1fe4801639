//! Prompts on a cadence, in real time.

use super::setup::{config, House, SESSION_CAPACITY};
use muster_peers::args::{choice, number, Failure, Params, Workload};
use muster_peers::counters::Counter;
use muster_peers::measure::{sleeps, Stopwatch};
use muster_peers::prompts::{Cadence, Prompts};
use muster_peers::report::Outcome;
use muster_peers::run_on;
use std::sync::Arc;
use tokio::time::{sleep_until, timeout, Duration, Instant};

pub const CHECKPOINT: Workload = Workload {
    name: "checkpoint",
    about: "the manager prompts every session at an interval",
    params: &[
        number("sessions", 1_000, 1, 1_000_000, "sessions"),
        number("ticks", 2, 1, 1 << 20, "prompts to each"),
        number("interval_ms", 1_000, 1, 3_600_000, "cadence"),
        choice("phase", &["spread", "together"], "deadlines over the interval, or all at once"),
        SESSION_CAPACITY,
        number("threads", 1, 1, 64, "worker threads"),
    ],
    run: checkpoint,
};

fn checkpoint(params: &Params) -> Result<Outcome, Failure> {
    let cadence = Cadence {
        sessions: params.number("sessions"),
        ticks: params.number("ticks"),
        interval: Duration::from_millis(params.number("interval_ms")),
        spread: params.choice("phase") == "spread",
    };
    let config = config(params, 1024, Some(cadence.interval));
    run_on(params.number("threads"), async move { run(cadence, config).await })
}

/// Time to spawn all sessions before the cadence begins; a channel that exists from the start writes
/// each of its slots.
fn lead(sessions: u64, session_capacity: usize) -> Duration {
    let each = 20 + session_capacity as u64 / 6;
    Duration::from_millis(100) + Duration::from_micros(sessions * each)
}

/// A manager may drift; one that takes four times as long as the cadence is stopped.
fn patience(cadence: &Cadence) -> Duration {
    cadence.interval * (cadence.ticks as u32 + 1) * 4 + Duration::from_secs(10)
}

async fn run(cadence: Cadence, config: muster_peers::model::Config) -> Result<Outcome, Failure> {
    let origin = Instant::now() + lead(cadence.sessions, config.session_capacity);
    let prompts = Arc::new(Prompts::new(cadence, origin));
    let house = House::new(config, Some(prompts.clone()));
    for session in 0..cadence.sessions {
        house.spawn(session, Some(&prompts)).await?;
    }
    if Instant::now() >= origin + cadence.interval / 2 {
        return Err(Failure::Run("the sessions were not spawned before the cadence began".into()));
    }
    sleep_until(origin + cadence.interval / 2).await;
    let slept = sleeps();
    let watch = Stopwatch::start();
    timeout(patience(&cadence), prompts.all_arrived()).await.map_err(|_| {
        Failure::Run("the prompts did not all arrive in four times their time".into())
    })?;
    let span = watch.stop();
    let slept = sleeps() - slept;
    let ticks = house.manager.total(Counter::CheckpointTicks);
    Ok(Outcome::new(cadence.sessions * cadence.ticks, prompts.bytes(), span)
        .cpu_per_operation("cpu_ns_per_tick")
        .ratio(
            "read_lock_wait_ns_per_tick",
            house.manager.total(Counter::CheckpointReadLockWaitNanos),
            ticks,
        )
        .ratio("send_ns_per_tick", house.manager.total(Counter::CheckpointSendNanos), ticks)
        .count("process_sleeps", slept)
        .percentiles("lateness", &prompts.lateness()))
}
