//! The event bus: a topic per session, made when somebody subscribes, and one for everybody.

use muster_peers::backend::Event;
use muster_peers::counters::{Counter, Pair};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use tokio::sync::broadcast::{channel, Receiver, Sender};

/// Shared by every receiver.
#[allow(dead_code)]
pub struct Envelope {
    pub session_id: Arc<str>,
    pub sequence: u64,
    pub event: Event,
}

impl Envelope {
    pub fn weight(&self) -> u64 {
        self.event.weight()
    }
}

pub type Shared = Arc<Envelope>;

pub struct EventBus {
    topics: RwLock<HashMap<Arc<str>, Sender<Shared>>>,
    global: Sender<Shared>,
    topic_capacity: usize,
    sequence: AtomicU64,
}

impl EventBus {
    pub fn new(topic_capacity: usize, global_capacity: usize) -> EventBus {
        EventBus {
            topics: RwLock::default(),
            global: channel(global_capacity).0,
            topic_capacity,
            sequence: AtomicU64::new(0),
        }
    }

    pub fn subscribe(&self, session_id: &str) -> Receiver<Shared> {
        if let Some(topic) = self.topics.read().unwrap().get(session_id) {
            return topic.subscribe();
        }
        let mut topics = self.topics.write().unwrap();
        let topic =
            topics.entry(session_id.into()).or_insert_with(|| channel(self.topic_capacity).0);
        topic.subscribe()
    }

    pub fn subscribe_all(&self) -> Receiver<Shared> {
        self.global.subscribe()
    }

    pub fn remove(&self, session_id: &str) {
        self.topics.write().unwrap().remove(session_id);
    }

    pub fn publish(&self, session_id: &Arc<str>, event: Event, counters: &Pair) {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::new(Envelope { session_id: session_id.clone(), sequence, event });
        let of_all = self.global.receiver_count();
        counters.set(Counter::GlobalReceiverCountLast, of_all as u64);
        self.publish_to_topic(&shared, counters);
        if of_all != 0 && self.global.send(shared).is_ok() {
            counters.add(Counter::EventsForwardedGlobal, 1);
        }
    }

    fn publish_to_topic(&self, shared: &Shared, counters: &Pair) {
        let topics = self.topics.read().unwrap();
        let topic = topics.get(&shared.session_id);
        let receivers = topic.map_or(0, Sender::receiver_count);
        counters.set(Counter::SessionReceiverCountLast, receivers as u64);
        if receivers != 0 && topic.map_or(false, |topic| topic.send(shared.clone()).is_ok()) {
            counters.add(Counter::EventsForwardedSession, 1);
        }
    }
}
