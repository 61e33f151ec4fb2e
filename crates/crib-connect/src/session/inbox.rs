//! What comes back for one request, between the channel it arrives on and the call that waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crib_mcp::Ability;
use crib_model::limits::STREAM_QUEUE_MAX;
use crib_model::{Code, Fault};
use parking_lot::Mutex;

use super::link::{Answer, Ask};

/// What arrives for a call before its answer.
#[derive(Debug)]
pub(crate) enum Arrival {
    Said(crib_mcp::Notification),
    Asked(Ask),
    /// The server asked for something the client did not declare.
    Lacks(Ability),
}

/// What is in an inbox: first everything that arrived, then the answer.
pub(super) enum Mail {
    Arrival(Arrival),
    Answer(Answer),
}

/// The reader's end. Nothing is kept for a reader that is gone.
#[derive(Debug)]
pub(super) struct Inbox(Arc<Mutex<Held>>);

/// The writer's end. Dropped without an answer it leaves a fault as one.
#[derive(Debug)]
pub(super) struct Slip(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    arrivals: VecDeque<Arrival>,
    answer: Option<Answer>,
    is_answered: bool,
    is_abandoned: bool,
    reader: Option<Waker>,
}

/// Makes the two ends.
pub(super) fn inbox() -> (Slip, Inbox) {
    let held = Arc::new(Mutex::new(Held::default()));
    (Slip(Arc::clone(&held)), Inbox(held))
}

impl Inbox {
    /// Takes what is there, and wakes nobody for what comes from now on.
    pub(super) fn take(&self) -> Option<Mail> {
        let mut held = self.0.lock();
        held.reader = None;
        held.next()
    }

    /// Takes what is there, or waits.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Mail> {
        let mut held = self.0.lock();
        if let Some(mail) = held.next() {
            return Poll::Ready(mail);
        }
        held.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Slip {
    /// Adds something that arrived; gives it back when the reader is too slow or gone.
    pub(super) fn put(&self, arrival: Arrival) -> Result<(), Arrival> {
        let mut held = self.0.lock();
        if held.is_abandoned || held.arrivals.len() >= STREAM_QUEUE_MAX {
            return Err(arrival);
        }
        held.arrivals.push_back(arrival);
        wake(held);
        Ok(())
    }

    /// Leaves the answer. A caller that is gone needs none.
    pub(super) fn answer(self, answer: Answer) {
        self.leave(answer);
    }

    fn leave(&self, answer: Answer) {
        let mut held = self.0.lock();
        if !std::mem::replace(&mut held.is_answered, true) {
            held.answer = Some(answer);
            wake(held);
        }
    }
}

impl Held {
    fn next(&mut self) -> Option<Mail> {
        self.arrivals.pop_front().map(Mail::Arrival).or_else(|| self.answer.take().map(Mail::Answer))
    }
}

/// Wakes the reader outside of the lock.
fn wake(mut held: parking_lot::MutexGuard<'_, Held>) {
    let reader = held.reader.take();
    drop(held);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut held = self.0.lock();
        held.is_abandoned = true;
        held.reader = None;
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        let is_answered = self.0.lock().is_answered;
        if !is_answered {
            self.leave(Err(Fault::new(Code::Internal, "a call was forgotten")));
        }
    }
}
