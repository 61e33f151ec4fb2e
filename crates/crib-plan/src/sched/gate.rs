//! A counter of running calls with a line of those who wait.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::oneshot;

use super::{Load, Width};

/// Lets a number of calls in at once; who comes first gets in first.
///
/// INVARIANT: `waiting` of the state is the length of the line and changes only under the line's lock; `running`
/// counts the slots that exist. A slot that ends while somebody waits is handed on and never becomes free, so nobody
/// can get in ahead of the line.
#[derive(Debug)]
pub(crate) struct Gate {
    width: Width,
    /// `running` in the lower half, `waiting` in the upper.
    state: AtomicU64,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    places: VecDeque<Place>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Place {
    ticket: u64,
    call: oneshot::Sender<Slot>,
}

/// The right to run one call; dropping it ends the right.
#[derive(Debug)]
pub struct Slot {
    gate: Option<Arc<Gate>>,
}

/// How waiting ended.
pub(crate) enum Wait {
    Entered(Slot),
    Full,
    Expired,
}

impl Gate {
    pub(crate) fn new(width: Width) -> Self {
        let width = Width { calls: width.calls.max(1), ..width };
        Self { width, state: AtomicU64::new(0), line: Mutex::default() }
    }

    pub(crate) fn width(&self) -> Width {
        self.width
    }

    pub(crate) fn load(&self) -> Load {
        unpack(self.state.load(Ordering::Relaxed))
    }

    /// Enters if there is room and nobody waits.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Slot> {
        let enter = |state| {
            let load = unpack(state);
            (load.waiting == 0 && load.running < self.width.calls).then_some(state + 1)
        };
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).ok()?;
        Some(Slot { gate: Some(Arc::clone(self)) })
    }

    /// Waits in line until there is room or the patience ends.
    pub(crate) async fn enter(self: &Arc<Self>, patience: impl Future<Output = ()>) -> Wait {
        let (ticket, mut called) = match self.queue() {
            Ok(place) => place,
            Err(wait) => return wait,
        };
        // Leaves the line also when the caller goes away.
        let _leave = Leave { gate: self, ticket };
        let mut patience = pin!(patience);
        poll_fn(|cx| {
            // A slot that came in the last moment is taken rather than lost.
            match pin!(&mut called).poll(cx) {
                Poll::Ready(Ok(slot)) => Poll::Ready(Wait::Entered(slot)),
                Poll::Ready(Err(_)) => Poll::Ready(Wait::Expired),
                Poll::Pending => patience.as_mut().poll(cx).map(|()| Wait::Expired),
            }
        })
        .await
    }

    fn queue(self: &Arc<Self>) -> Result<(u64, oneshot::Receiver<Slot>), Wait> {
        let mut line = self.line();
        // A slot may have become free on the way here; while anybody waits none does.
        if let Some(slot) = self.try_enter() {
            return Err(Wait::Entered(slot));
        }
        let join = |state| (unpack(state).waiting < self.width.waiting).then_some(state + ONE_WAITING);
        // The state is read again in the same step in which the place is taken: if the last slot ends in between,
        // its owner either sees this place or frees the slot, which the next reading finds.
        loop {
            let state = self.state.load(Ordering::Acquire);
            let load = unpack(state);
            if load.waiting == 0 && load.running < self.width.calls {
                match self.try_enter() {
                    Some(slot) => return Err(Wait::Entered(slot)),
                    None => continue,
                }
            }
            let Some(next) = join(state) else { return Err(Wait::Full) };
            if self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                break;
            }
        }
        let (call, called) = oneshot::channel();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.places.push_back(Place { ticket, call });
        Ok((ticket, called))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a slot: hands it to the first in line, else makes it free.
    fn leave(self: &Arc<Self>) {
        let free = |state| (unpack(state).waiting == 0).then(|| state - 1);
        if self.state.fetch_update(Ordering::Release, Ordering::Relaxed, free).is_ok() {
            return;
        }
        let mut line = self.line();
        while let Some(place) = line.places.pop_front() {
            self.state.fetch_sub(ONE_WAITING, Ordering::AcqRel);
            let slot = Slot { gate: Some(Arc::clone(self)) };
            match place.call.send(slot) {
                Ok(()) => return,
                // Its owner is about to leave the line; the slot goes to the next one.
                Err(mut slot) => slot.gate = None,
            }
        }
        self.state.fetch_sub(1, Ordering::Release);
    }
}

/// Takes a waiting call out of the line when it stops waiting for whatever reason.
struct Leave<'a> {
    gate: &'a Arc<Gate>,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut line = self.gate.line();
        let found = line.places.binary_search_by_key(&self.ticket, |place| place.ticket);
        if let Ok(at) = found {
            line.places.remove(at);
            self.gate.state.fetch_sub(ONE_WAITING, Ordering::AcqRel);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave();
        }
    }
}

const ONE_WAITING: u64 = 1 << 32;

fn unpack(state: u64) -> Load {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    Load { running: half(state), waiting: half(state >> 32) }
}
