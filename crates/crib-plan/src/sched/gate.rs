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

/// How joining the line went.
enum Joined {
    Waiting { ticket: u64, called: oneshot::Receiver<Slot> },
    Entered(Slot),
    Full,
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
        let (ticket, mut called) = match self.join() {
            Joined::Waiting { ticket, called } => (ticket, called),
            Joined::Entered(slot) => return Wait::Entered(slot),
            Joined::Full => return Wait::Full,
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

    fn join(self: &Arc<Self>) -> Joined {
        let mut line = self.line();
        loop {
            if let Some(slot) = self.try_enter() {
                return Joined::Entered(slot);
            }
            let state = self.state.load(Ordering::Acquire);
            let load = unpack(state);
            if load.waiting == 0 && load.running < self.width.calls {
                continue;
            }
            if load.waiting >= self.width.waiting {
                return Joined::Full;
            }
            // Joins only if nothing has changed since it was seen that there is no room: a slot that ends later finds
            // this call waiting, one that ended before makes the exchange fail.
            let joined = self.state.compare_exchange(state, state + ONE_WAITING, Ordering::AcqRel, Ordering::Relaxed);
            if joined.is_ok() {
                break;
            }
        }
        let (call, called) = oneshot::channel();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.places.push_back(Place { ticket, call });
        Joined::Waiting { ticket, called }
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
