//! What goes through a channel: a number, or a shared pointer to a new object.

use std::sync::Arc;

pub trait Payload: Clone + Send + Sync + 'static {
    fn make(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl Payload for u64 {
    fn make(number: u64) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

pub struct SharedEvent {
    number: u64,
    _text: [u8; 56],
}
pub type Shared = Arc<SharedEvent>;

impl Payload for Shared {
    fn make(number: u64) -> Self {
        Arc::new(SharedEvent { number, _text: [b'a'; 56] })
    }
    fn number(&self) -> u64 {
        self.number
    }
}
