//! The time limits of a connection on one timer that is armed once, not once per request.
//!
//! The connection says what it is doing and counts its steps; a slow tick looks whether a step takes too long. A
//! limit is kept to within two ticks.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::strict::Verdict;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Waits for the first head.
    Fresh = 0,
    /// Waits for the next head, or for the client to read the rest of an answer.
    Waiting = 1,
    /// Reads a body.
    Body = 2,
    /// The gateway has the request or streams its answer; it keeps its own deadlines.
    Busy = 3,
}

/// What the parts of one connection tell its [`Ticker`] and each other. All of them run in the connection's task.
///
/// It is also the waker that hyper is polled with. Hyper wakes it from inside of its own poll only, when a body has been
/// taken over, and nearly always for nothing: that must not schedule the whole connection once more. What may be woken
/// from elsewhere (the socket, the gateway) is polled with the waker of the task.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    task: OnceLock<Waker>,
    wants_poll: AtomicBool,
    phase: AtomicU8,
    steps: AtomicU32,
    is_body_late: AtomicBool,
    is_stalled: AtomicBool,
    is_last: AtomicBool,
    is_refused: AtomicBool,
}

impl Wake for Pulse {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wants_poll.store(true, Ordering::Relaxed);
    }
}

impl Pulse {
    /// Notes the task of the connection, which never changes.
    pub(crate) fn beats_in(&self, cx: &Context<'_>) {
        self.task.get_or_init(|| cx.waker().clone());
    }

    /// Returns the waker of the task.
    pub(crate) fn task(&self) -> &Waker {
        self.task.get().unwrap_or(Waker::noop())
    }

    /// Tells whether hyper is to be polled once more.
    pub(crate) fn takes_poll(&self) -> bool {
        self.wants_poll.swap(false, Ordering::Relaxed)
    }

    /// Does something that wakes hyper although there is nothing left for it to do.
    pub(crate) fn unheard<T>(&self, work: impl FnOnce() -> (T, bool)) -> T {
        let did_want = self.wants_poll.load(Ordering::Relaxed);
        let (done, is_over) = work();
        if is_over && !did_want {
            self.wants_poll.store(false, Ordering::Relaxed);
        }
        done
    }

    /// Passes on what [`super::strict`] says about the bytes just read.
    pub(crate) fn judge(&self, verdict: Verdict) {
        match verdict {
            Verdict::Fine => {}
            Verdict::Last => self.is_last.store(true, Ordering::Relaxed),
            Verdict::Refused => self.is_refused.store(true, Ordering::Relaxed),
        }
    }

    /// Tells whether the connection must be closed after the request in hand.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last.load(Ordering::Relaxed)
    }

    /// Tells whether the request in hand, or one that came with it, is framed ambiguously.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.step();
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether the client took what was written. What got through is a step, so that a slow reader is told from
    /// a stuck one.
    pub(crate) fn wrote(&self, has_room: bool) {
        self.is_stalled.store(!has_room, Ordering::Relaxed);
        if has_room {
            self.step();
        }
    }

    pub(crate) fn is_body_late(&self) -> bool {
        self.is_body_late.load(Ordering::Relaxed)
    }

    /// Tells whether what arrives next is the beginning of a request.
    pub(crate) fn is_between_requests(&self) -> bool {
        matches!(self.phase(), Phase::Fresh | Phase::Waiting)
    }

    /// Tells whether the gateway has the request.
    pub(crate) fn is_busy(&self) -> bool {
        self.phase() == Phase::Busy
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Fresh,
            1 => Phase::Waiting,
            2 => Phase::Body,
            _ => Phase::Busy,
        }
    }
}

/// The limits of the phases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) body: Duration,
}

impl Limits {
    fn of(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Fresh => Some(self.head),
            Phase::Waiting => Some(self.idle),
            Phase::Body => Some(self.body),
            Phase::Busy => None,
        }
    }

    fn tick(&self) -> Duration {
        let shortest = self.head.min(self.idle).min(self.body);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(5))
    }
}

/// Watches the pulse of one connection.
#[derive(Debug)]
pub(crate) struct Ticker {
    pulse: Arc<Pulse>,
    limits: Limits,
    sleep: Pin<Box<Sleep>>,
    /// Whether the timer wakes the task: looking is cheaper than asking it again.
    is_set: bool,
    seen: (u32, Instant),
}

impl Ticker {
    pub(crate) fn new(pulse: Arc<Pulse>, limits: Limits) -> Self {
        Self { pulse, sleep: Box::pin(tokio::time::sleep(limits.tick())), limits, is_set: false, seen: (0, Instant::now()) }
    }

    /// Becomes ready when the connection must be closed. A late body is only marked: it is answered first.
    ///
    /// The task is noted once, for it never changes.
    pub(crate) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            self.sleep.as_mut().reset((now + self.limits.tick()).into());
            let steps = self.pulse.steps.load(Ordering::Relaxed);
            if steps != self.seen.0 {
                self.seen = (steps, now);
                continue;
            }
            let phase = if self.pulse.is_stalled.load(Ordering::Relaxed) { Phase::Waiting } else { self.pulse.phase() };
            let is_overdue = self.limits.of(phase).is_some_and(|limit| now.duration_since(self.seen.1) >= limit);
            match phase {
                Phase::Body if is_overdue => self.pulse.is_body_late.store(true, Ordering::Relaxed),
                Phase::Fresh | Phase::Waiting if is_overdue => return Poll::Ready(()),
                Phase::Fresh | Phase::Waiting | Phase::Body | Phase::Busy => {}
            }
        }
        self.is_set = true;
        Poll::Pending
    }
}
