//! A receiver that counts what it lost.

use crate::manager::Envelope;
use muster_peers::counters::{Counter, Pair};
use muster_peers::model::Received;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::Receiver;

/// What a receiver gets of each event.
pub type Delivered = Envelope;

pub struct Subscription {
    receiver: Receiver<Envelope>,
    counters: Pair,
}

impl Subscription {
    pub fn new(receiver: Receiver<Envelope>, counters: Pair) -> Self {
        Subscription { receiver, counters }
    }

    pub async fn receive(&mut self) -> Received<Envelope> {
        match self.receiver.recv().await {
            Ok(envelope) => Received::Event(envelope),
            Err(RecvError::Lagged(lost)) => self.truncated(lost),
            Err(RecvError::Closed) => Received::Closed,
        }
    }

    pub fn try_receive(&mut self) -> Received<Envelope> {
        match self.receiver.try_recv() {
            Ok(envelope) => Received::Event(envelope),
            Err(TryRecvError::Lagged(lost)) => self.truncated(lost),
            Err(TryRecvError::Empty) => Received::Empty,
            Err(TryRecvError::Closed) => Received::Closed,
        }
    }

    fn truncated(&self, lost: u64) -> Received<Envelope> {
        self.counters.add(Counter::QueuePressureDropped, lost);
        self.counters.add(Counter::TruncationMarkers, 1);
        Received::Truncated(lost)
    }
}
