//! The idle connections of one origin.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ClientOptions;
use super::endpoint::Origin;
use super::error::SendError;
use super::live::Live;
use crate::lanes;

/// Boxed, because a connection is large and moves with every call.
type Idle = Vec<Box<Live>>;

/// The idle connections of one lane, apart from those of others also in the caches of the machine.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shelf {
    /// The most recently used is last and goes first, so that the rest grow old and are closed.
    idle: Mutex<Idle>,
}

#[derive(Debug)]
pub(crate) struct Pool {
    origin: Arc<Origin>,
    /// By the number of the lane. A connection is best driven where it was opened.
    shelves: Box<[Shelf]>,
    /// The most for one shelf.
    idle_max: usize,
    idle_age: Duration,
    slots: Arc<Semaphore>,
    is_swept: AtomicBool,
}

impl Pool {
    pub(crate) fn new(origin: Arc<Origin>, options: &ClientOptions) -> Self {
        let shelves = lanes::numbers();
        Self {
            origin,
            shelves: std::iter::repeat_with(Shelf::default).take(shelves).collect(),
            idle_max: options.idle_max.div_ceil(shelves),
            idle_age: options.idle_age,
            slots: Arc::new(Semaphore::new(options.connections_max)),
            is_swept: AtomicBool::new(false),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Takes a connection of this lane that is not known to be dead.
    pub(crate) fn take(&self) -> Option<Box<Live>> {
        self.take_from(self.shelf(lanes::number())?)
    }

    /// Takes one of any lane.
    pub(crate) fn take_any(&self) -> Option<Box<Live>> {
        self.shelves.iter().find_map(|shelf| self.take_from(shelf))
    }

    fn take_from(&self, shelf: &Shelf) -> Option<Box<Live>> {
        loop {
            let live = shelf.idle.lock().pop()?;
            if let Some(live) = self.still_good(live) {
                return Some(live);
            }
        }
    }

    fn shelf(&self, lane: usize) -> Option<&Shelf> {
        self.shelves.get(lane % self.shelves.len())
    }

    /// Takes a connection back whose last answer was read to its end.
    pub(crate) fn put(&self, mut live: Box<Live>) {
        if !live.is_reusable() {
            return;
        }
        live.rest();
        let Some(shelf) = self.shelf(live.lane()) else { return };
        let mut idle = shelf.idle.lock();
        if idle.len() < self.idle_max {
            idle.push(live);
        }
    }

    /// Returns the right to open one more connection, if there is one left.
    pub(crate) fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Waits for the right to open one more connection.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, SendError> {
        Arc::clone(&self.slots).acquire_owned().await.map_err(|error| SendError::Connect(error.to_string()))
    }

    /// Makes sure that idle connections are closed when they are old, dead, or when nobody holds the pool any more.
    pub(crate) fn keep_swept(self: &Arc<Self>, tasks: &TaskTracker, closing: &CancellationToken) {
        if self.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (pool, closing, pause) = (Arc::downgrade(self), closing.clone(), self.idle_age / 4);
        tasks.spawn(async move {
            while tokio::time::timeout(pause, closing.cancelled()).await.is_err() {
                let Some(pool) = pool.upgrade() else { return };
                pool.sweep();
            }
        });
    }

    fn sweep(&self) {
        for shelf in &self.shelves {
            let all = std::mem::take(&mut *shelf.idle.lock());
            let kept: Vec<_> = all.into_iter().filter_map(|live| self.still_good(live)).collect();
            let mut idle = shelf.idle.lock();
            // What came back in the meantime is younger and goes on top.
            let younger = std::mem::replace(&mut *idle, kept);
            idle.extend(younger);
        }
    }

    fn still_good(&self, mut live: Box<Live>) -> Option<Box<Live>> {
        (live.is_usable() && !live.is_stale(self.idle_age)).then_some(live)
    }

    #[cfg(test)]
    pub(crate) fn idle_count(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.idle.lock().len()).sum()
    }
}
