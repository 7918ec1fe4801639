//! tokio::sync::broadcast.

use crate::payload::{Payload, Shared};
use muster_peers::args::{choice, number, Failure, Param, Params, Workload};
use muster_peers::measure::{Samples, Span, Stopwatch};
use muster_peers::report::Outcome;
use muster_peers::{rounds::Rounds, run_on};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError, Receiver, Sender};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const PAYLOAD: Param =
    choice("payload", &["inline", "shared"], "a u64, or an Arc of a new event each");
const CAPACITY: Param = number("capacity", 1024, 1, 1 << 20, "events that the channel keeps");

pub const PUBLISH: Workload = Workload {
    name: "channel_publish",
    about: "publish to subscribers that never read",
    params: &[
        number("events", 4_000_000, 1, 1 << 32, "events published"),
        number("subscribers", 1, 0, 100_000, "idle subscribers"),
        CAPACITY,
        PAYLOAD,
    ],
    run: |params| by_payload(params, publish::<u64>, publish::<Shared>),
};

pub const PUBLISH_WAITING: Workload = Workload {
    name: "channel_publish_waiting",
    about: "the publish call alone while every subscriber sleeps in a receive",
    params: &[
        number("events", 2_000, 1, 1 << 32, "events published"),
        number("subscribers", 512, 1, 100_000, "waiting subscribers"),
        CAPACITY,
        PAYLOAD,
    ],
    run: |params| by_payload(params, publish_waiting::<u64>, publish_waiting::<Shared>),
};

pub const DELIVERY: Workload = Workload {
    name: "channel_delivery",
    about: "bursts published, taken by every subscriber, round by round",
    params: &[
        number("events", 20_480, 1, 1 << 32, "events published, a multiple of burst"),
        number(
            "burst",
            1024,
            1,
            1 << 20,
            "events a round; 1: single events to sleeping subscribers",
        ),
        number("subscribers", 64, 1, 100_000, "draining subscribers"),
        CAPACITY,
        choice(
            "receive",
            &["batch", "try", "await"],
            "batch and try: try_recv until empty, then recv",
        ),
        PAYLOAD,
        number("producers", 1, 1, 64, "tasks that publish"),
        number("threads", 1, 1, 64, "worker threads"),
    ],
    run: |params| by_payload(params, delivery::<u64>, delivery::<Shared>),
};

type Run = fn(&Params) -> Result<Outcome, Failure>;

fn by_payload(params: &Params, inline: Run, shared: Run) -> Result<Outcome, Failure> {
    if params.choice("payload") == "inline" {
        inline(params)
    } else {
        shared(params)
    }
}

fn publish<P: Payload>(params: &Params) -> Result<Outcome, Failure> {
    let events = params.number("events");
    let (sender, first) = broadcast::channel::<P>(params.number("capacity") as usize);
    let mut idle: Vec<_> = (0..params.number("subscribers")).map(|_| sender.subscribe()).collect();
    drop(first);
    let watch = Stopwatch::start();
    for number in 1..=events {
        let _ = sender.send(P::make(number));
    }
    let span = watch.stop();
    drop(sender);
    let checksum = idle.iter_mut().map(kept_and_lost).fold(0, u64::wrapping_add);
    Ok(Outcome::new(events, checksum, span).cpu_per_operation("publish_ns"))
}

fn kept_and_lost<P: Payload>(receiver: &mut Receiver<P>) -> u64 {
    let mut sum = 0u64;
    loop {
        match receiver.try_recv() {
            Ok(event) => sum = sum.wrapping_add(event.number()),
            Err(TryRecvError::Lagged(lost)) => sum = sum.wrapping_add(lost),
            Err(_) => return sum,
        }
    }
}

/// What a subscriber received: the sum of the numbers; an event that was lost counts as taken.
async fn drain<P: Payload>(mut receiver: Receiver<P>, rounds: Arc<Rounds>) -> u64 {
    let mut sum = 0u64;
    let mut fresh = 0u64;
    loop {
        match receiver.try_recv() {
            Ok(event) => {
                sum = sum.wrapping_add(event.number());
                fresh += 1;
                continue;
            }
            Err(TryRecvError::Lagged(lost)) => {
                fresh += lost;
                continue;
            }
            Err(TryRecvError::Empty) => rounds.took(std::mem::take(&mut fresh)),
            Err(TryRecvError::Closed) => return sum,
        }
        match receiver.recv().await {
            Ok(event) => {
                sum = sum.wrapping_add(event.number());
                fresh += 1;
            }
            Err(RecvError::Lagged(lost)) => fresh += lost,
            Err(RecvError::Closed) => return sum,
        }
    }
}

/// The same with one `recv().await` for each event; the burst's size says when a round is over.
async fn drain_one_by_one<P: Payload>(
    mut receiver: Receiver<P>,
    rounds: Arc<Rounds>,
    burst: u64,
) -> u64 {
    let mut sum = 0u64;
    let mut fresh = 0u64;
    loop {
        match receiver.recv().await {
            Ok(event) => {
                sum = sum.wrapping_add(event.number());
                fresh += 1;
            }
            Err(RecvError::Lagged(lost)) => fresh += lost,
            Err(RecvError::Closed) => return sum,
        }
        if fresh == burst {
            rounds.took(std::mem::take(&mut fresh));
        }
    }
}

async fn sum_of(subscribers: Vec<JoinHandle<u64>>) -> u64 {
    let mut sum = 0u64;
    for subscriber in subscribers {
        sum = sum.wrapping_add(subscriber.await.expect("a subscriber ends"));
    }
    sum
}

fn subscribe<P: Payload>(
    sender: &Sender<P>,
    rounds: &Arc<Rounds>,
    params: &Params,
    burst: u64,
    one_by_one: bool,
) -> Vec<JoinHandle<u64>> {
    let one = |_| {
        let (receiver, rounds) = (sender.subscribe(), rounds.clone());
        if one_by_one {
            tokio::spawn(drain_one_by_one(receiver, rounds, burst))
        } else {
            tokio::spawn(drain(receiver, rounds))
        }
    };
    (0..params.number("subscribers")).map(one).collect()
}

fn new_channel<P: Payload>(params: &Params) -> Sender<P> {
    broadcast::channel::<P>(params.number("capacity") as usize).0
}

/// Who publishes what: the driver is the first producer, the others wait for their turn.
struct Producers<P> {
    sender: Sender<P>,
    count: u64,
    round_count: u64,
    burst: u64,
}

impl<P: Payload> Producers<P> {
    fn publish(&self, round: u64, producer: u64) {
        let first = (round * self.count + producer) * self.burst + 1;
        for number in first..first + self.burst {
            let _ = self.sender.send(P::make(number));
        }
    }

    fn start_others(self: &Arc<Self>) -> Vec<Arc<Notify>> {
        let start = |producer| {
            let begin = Arc::new(Notify::new());
            tokio::spawn(self.clone().follow(begin.clone(), producer));
            begin
        };
        (1..self.count).map(start).collect()
    }

    async fn follow(self: Arc<Self>, begin: Arc<Notify>, producer: u64) {
        for round in 0..self.round_count {
            begin.notified().await;
            self.publish(round, producer);
        }
    }

    async fn drive(&self, rounds: &Rounds, others: &[Arc<Notify>], subscribers: u64) -> Span {
        let watch = Stopwatch::start();
        for round in 0..self.round_count {
            rounds.expect(self.count * self.burst * subscribers);
            others.iter().for_each(|other| other.notify_one());
            self.publish(round, 0);
            rounds.finished().await;
        }
        watch.stop()
    }
}

fn delivery<P: Payload>(params: &Params) -> Result<Outcome, Failure> {
    let (round_count, burst) = (params.rounds()?, params.number("burst"));
    let (subscribers, count) = (params.number("subscribers"), params.number("producers"));
    if count * burst > params.number("capacity") {
        let why = "--producers * --burst must not exceed --capacity: nothing may be lost";
        return Err(Failure::Usage(why.into()));
    }
    let rounds = Arc::new(Rounds::default());
    let producers = Producers { sender: new_channel::<P>(params), count, round_count, burst };
    let one_by_one = params.choice("receive") == "await";
    let setup = (Arc::new(producers), rounds, Params(params.0.clone()));
    let (span, checksum) = run_on(params.number("threads"), async move {
        let (producers, rounds, params) = setup;
        let readers = subscribe(&producers.sender, &rounds, &params, count * burst, one_by_one);
        let others = producers.start_others();
        tokio::task::yield_now().await;
        let span = producers.drive(&rounds, &others, subscribers).await;
        drop(producers);
        (span, sum_of(readers).await)
    });
    Ok(Outcome::new(round_count * count * burst * subscribers, checksum, span)
        .cpu_per_operation("cpu_ns_per_delivery")
        .wall_per_operation("wall_ns_per_delivery"))
}

fn publish_waiting<P: Payload>(params: &Params) -> Result<Outcome, Failure> {
    let (events, subscribers) = (params.number("events"), params.number("subscribers"));
    let setup = (new_channel::<P>(params), Arc::new(Rounds::default()), Params(params.0.clone()));
    let (span, publishes, checksum) = run_on(1, async move {
        let (sender, rounds, params) = setup;
        let readers = subscribe(&sender, &rounds, &params, 1, true);
        tokio::task::yield_now().await;
        let mut publishes = Vec::with_capacity(events as usize);
        let watch = Stopwatch::start();
        for number in 1..=events {
            rounds.expect(subscribers);
            let begin = Instant::now();
            let _ = sender.send(P::make(number));
            publishes.push(begin.elapsed().as_nanos() as u64);
            rounds.finished().await;
        }
        let span = watch.stop();
        drop(sender);
        (span, Samples::new(publishes), sum_of(readers).await)
    });
    let total = publishes.sum();
    Ok(Outcome::new(events, checksum, span)
        .ratio("publish_ns", total, events)
        .percentiles("publish", &publishes))
}
