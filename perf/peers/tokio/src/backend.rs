//! In-process workers: the interface by which a manager reaches them, and the one that the
//! workloads use. A worker costs as little as it can, so that the manager is what is measured.

use crate::poll::poll_fn;
use crate::prompts::Prompts;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[derive(Clone, Debug)]
pub enum Event {
    Output {
        stderr: bool,
        text: String,
    },
    Checkpoint {
        summary: String,
        detail: Option<String>,
        file_refs: Vec<String>,
    },
    NeedsInput {
        prompt_id: String,
        question: String,
        options: Vec<String>,
        default: Option<String>,
    },
    Blocked {
        reason: String,
        hint: Option<String>,
        log_ref: Option<String>,
    },
    Artifact {
        kind: u8,
        id: Option<String>,
        label: Option<String>,
        uri: Option<String>,
    },
    TurnState {
        active: bool,
    },
    Done {
        summary: Option<String>,
    },
    Crashed {
        reason: String,
    },
}

impl Event {
    /// The k-th output of a session: `payload` bytes, newly allocated as a worker's output is.
    pub fn output(k: u64, payload: usize) -> Event {
        let mut bytes = Vec::with_capacity(payload);
        bytes.resize(payload, b'a' + (k % 16) as u8);
        Event::Output { stderr: false, text: String::from_utf8(bytes).expect("ASCII") }
    }

    /// What a delivery adds to the checksum: the first byte and the length.
    pub fn weight(&self) -> u64 {
        match self {
            Event::Output { text, .. } => u64::from(text.as_bytes()[0]) + text.len() as u64,
            _ => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub struct WorkerHandle {
    pub session_id: String,
    pub worker: u64,
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
pub type Outcome<T> = Result<T, String>;

pub trait Backend: Send + Sync {
    fn spawn<'a>(
        &'a self,
        session_id: &'a str,
        worker: u64,
    ) -> BoxFuture<'a, Outcome<WorkerHandle>>;
    fn events<'a>(&'a self, handle: &'a WorkerHandle) -> BoxFuture<'a, Outcome<EventStream>>;
    fn send_input<'a>(
        &'a self,
        handle: &'a WorkerHandle,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Outcome<()>>;
    fn kill<'a>(&'a self, handle: &'a WorkerHandle) -> BoxFuture<'a, Outcome<()>>;
}

#[derive(Default)]
struct Inbox {
    events: VecDeque<Event>,
    waiting: Option<Waker>,
    ended: bool,
}

/// The worker's end of a stream.
#[derive(Clone, Default)]
pub struct EventSource(Arc<Mutex<Inbox>>);

impl EventSource {
    /// Hands over a burst under one lock and with one wake.
    pub fn push(&self, burst: impl Iterator<Item = Event>) {
        let mut inbox = self.0.lock().unwrap();
        inbox.events.extend(burst);
        wake(&mut inbox);
    }

    fn end(&self) {
        let mut inbox = self.0.lock().unwrap();
        inbox.ended = true;
        wake(&mut inbox);
    }
}

fn wake(inbox: &mut Inbox) {
    if let Some(waker) = inbox.waiting.take() {
        waker.wake();
    }
}

/// The manager's end: takes a whole burst at a time, gives it out one by one.
pub struct EventStream {
    source: EventSource,
    taken: VecDeque<Event>,
}

impl EventStream {
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.taken.pop_front() {
            return Some(event);
        }
        poll_fn(|context| self.refill(context)).await
    }

    fn refill(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut inbox = self.source.0.lock().unwrap();
        std::mem::swap(&mut inbox.events, &mut self.taken);
        match self.taken.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if inbox.ended => Poll::Ready(None),
            None => {
                inbox.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// All workers of a run, found by their number.
pub struct Workers {
    sources: Mutex<Vec<EventSource>>,
    prompts: Option<Arc<Prompts>>,
}

impl Workers {
    pub fn new(prompts: Option<Arc<Prompts>>) -> Arc<Workers> {
        Arc::new(Workers { sources: Mutex::new(Vec::new()), prompts })
    }

    /// The sources in the order of the workers' numbers.
    pub fn sources(&self) -> Vec<EventSource> {
        self.sources.lock().unwrap().clone()
    }
}

impl Backend for Workers {
    fn spawn<'a>(
        &'a self,
        session_id: &'a str,
        worker: u64,
    ) -> BoxFuture<'a, Outcome<WorkerHandle>> {
        Box::pin(async move {
            let mut sources = self.sources.lock().unwrap();
            assert_eq!(sources.len() as u64, worker, "workers are numbered in spawn order");
            sources.push(EventSource::default());
            Ok(WorkerHandle { session_id: session_id.to_string(), worker })
        })
    }

    fn events<'a>(&'a self, handle: &'a WorkerHandle) -> BoxFuture<'a, Outcome<EventStream>> {
        Box::pin(async move {
            let source = self.sources.lock().unwrap()[handle.worker as usize].clone();
            Ok(EventStream { source, taken: VecDeque::new() })
        })
    }

    fn send_input<'a>(
        &'a self,
        handle: &'a WorkerHandle,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(async move {
            if let Some(prompts) = &self.prompts {
                prompts.arrived(handle.worker, bytes.len());
            }
            Ok(())
        })
    }

    fn kill<'a>(&'a self, handle: &'a WorkerHandle) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(async move {
            let source = self.sources.lock().unwrap()[handle.worker as usize].clone();
            source.end();
            Ok(())
        })
    }
}
