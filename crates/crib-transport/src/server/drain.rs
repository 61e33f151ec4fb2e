//! The end of a server, seen from a connection, at the cost of one atomic load per poll.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    /// No new requests; those in flight may finish.
    Draining,
    /// Everything still open is dropped.
    Ended,
}

/// The stage, and a wake-up for each change of it.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    stage: AtomicU8,
    /// Cancelled when draining begins.
    pub(crate) draining: CancellationToken,
    /// Cancelled when the drain time is over.
    pub(crate) ended: CancellationToken,
}

impl Drain {
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Ended,
        }
    }

    pub(crate) fn begin(&self) {
        self.stage.store(1, Ordering::Release);
        self.draining.cancel();
    }

    pub(crate) fn end(&self) {
        self.stage.store(2, Ordering::Release);
        self.ended.cancel();
    }
}
