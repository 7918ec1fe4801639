//! `std::future::poll_fn`, which rustc 1.63 does not have yet.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub struct PollFn<F>(F);

impl<F> Unpin for PollFn<F> {}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<T>> Future for PollFn<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        (self.0)(context)
    }
}

pub fn poll_fn<T, F: FnMut(&mut Context<'_>) -> Poll<T>>(function: F) -> PollFn<F> {
    PollFn(function)
}
