//! Managers full of sessions.

use crate::manager::Manager;
use muster_peers::args::{Failure, Param, Params};
use muster_peers::backend::{Event, EventSource, Workers};
use muster_peers::counters::Counter;
use muster_peers::model::{Config, SpawnRequest};
use muster_peers::prompts::{Prompts, PROMPT};
use std::sync::Arc;
use tokio::time::Duration;

pub const SESSION_CAPACITY: Param = muster_peers::args::number(
    "session_capacity",
    256,
    1,
    1 << 16,
    "events that a session's channel keeps",
);

pub const FAR: Option<Duration> = Some(Duration::from_secs(120));

pub fn config(
    params: &Params,
    global_capacity: u64,
    checkpoint_interval: Option<Duration>,
) -> Config {
    Config {
        session_capacity: params.number("session_capacity") as usize,
        global_capacity: global_capacity as usize,
        checkpoint_interval,
        prompt: PROMPT.to_string(),
    }
}

pub fn id_of(session: u64) -> String {
    format!("session-{session:07}")
}

pub struct House {
    pub manager: Manager,
    pub workers: Arc<Workers>,
}

impl House {
    pub fn new(config: Config, prompts: Option<Arc<Prompts>>) -> House {
        let workers = Workers::new(prompts);
        House { manager: Manager::new(config, workers.clone()), workers }
    }

    pub async fn spawn(&self, session: u64, prompts: Option<&Prompts>) -> Result<(), Failure> {
        let first_due = prompts.map(|prompts| prompts.first_due(session));
        let request = SpawnRequest { session_id: id_of(session), worker: session, first_due };
        self.manager.spawn(request).await.map_err(failed)
    }

    pub async fn populate(&self, sessions: u64) -> Result<(), Failure> {
        for session in 0..sessions {
            self.spawn(session, None).await?;
        }
        Ok(())
    }

    /// Waits until the manager has ingested so many events in all.
    pub async fn ingested(&self, events: u64) {
        while self.manager.total(Counter::EventsReceived) < events {
            tokio::task::yield_now().await;
        }
    }
}

pub fn failed(error: muster_peers::model::Error) -> Failure {
    Failure::Run(format!("{error:?}"))
}

/// Events `first..first + count` of every session.
pub fn push_to_all(sources: &[EventSource], first: u64, count: u64, payload: usize) {
    for source in sources {
        source.push((first..first + count).map(|k| Event::output(k, payload)));
    }
}
