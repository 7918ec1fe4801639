//! What the Tokio peers share: the command line, the stopwatch, the report line, the in-process
//! backend that stands for a worker, and the bookkeeping of rounds. The workloads are defined in
//! perf/peers/WORKLOADS.md; nothing here decides what is measured.

pub mod args;
pub mod backend;
pub mod counters;
pub mod measure;
pub mod model;
pub mod poll;
pub mod prompts;
pub mod report;
pub mod rounds;

use tokio::runtime::{Builder, Runtime};

/// A runtime with `threads` workers: the current-thread one for 1, which is Tokio's fastest.
pub fn runtime(threads: u64) -> Runtime {
    let mut builder = if threads == 1 {
        Builder::new_current_thread()
    } else {
        let mut several = Builder::new_multi_thread();
        several.worker_threads(threads as usize);
        several
    };
    builder.enable_time().build().expect("a Tokio runtime")
}

/// Runs `work` on such a runtime. With several threads the driver is itself a task on a worker, as
/// the thread inside `block_on` would pay a cross-thread wake for each hand-over.
pub fn run_on<F>(threads: u64, work: F) -> F::Output
where
    F: std::future::Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = runtime(threads);
    if threads == 1 {
        runtime.block_on(work)
    } else {
        runtime.block_on(async move { tokio::spawn(work).await.expect("the driver ends") })
    }
}
