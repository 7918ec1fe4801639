//! Sessions behind one RwLock, an ingestion task each; checkpoints and events are elsewhere.
//! Terminal sessions stay in the map.

use crate::bus::EventBus;
use crate::scheduler::{self, Schedule};
use crate::subscription::Subscription;
use muster_peers::backend::{Backend, Event, EventStream, WorkerHandle};
use muster_peers::counters::{Counter, Counters, Pair};
use muster_peers::model::{Config, Error, SessionSnapshot, Snapshot, SpawnRequest, Status};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

pub struct Session {
    pub handle: WorkerHandle,
    pub status: Status,
    pub focused: bool,
    pub counters: Pair,
    ingestion: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ingestion.abort();
    }
}

pub struct Inner {
    pub sessions: RwLock<HashMap<Arc<str>, Session>>,
    pub backend: Arc<dyn Backend>,
    pub config: Config,
    totals: Arc<Counters>,
    bus: EventBus,
    schedule: Arc<Schedule>,
    started: Instant,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.schedule.stop();
    }
}

#[derive(Clone)]
pub struct Manager(Arc<Inner>);

impl Manager {
    pub fn new(config: Config, backend: Arc<dyn Backend>) -> Manager {
        let schedule = Arc::new(Schedule::default());
        let inner = Arc::new(Inner {
            sessions: RwLock::default(),
            backend,
            totals: Arc::default(),
            bus: EventBus::new(config.session_capacity, config.global_capacity),
            config,
            schedule: schedule.clone(),
            started: Instant::now(),
        });
        if let Some(interval) = inner.config.checkpoint_interval {
            tokio::spawn(scheduler::run(Arc::downgrade(&inner), schedule, interval));
        }
        Manager(inner)
    }

    pub async fn spawn(&self, request: SpawnRequest) -> Result<(), Error> {
        let inner = &self.0;
        let id: Arc<str> = request.session_id.as_str().into();
        if inner.sessions.read().await.contains_key(&id) {
            return Err(Error::SessionExists(request.session_id));
        }
        let backend = &inner.backend;
        let handle = backend.spawn(&id, request.worker).await.map_err(Error::Process)?;
        let stream = backend.events(&handle).await.map_err(Error::Process)?;
        let counters = Pair { session: Arc::default(), total: inner.totals.clone() };
        let ingestion =
            Ingestion { id: id.clone(), inner: inner.clone(), counters: counters.clone() };
        let ingestion = tokio::spawn(ingestion.run(stream));
        let session =
            Session { handle, status: Status::Running, focused: false, counters, ingestion };
        inner.sessions.write().await.insert(id.clone(), session);
        self.schedule_first(request.first_due, id);
        Ok(())
    }

    fn schedule_first(&self, due: Option<tokio::time::Instant>, id: Arc<str>) {
        if let Some(interval) = self.0.config.checkpoint_interval {
            let due = due.unwrap_or_else(|| tokio::time::Instant::now() + interval);
            self.0.schedule.add(due, id);
        }
    }

    pub async fn kill(&self, id: &str) -> Result<(), Error> {
        let handle = self.running(id).await?;
        self.0.backend.kill(&handle).await.map_err(Error::Process)?;
        if let Some(session) = self.0.sessions.write().await.get_mut(id) {
            session.status = Status::Killed;
        }
        self.0.schedule.remove(id);
        self.0.bus.remove(id);
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
        Ok(Subscription::new(self.0.bus.subscribe(id), session.counters.clone()))
    }

    pub fn subscribe_all(&self) -> Subscription {
        let counters = Pair { session: Arc::default(), total: self.0.totals.clone() };
        Subscription::new(self.0.bus.subscribe_all(), counters)
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

fn snapshot_of(id: &str, session: &Session, uptime: Duration) -> SessionSnapshot {
    let received = session.counters.session.get(Counter::EventsReceived);
    let rate = received as f64 * 1000.0 / uptime.as_secs_f64().max(1e-9);
    SessionSnapshot {
        session_id: id.to_string(),
        status: session.status,
        counters: session.counters.session.values(),
        received_per_second_x1000: rate as u64,
    }
}

struct Ingestion {
    id: Arc<str>,
    inner: Arc<Inner>,
    counters: Pair,
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

    fn dispatch(&self, event: Event) {
        let begin = Instant::now();
        self.counters.add(Counter::EventsReceived, 1);
        self.inner.bus.publish(&self.id, event, &self.counters);
        self.counters.add(Counter::EventDispatchNanos, begin.elapsed().as_nanos() as u64);
    }
}
