//! Sessions behind one RwLock; per session an ingestion task, a ticker task and a broadcast channel
//! that exists from the start. Terminal sessions stay in the map.

use crate::subscription::Subscription;
use crate::ticker;
use muster_peers::backend::{Backend, Event, EventStream, WorkerHandle};
use muster_peers::counters::{Counter, Counters, Pair};
use muster_peers::model::{Config, Error, SessionSnapshot, Snapshot, SpawnRequest, Status};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{broadcast, RwLock};
use tokio::task::JoinHandle;

/// Cloned for every receiver, payload and all, whether the receiver looks at all of it or not.
#[allow(dead_code)]
#[derive(Clone)]
pub struct Envelope {
    pub session_id: String,
    pub sequence: u64,
    pub event: Event,
}

impl Envelope {
    pub fn weight(&self) -> u64 {
        self.event.weight()
    }
}

pub struct Session {
    pub handle: WorkerHandle,
    pub status: Status,
    pub focused: bool,
    pub counters: Pair,
    events: broadcast::Sender<Envelope>,
    ticker: Option<JoinHandle<()>>,
    ingestion: Option<JoinHandle<()>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ticker.iter().chain(&self.ingestion).for_each(JoinHandle::abort);
    }
}

pub type Sessions = RwLock<HashMap<String, Session>>;

pub struct Inner {
    pub sessions: Sessions,
    pub backend: Arc<dyn Backend>,
    pub config: Config,
    totals: Arc<Counters>,
    global: broadcast::Sender<Envelope>,
    sequence: AtomicU64,
    started: Instant,
}

#[derive(Clone)]
pub struct Manager(Arc<Inner>);

impl Manager {
    pub fn new(config: Config, backend: Arc<dyn Backend>) -> Manager {
        let global = broadcast::channel(config.global_capacity).0;
        Manager(Arc::new(Inner {
            sessions: RwLock::default(),
            backend,
            config,
            totals: Arc::default(),
            global,
            sequence: AtomicU64::new(0),
            started: Instant::now(),
        }))
    }

    pub async fn spawn(&self, request: SpawnRequest) -> Result<(), Error> {
        let inner = &self.0;
        let id = &request.session_id;
        if inner.sessions.read().await.contains_key(id) {
            return Err(Error::SessionExists(id.clone()));
        }
        let handle = inner.backend.spawn(id, request.worker).await.map_err(Error::Process)?;
        let stream = inner.backend.events(&handle).await.map_err(Error::Process)?;
        let counters = Pair { session: Arc::default(), total: inner.totals.clone() };
        let events = broadcast::channel(inner.config.session_capacity).0;
        let ingestion = Ingestion {
            id: id.clone(),
            inner: inner.clone(),
            counters: counters.clone(),
            events: events.clone(),
        };
        let session = Session {
            handle,
            status: Status::Running,
            focused: false,
            counters,
            events,
            ticker: ticker::start(inner, &request),
            ingestion: Some(tokio::spawn(ingestion.run(stream))),
        };
        inner.sessions.write().await.insert(request.session_id, session);
        Ok(())
    }

    pub async fn kill(&self, id: &str) -> Result<(), Error> {
        let handle = self.running(id).await?;
        self.0.backend.kill(&handle).await.map_err(Error::Process)?;
        if let Some(session) = self.0.sessions.write().await.get_mut(id) {
            session.status = Status::Killed;
            session.ticker.take().iter().for_each(JoinHandle::abort);
        }
        Ok(())
    }

    async fn running(&self, id: &str) -> Result<WorkerHandle, Error> {
        match self.0.sessions.read().await.get(id) {
            None => Err(Error::SessionNotFound(id.to_string())),
            Some(session) if session.status == Status::Running => Ok(session.handle.clone()),
            Some(session) => Err(Error::SessionNotRunning(id.to_string(), session.status)),
        }
    }

    pub async fn subscribe(&self, id: &str) -> Result<Subscription, Error> {
        let sessions = self.0.sessions.read().await;
        let session = sessions.get(id).ok_or_else(|| Error::SessionNotFound(id.to_string()))?;
        Ok(Subscription::new(session.events.subscribe(), session.counters.clone()))
    }

    pub fn subscribe_all(&self) -> Subscription {
        let counters = Pair { session: Arc::default(), total: self.0.totals.clone() };
        Subscription::new(self.0.global.subscribe(), counters)
    }

    pub async fn snapshot(&self) -> Snapshot {
        let uptime = self.0.started.elapsed();
        let sessions = self.0.sessions.read().await;
        let mut all: Vec<_> =
            sessions.iter().map(|(id, session)| snapshot_of(id, session, uptime)).collect();
        all.sort_by(|left, right| left.session_id.cmp(&right.session_id));
        Snapshot { uptime, totals: self.0.totals.values(), sessions: all }
    }

    /// Tells later whether the manager and all its sessions are gone.
    pub fn released(&self) -> impl Fn() -> bool {
        let inner = Arc::downgrade(&self.0);
        move || inner.strong_count() == 0
    }

    pub fn total(&self, counter: Counter) -> u64 {
        self.0.totals.get(counter)
    }
}

fn snapshot_of(id: &str, session: &Session, uptime: std::time::Duration) -> SessionSnapshot {
    let received = session.counters.session.get(Counter::EventsReceived);
    SessionSnapshot {
        session_id: id.to_string(),
        status: session.status,
        counters: session.counters.session.values(),
        received_per_second_x1000: (received as f64 * 1000.0 / uptime.as_secs_f64().max(1e-9))
            as u64,
    }
}

struct Ingestion {
    id: String,
    inner: Arc<Inner>,
    counters: Pair,
    events: broadcast::Sender<Envelope>,
}

impl Ingestion {
    async fn run(self, mut stream: EventStream) {
        while let Some(event) = stream.next().await {
            self.dispatch(event);
        }
        if let Some(session) = self.inner.sessions.write().await.get_mut(&self.id) {
            if session.status == Status::Running {
                session.status = Status::Done;
            }
        }
    }

    /// One clone if both a session's and a global receiver exist, none otherwise.
    fn dispatch(&self, event: Event) {
        let begin = Instant::now();
        self.counters.add(Counter::EventsReceived, 1);
        let of_session = self.events.receiver_count();
        let of_all = self.inner.global.receiver_count();
        self.counters.set(Counter::SessionReceiverCountLast, of_session as u64);
        self.counters.set(Counter::GlobalReceiverCountLast, of_all as u64);
        if of_session + of_all != 0 {
            self.forward(event, of_session != 0, of_all != 0);
        }
        self.counters.add(Counter::EventDispatchNanos, begin.elapsed().as_nanos() as u64);
    }

    fn forward(&self, event: Event, to_session: bool, to_all: bool) {
        let sequence = self.inner.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let envelope = Envelope { session_id: self.id.clone(), sequence, event };
        if to_session && to_all {
            self.counters.add(Counter::EventCloneOps, 1);
            self.send(&self.events, Counter::EventsForwardedSession, envelope.clone());
            self.send(&self.inner.global, Counter::EventsForwardedGlobal, envelope);
        } else if to_session {
            self.send(&self.events, Counter::EventsForwardedSession, envelope);
        } else {
            self.send(&self.inner.global, Counter::EventsForwardedGlobal, envelope);
        }
    }

    fn send(&self, to: &broadcast::Sender<Envelope>, counter: Counter, envelope: Envelope) {
        if to.send(envelope).is_ok() {
            self.counters.add(counter, 1);
        }
    }
}
