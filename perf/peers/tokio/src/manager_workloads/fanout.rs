//! From the workers' streams to the subscribers.

use super::setup::{config, failed, id_of, push_to_all, House, SESSION_CAPACITY};
use crate::subscription::{Delivered, Subscription};
use muster_peers::args::{choice, number, Failure, Param, Params, Workload};
use muster_peers::counters::Counter;
use muster_peers::measure::{Span, Stopwatch};
use muster_peers::model::Received;
use muster_peers::report::Outcome;
use muster_peers::{rounds::Rounds, run_on};
use std::sync::Arc;
use tokio::task::JoinHandle;

const SESSIONS: Param = number("sessions", 30, 1, 1_000_000, "sessions");
const PAYLOAD: Param = number("payload", 64, 1, 1 << 20, "bytes of an output");

pub const DISPATCH: Workload = Workload {
    name: "dispatch",
    about: "the manager takes events from its sessions' streams; a global subscriber never reads",
    params: &[
        SESSIONS,
        number("events", 40_000, 1, 1 << 32, "events a session, a multiple of burst"),
        number("burst", 40, 1, 1 << 16, "events a session and round"),
        choice("subscriber", &["global", "none"], "an idle global subscriber, or nobody"),
        number("global_capacity", 1024, 1, 1 << 24, "events that the global channel keeps"),
        SESSION_CAPACITY,
        PAYLOAD,
    ],
    run: dispatch,
};

pub const END_TO_END: Workload = Workload {
    name: "end_to_end",
    about: "every event goes to a session's and to a global subscriber, both draining",
    params: &[
        SESSIONS,
        number("events", 4_000, 1, 1 << 32, "events a session, a multiple of burst"),
        number("burst", 16, 1, 1 << 16, "events a session and round"),
        number("global_capacity", 0, 0, 1 << 24, "of the global channel; 0: sessions * burst"),
        SESSION_CAPACITY,
        PAYLOAD,
        number("threads", 1, 1, 64, "worker threads"),
    ],
    run: end_to_end,
};

fn dispatch(params: &Params) -> Result<Outcome, Failure> {
    let (rounds, burst, sessions) =
        (params.rounds()?, params.number("burst"), params.number("sessions"));
    let payload = params.number("payload") as usize;
    let config = config(params, params.number("global_capacity"), None);
    let subscribed = params.choice("subscriber") == "global";
    run_on(1, async move {
        let house = House::new(config, None);
        house.populate(sessions).await?;
        let idle = subscribed.then(|| house.manager.subscribe_all());
        let sources = house.workers.sources();
        let watch = Stopwatch::start();
        for round in 0..rounds {
            push_to_all(&sources, round * burst, burst, payload);
            house.ingested((round + 1) * burst * sessions).await;
        }
        let span = watch.stop();
        let events = house.manager.total(Counter::EventsReceived);
        let checksum = events + idle.map_or(0, kept_and_lost);
        Ok(Outcome::new(events, checksum, span)
            .ratio(
                "dispatch_ns_per_event",
                house.manager.total(Counter::EventDispatchNanos),
                events,
            )
            .cpu_per_operation("cpu_ns_per_event")
            .count("event_clone_ops", house.manager.total(Counter::EventCloneOps)))
    })
}

/// Lost events count 1 each, kept ones 1 each.
fn kept_and_lost(mut idle: Subscription) -> u64 {
    let mut sum = 0;
    loop {
        match idle.try_receive() {
            Received::Event(_) => sum += 1,
            Received::Truncated(lost) => sum += lost,
            Received::Empty | Received::Closed => return sum,
        }
    }
}

#[derive(Default)]
struct Drained {
    checksum: u64,
    lost: u64,
}

impl Drained {
    /// True as long as there may be more to take without waiting.
    fn take(&mut self, received: Received<Delivered>, fresh: &mut u64) -> bool {
        match received {
            Received::Event(envelope) => {
                self.checksum = self.checksum.wrapping_add(envelope.weight());
                *fresh += 1;
            }
            Received::Truncated(lost) => {
                self.lost += lost;
                *fresh += lost;
            }
            Received::Empty | Received::Closed => return false,
        }
        true
    }
}

/// try_receive until empty, then receive, until `total` deliveries are there.
async fn drain(mut subscription: Subscription, rounds: Arc<Rounds>, total: u64) -> Drained {
    let (mut drained, mut taken) = (Drained::default(), 0);
    while taken < total {
        let mut fresh = 0;
        let first = subscription.receive().await;
        if !drained.take(first, &mut fresh) {
            break;
        }
        while drained.take(subscription.try_receive(), &mut fresh) {}
        taken += fresh;
        rounds.took(fresh);
    }
    drained
}

struct EndToEnd {
    sessions: u64,
    burst: u64,
    rounds: u64,
    payload: usize,
}

impl EndToEnd {
    async fn subscribe(
        &self,
        house: &House,
        rounds: &Arc<Rounds>,
    ) -> Result<Vec<JoinHandle<Drained>>, Failure> {
        let events = self.burst * self.rounds;
        let global = drain(house.manager.subscribe_all(), rounds.clone(), events * self.sessions);
        let mut readers = vec![tokio::spawn(global)];
        for session in 0..self.sessions {
            let subscription = house.manager.subscribe(&id_of(session)).await.map_err(failed)?;
            readers.push(tokio::spawn(drain(subscription, rounds.clone(), events)));
        }
        Ok(readers)
    }

    async fn run(&self, house: &House, rounds: &Rounds) -> Span {
        let sources = house.workers.sources();
        let watch = Stopwatch::start();
        for round in 0..self.rounds {
            rounds.expect(self.burst * self.sessions * 2);
            push_to_all(&sources, round * self.burst, self.burst, self.payload);
            rounds.finished().await;
        }
        watch.stop()
    }
}

fn end_to_end(params: &Params) -> Result<Outcome, Failure> {
    let work = EndToEnd {
        sessions: params.number("sessions"),
        burst: params.number("burst"),
        rounds: params.rounds()?,
        payload: params.number("payload") as usize,
    };
    if work.burst > params.number("session_capacity") {
        return Err(Failure::Usage(
            "--burst must not exceed --session_capacity: nothing may be lost".into(),
        ));
    }
    let global_capacity = match params.number("global_capacity") {
        0 => work.sessions * work.burst,
        chosen => chosen,
    };
    let config = config(params, global_capacity, None);
    run_on(params.number("threads"), async move {
        let house = House::new(config, None);
        house.populate(work.sessions).await?;
        let rounds = Arc::new(Rounds::default());
        let readers = work.subscribe(&house, &rounds).await?;
        tokio::task::yield_now().await;
        let span = work.run(&house, &rounds).await;
        let mut all = Drained::default();
        for reader in readers {
            let one = reader.await.map_err(|error| Failure::Run(error.to_string()))?;
            all.checksum = all.checksum.wrapping_add(one.checksum);
            all.lost += one.lost;
        }
        let deliveries = work.sessions * work.burst * work.rounds * 2;
        Ok(Outcome::new(deliveries, all.checksum, span)
            .cpu_per_operation("cpu_ns_per_delivery")
            .wall_per_operation("wall_ns_per_delivery")
            .ratio(
                "dispatch_ns_per_event",
                house.manager.total(Counter::EventDispatchNanos),
                deliveries / 2,
            )
            .count("event_clone_ops", house.manager.total(Counter::EventCloneOps))
            .count("lost_events", all.lost))
    })
}
