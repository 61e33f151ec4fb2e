//! How long a server has had nothing to do: what is in hand, when something was, and whether it was put to sleep.
//!
//! A call is in hand before anybody looks for a process to take it, and a process is taken away only while nothing is in
//! hand: so no call meets a process that is about to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crib_mcp::Method;
use crib_model::{Forward, Outcome, Reply, Step};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::session::call::member;

/// A server that reads its lists one after the other is not stopped between two of them.
const BREATH: Duration = Duration::from_secs(1);
/// How long a task may go on that does not say how long it lives.
const TASK_TTL: Duration = Duration::from_secs(60 * 60);
/// No task keeps a server awake for longer.
const TASK_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often what is busy is looked at again, at least.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What a server has to do.
#[derive(Debug)]
pub(super) struct Idle {
    /// How long it lives without anything to do.
    keep: Duration,
    born: Instant,
    busy: AtomicUsize,
    /// When somebody wanted something of it last, in milliseconds since `born`.
    used: AtomicU64,
    /// The same, with what the gateway itself wanted.
    heard: AtomicU64,
    /// Until when a task may go on in it.
    owes: AtomicU64,
    has_keeper: AtomicBool,
    asleep: watch::Sender<bool>,
    closing: CancellationToken,
}

/// Something in hand, until it is dropped.
#[derive(Debug)]
pub(super) struct Stay {
    idle: Arc<Idle>,
    kind: Kind,
}

/// What somebody wants of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is used.
    Use,
    /// Its lists are read, by the gateway.
    List,
    /// The gateway wants to hear when its lists change.
    Listen,
}

/// What the gateway asks for everybody: lists are answered from what it knows.
const LISTS: &[Method] =
    &[Method::Discover, Method::ToolsList, Method::PromptsList, Method::ResourcesList, Method::ResourcesTemplatesList, Method::SkillsList];

impl Kind {
    fn of(forward: &Forward) -> Self {
        if forward.method == Method::Listen {
            let filter = member(&forward.params, "notifications").unwrap_or_default();
            let is_watched = ["resourceSubscriptions", "taskIds"].iter().any(|name| filter.object.has(name));
            return if is_watched { Self::Use } else { Self::Listen };
        }
        if LISTS.contains(&forward.method) { Self::List } else { Self::Use }
    }
}

// === impl Idle ===

impl Idle {
    pub(super) fn new(keep: Duration) -> Arc<Self> {
        Arc::new(Self {
            keep,
            born: Instant::now(),
            busy: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            owes: AtomicU64::new(0),
            has_keeper: AtomicBool::new(false),
            asleep: watch::channel(false).0,
            closing: CancellationToken::new(),
        })
    }

    /// Takes a call in hand.
    pub(super) fn enter(self: &Arc<Self>, forward: &Forward) -> Stay {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Stay { idle: Arc::clone(self), kind: Kind::of(forward) }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }

    /// Says how long to wait before looking again; nothing when it is time to end the server.
    pub(super) fn rest(&self) -> Option<Duration> {
        if self.is_busy() {
            return Some(self.pause());
        }
        let (now, keep) = (self.now_ms(), millis(self.keep));
        let ends = [
            self.used.load(Ordering::Relaxed) + keep,
            self.heard.load(Ordering::Relaxed) + millis(BREATH),
            self.owes.load(Ordering::Relaxed),
        ];
        let end = ends.into_iter().max().unwrap_or(now);
        (end > now).then(|| Duration::from_millis(end - now))
    }

    /// Returns how long to wait for what is in hand.
    pub(super) fn pause(&self) -> Duration {
        self.keep.clamp(BREATH, LOOK_MAX)
    }

    /// Tells the first who asks to look after the server.
    pub(super) fn wants_keeper(&self) -> bool {
        !self.has_keeper.load(Ordering::Relaxed) && !self.has_keeper.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_asleep(&self) -> bool {
        *self.asleep.borrow()
    }

    pub(super) fn fall_asleep(&self) {
        self.asleep.send_replace(true);
    }

    pub(super) fn wake(&self) {
        if self.is_asleep() {
            self.asleep.send_replace(false);
        }
    }

    /// Resolves when it does not sleep, or never will again.
    pub(super) async fn woken(&self) {
        let mut asleep = self.asleep.subscribe();
        tokio::select! {
            // The sender is here, so it cannot be gone.
            woken = asleep.wait_for(|asleep| !asleep) => drop(woken),
            () = self.closing.cancelled() => {}
        }
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    fn now_ms(&self) -> u64 {
        millis(self.born.elapsed())
    }

    /// Takes note of how a call ended: a task goes on behind it.
    fn see(&self, outcome: &Outcome) {
        if let Outcome::Task(task, _) = outcome {
            let ttl = task.object.u64("ttlMs").map_or(TASK_TTL, Duration::from_millis).min(TASK_TTL_MAX);
            self.owes.fetch_max(self.now_ms() + millis(ttl), Ordering::Relaxed);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX / 4)
}

// === impl Stay ===

impl Stay {
    /// Stays for as long as the reply goes on.
    pub(super) fn follow(self, reply: Reply) -> Reply {
        match reply {
            Reply::Done(outcome) => {
                self.idle.see(&outcome);
                Reply::Done(outcome)
            }
            // Who only wants to hear of changes does not keep a server from sleeping.
            Reply::Stream(steps) if self.kind == Kind::Listen => Reply::Stream(steps),
            Reply::Stream(steps) => Reply::Stream(Box::pin(steps.inspect(move |step| {
                if let Step::Done(Ok(outcome)) = step {
                    self.idle.see(outcome);
                }
            }))),
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let now = self.idle.now_ms();
        self.idle.heard.fetch_max(now, Ordering::Relaxed);
        if self.kind == Kind::Use {
            self.idle.used.fetch_max(now, Ordering::Relaxed);
        }
        self.idle.busy.fetch_sub(1, Ordering::SeqCst);
    }
}
