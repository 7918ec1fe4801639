//! Sessions that come, go, are subscribed to and are looked at.

use super::setup::{config, failed, id_of, push_to_all, House, FAR, SESSION_CAPACITY};
use crate::subscription::Subscription;
use muster_peers::args::{number, Failure, Params, Workload};
use muster_peers::counters::Counter;
use muster_peers::measure::{rss_bytes, Samples, Span, Stopwatch};
use muster_peers::report::Outcome;
use muster_peers::run_on;
use std::time::Instant;
use tokio::time::{sleep, Duration};

pub const MEMORY: Workload = Workload {
    name: "memory",
    about: "resident bytes for each idle session with its checkpoint timer",
    params: &[
        number("sessions", 20_000, 1, 1_000_000, "sessions"),
        number("subscribers", 0, 0, 1, "subscribers of each session"),
        SESSION_CAPACITY,
    ],
    run: memory,
};

pub const SUBSCRIBE_CHURN: Workload = Workload {
    name: "subscribe_churn",
    about: "subscribe to a session and drop the subscription, session after session",
    params: &[
        number("sessions", 10, 1, 1_000_000, "sessions"),
        number("operations", 1_000_000, 1, 1 << 40, "subscribe+drop pairs"),
        SESSION_CAPACITY,
    ],
    run: subscribe_churn,
};

pub const SPAWN_KILL: Workload = Workload {
    name: "spawn_kill",
    about: "spawn sessions, kill them in the same order, drop the manager; again",
    params: &[
        number("sessions", 1_000, 1, 1_000_000, "sessions a round"),
        number("rounds", 10, 1, 1 << 32, "rounds, each with a new manager"),
        SESSION_CAPACITY,
    ],
    run: spawn_kill,
};

pub const SNAPSHOT_COST: Workload = Workload {
    name: "snapshot_cost",
    about: "all counters of all sessions as plain values, sorted by id",
    params: &[
        number("sessions", 10_000, 1, 1_000_000, "sessions, each with one event"),
        number("snapshots", 10, 1, 1 << 32, "snapshots taken"),
        SESSION_CAPACITY,
    ],
    run: snapshot_cost,
};

fn memory(params: &Params) -> Result<Outcome, Failure> {
    let sessions = params.number("sessions");
    let subscribed = params.number("subscribers") == 1;
    let config = config(params, 1024, FAR);
    run_on(1, async move {
        let house = House::new(config, None);
        let before = rss_bytes();
        let watch = Stopwatch::start();
        house.populate(sessions).await?;
        let subscriptions =
            if subscribed { subscribe_to_all(&house, sessions).await? } else { Vec::new() };
        sleep(Duration::from_millis(50)).await; // every task has run and armed its timer
        let span = watch.stop();
        let grown = rss_bytes().saturating_sub(before);
        let count =
            house.manager.snapshot().await.sessions.len() as u64 + subscriptions.len() as u64;
        Ok(Outcome::new(sessions, count, span).ratio("bytes_per_session", grown, sessions))
    })
}

async fn subscribe_to_all(house: &House, sessions: u64) -> Result<Vec<Subscription>, Failure> {
    let mut all = Vec::with_capacity(sessions as usize);
    for session in 0..sessions {
        all.push(house.manager.subscribe(&id_of(session)).await.map_err(failed)?);
    }
    Ok(all)
}

fn subscribe_churn(params: &Params) -> Result<Outcome, Failure> {
    let (sessions, operations) = (params.number("sessions"), params.number("operations"));
    let config = config(params, 1024, FAR);
    run_on(1, async move {
        let house = House::new(config, None);
        house.populate(sessions).await?;
        let ids: Vec<String> = (0..sessions).map(id_of).collect();
        let watch = Stopwatch::start();
        let mut subscribed = 0;
        for id in ids.iter().cycle().take(operations as usize) {
            drop(house.manager.subscribe(id).await.map_err(failed)?);
            subscribed += 1;
        }
        Ok(Outcome::new(operations, subscribed, watch.stop())
            .cpu_per_operation("subscribe_drop_ns"))
    })
}

async fn spawn_and_kill(house: House, sessions: u64) -> Result<u64, Failure> {
    house.populate(sessions).await?;
    for session in 0..sessions {
        house.manager.kill(&id_of(session)).await.map_err(failed)?;
    }
    let released = house.manager.released();
    drop(house);
    while !released() {
        tokio::task::yield_now().await; // the tasks of the killed sessions end
    }
    Ok(sessions)
}

fn spawn_kill(params: &Params) -> Result<Outcome, Failure> {
    let (sessions, rounds) = (params.number("sessions"), params.number("rounds"));
    let config = config(params, 1024, FAR);
    run_on(1, async move {
        let watch = Stopwatch::start();
        let mut killed = 0;
        for _ in 0..rounds {
            killed += spawn_and_kill(House::new(config.clone(), None), sessions).await?;
        }
        let span = watch.stop();
        Ok(Outcome::new(sessions * rounds, killed, span).ratio(
            "pairs_per_second",
            sessions * rounds * 1_000_000_000,
            span.cpu_ns,
        ))
    })
}

fn snapshot_cost(params: &Params) -> Result<Outcome, Failure> {
    let (sessions, snapshots) = (params.number("sessions"), params.number("snapshots"));
    let config = config(params, 1024, FAR);
    run_on(1, async move {
        let house = House::new(config, None);
        house.populate(sessions).await?;
        push_to_all(&house.workers.sources(), 0, 1, 64);
        house.ingested(sessions).await;
        let (span, checksum, each) = take_snapshots(&house, snapshots).await;
        Ok(Outcome::new(snapshots, checksum, span)
            .cpu_per_operation("cpu_ns_per_snapshot")
            .percentiles("snapshot", &each))
    })
}

/// The checksum: the events that all snapshots together report, by session.
async fn take_snapshots(house: &House, count: u64) -> (Span, u64, Samples) {
    let (mut checksum, mut each) = (0, Vec::new());
    let watch = Stopwatch::start();
    for _ in 0..count {
        let begin = Instant::now();
        let snapshot = house.manager.snapshot().await;
        each.push(begin.elapsed().as_nanos() as u64);
        let received = |session: &muster_peers::model::SessionSnapshot| {
            session.counters[Counter::EventsReceived as usize]
        };
        checksum += snapshot.sessions.iter().map(received).sum::<u64>();
    }
    (watch.stop(), checksum, Samples::new(each))
}
