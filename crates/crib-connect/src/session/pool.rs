//! The sessions of one legacy upstream: who may share one, who needs one alone, and when to start another.

mod end;
mod key;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{ClientCaps, Method};
use crib_model::{BoxFuture, Code, Fault, Forward, Principal, Slug};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::legacy::Session;
pub(crate) use key::Key;

/// Sessions for clients that cannot be asked; they differ only by exotic extensions.
const SHARED_MAX: usize = 4;
/// First pause after the second failed start in a row; it doubles up to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_LAST: Duration = Duration::from_secs(30);

/// Starts sessions.
pub(crate) trait Open: Send + Sync + 'static {
    fn open(&self, caps: &ClientCaps) -> BoxFuture<'static, Result<Arc<Session>, Fault>>;
}

/// Whether a call can share its session with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shared,
    Alone,
}

#[derive(Clone, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) slug: Slug,
    /// Sessions for clients that can be asked.
    pub(crate) interactive_max: usize,
    /// The channel does not tell which call a server's question belongs to.
    pub(crate) is_one_channel: bool,
    /// How long a session for a client that can be asked lives without a call.
    pub(crate) idle: Option<Duration>,
}

pub(crate) struct Pool {
    options: PoolOptions,
    opener: Arc<dyn Open>,
    inner: Mutex<Inner>,
    freed: Notify,
    tracker: TaskTracker,
    closing: CancellationToken,
}

#[derive(Default)]
struct Inner {
    members: Vec<Member>,
    numbers: u64,
    failures: u32,
    failed: Option<(Instant, Fault)>,
}

type Started = Option<Result<Arc<Session>, Fault>>;

struct Member {
    number: u64,
    key: Key,
    session: watch::Receiver<Started>,
    alone: bool,
    /// A call did not end in it: it hangs, and takes no more.
    spoilt: bool,
    in_use: usize,
    used: Instant,
}

/// The right to use a session; dropping it gives the place to the next.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    number: u64,
    mode: Mode,
}

/// What a call needs.
struct Wanted<'f> {
    key: Key,
    caps: Cow<'f, ClientCaps>,
    mode: Mode,
}

enum Place {
    Found(u64, watch::Receiver<Started>),
    Full,
    /// Starting failed a moment ago.
    Resting(Fault),
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(options: PoolOptions, opener: Arc<dyn Open>, tracker: TaskTracker) -> Arc<Self> {
        let closing = CancellationToken::new();
        Arc::new(Self { options, opener, inner: Mutex::default(), freed: Notify::new(), tracker, closing })
    }

    /// Finds or starts a session for a call.
    pub(crate) async fn take(self: &Arc<Self>, forward: &Forward) -> Result<(Arc<Session>, Lease), Fault> {
        let Wanted { key, caps, mode } = self.wanted(forward);
        let deadline = forward.deadline;
        loop {
            let (number, mut session) = self.wait_for_place(&key, &caps, mode, deadline).await?;
            let lease = Lease { pool: Arc::clone(self), number, mode };
            let slug = &self.options.slug;
            let late = || Fault::new(Code::DeadlineExceeded, format!("`{slug}` was not ready in time"));
            let started = tokio::time::timeout_at(deadline.into(), session.wait_for(Option::is_some)).await;
            let started = started.map_err(|_elapsed| late())?.map_err(|_closed| super::link::closed(slug))?.clone();
            match started {
                Some(Ok(session)) if session.link.is_over() => drop(lease),
                Some(Ok(session)) => return Ok((session, lease)),
                Some(Err(fault)) => return Err(fault),
                None => {}
            }
        }
    }

    /// Takes a session that has room and is open already, which is what most calls find.
    pub(crate) fn take_open(self: &Arc<Self>, forward: &Forward) -> Option<(Arc<Session>, Lease)> {
        let Wanted { key, caps, mode } = self.wanted(forward);
        let Place::Found(number, started) = self.place(&key, &caps, mode) else { return None };
        let lease = Lease { pool: Arc::clone(self), number, mode };
        let session = started.borrow().as_ref()?.as_ref().ok().map(Arc::clone)?;
        (!session.link.is_over()).then_some((session, lease))
    }

    fn wanted<'f>(&self, forward: &'f Forward) -> Wanted<'f> {
        let is_one_channel = self.options.is_one_channel;
        // Listening lasts, and must not hold a session that others wait for.
        let lasts = is_one_channel && forward.method == Method::Listen;
        let caps = if lasts { Cow::Owned(ClientCaps::none()) } else { Cow::Borrowed(&forward.client.caps) };
        let key = Key::of(&caps, &forward.principal);
        let is_alone = is_one_channel && forward.method.allows_input() && key.is_interactive();
        Wanted { key, caps, mode: if is_alone { Mode::Alone } else { Mode::Shared } }
    }

    async fn wait_for_place(
        self: &Arc<Self>,
        key: &Key,
        caps: &ClientCaps,
        mode: Mode,
        deadline: Instant,
    ) -> Result<(u64, watch::Receiver<Started>), Fault> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.place(key, caps, mode) {
                Place::Found(number, session) => return Ok((number, session)),
                Place::Resting(fault) => return Err(fault),
                Place::Full => {}
            }
            let slug = &self.options.slug;
            let busy = || Fault::new(Code::TooBusy, format!("all {} sessions of `{slug}` are busy", self.options.interactive_max));
            tokio::time::timeout_at(deadline.into(), freed).await.map_err(|_elapsed| busy())?;
        }
    }

    fn place(self: &Arc<Self>, key: &Key, caps: &ClientCaps, mode: Mode) -> Place {
        let mut inner = self.inner.lock();
        if self.closing.is_cancelled() {
            return Place::Resting(super::link::closed(&self.options.slug));
        }
        inner.members.retain(|member| !member.is_over());
        let fits = |member: &&mut Member| member.key == *key && !member.spoilt && (mode == Mode::Shared || !member.alone);
        if let Some(member) = inner.members.iter_mut().find(fits) {
            member.enter(mode);
            return Place::Found(member.number, member.session.clone());
        }
        if let Some(fault) = inner.resting() {
            return Place::Resting(fault);
        }
        let is_interactive = key.is_interactive();
        let max = if is_interactive { self.options.interactive_max.max(1) } else { SHARED_MAX };
        let same_kind = |member: &&Member| member.key.is_interactive() == is_interactive;
        if inner.members.iter().filter(same_kind).count() >= max {
            let idle = inner.members.iter().filter(same_kind).filter(|member| member.in_use == 0);
            let Some(number) = idle.min_by_key(|member| member.used).map(|member| member.number) else { return Place::Full };
            self.evict(&mut inner, number);
        }
        self.start(&mut inner, key, caps, mode)
    }

    fn start(self: &Arc<Self>, inner: &mut Inner, key: &Key, caps: &ClientCaps, mode: Mode) -> Place {
        let (publish, session) = watch::channel(None);
        inner.numbers += 1;
        let number = inner.numbers;
        let mut member = Member::new(number, key.clone(), session.clone());
        member.enter(mode);
        self.look_after(&member);
        inner.members.push(member);
        // The start belongs to all who wait for it, so it outlives the call that caused it.
        let pool = Arc::clone(self);
        let opening = self.opener.open(caps);
        self.tracker.spawn(async move {
            let started = tokio::select! {
                started = opening => started,
                () = pool.closing.cancelled() => Err(super::link::closed(&pool.options.slug)),
            };
            pool.note(number, started.as_ref().err());
            publish.send_replace(Some(started));
        });
        Place::Found(number, session)
    }

    /// Takes a session in that was started elsewhere.
    pub(crate) fn adopt(self: &Arc<Self>, session: Arc<Session>, caps: &ClientCaps, principal: &Principal) {
        let (_, session) = watch::channel(Some(Ok(session)));
        let mut inner = self.inner.lock();
        inner.numbers += 1;
        let (number, key) = (inner.numbers, Key::of(caps, principal));
        let member = Member::new(number, key, session);
        self.look_after(&member);
        inner.members.push(member);
    }

    /// Stops a session for a client that can be asked when it was not used for a while.
    fn look_after(self: &Arc<Self>, member: &Member) {
        let Some(idle) = self.options.idle.filter(|_| member.key.is_interactive()) else { return };
        let (pool, number) = (Arc::clone(self), member.number);
        self.tracker.spawn(async move {
            let (mut wait, mut asked) = (idle, None);
            loop {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = pool.closing.cancelled() => return,
                }
                match pool.still_needed(number, idle, &mut asked) {
                    Some(rest) => wait = rest,
                    None => return,
                }
            }
        });
    }

    /// Says when to look at a session again, and ends it if nobody used it; tasks are asked for without a lease.
    fn still_needed(&self, number: u64, idle: Duration, asked: &mut Option<u64>) -> Option<Duration> {
        let mut inner = self.inner.lock();
        let member = inner.members.iter().find(|member| member.number == number)?;
        let session = member.session.borrow().as_ref().and_then(|started| started.as_ref().ok().cloned());
        if session.as_ref().is_some_and(|session| session.link.is_over()) {
            return None;
        }
        let count = session.map(|session| session.link.sent());
        let rest = idle.saturating_sub(member.used.elapsed());
        if member.in_use > 0 || std::mem::replace(asked, count) != count {
            return Some(idle);
        }
        if rest > Duration::ZERO {
            return Some(rest);
        }
        tracing::debug!(upstream = %self.options.slug, seconds = idle.as_secs(), "a process that was not used is stopped");
        self.evict(&mut inner, number);
        None
    }

    /// Notes how a start elsewhere ended.
    pub(crate) fn note_start(&self, fault: Option<&Fault>) {
        self.note(0, fault);
    }

    /// Returns why nothing is started just now.
    pub(crate) fn resting(&self) -> Option<Fault> {
        self.inner.lock().resting()
    }

    fn note(&self, number: u64, fault: Option<&Fault>) {
        let mut inner = self.inner.lock();
        match fault {
            None => (inner.failures, inner.failed) = (0, None),
            Some(fault) => {
                inner.failures = inner.failures.saturating_add(1);
                inner.failed = Some((Instant::now(), fault.clone()));
                inner.members.retain(|member| member.number != number);
            }
        }
        drop(inner);
        self.freed.notify_waiters();
    }

    fn evict(&self, inner: &mut Inner, number: u64) {
        let Some(at) = inner.members.iter().position(|member| member.number == number) else { return };
        let member = inner.members.swap_remove(at);
        if let Some(Ok(session)) = &*member.session.borrow() {
            self.tracker.spawn(session.close());
        }
    }

    fn leave(&self, number: u64, mode: Mode) {
        let mut inner = self.inner.lock();
        if let Some(member) = inner.members.iter_mut().find(|member| member.number == number) {
            member.in_use = member.in_use.saturating_sub(1);
            member.alone = member.alone && mode != Mode::Alone;
            member.used = Instant::now();
        }
        if inner.members.iter().any(|member| member.number == number && member.spoilt && member.in_use == 0) {
            self.evict(&mut inner, number);
        }
        drop(inner);
        self.freed.notify_waiters();
    }

    fn spoil(&self, number: u64) {
        if let Some(member) = self.inner.lock().members.iter_mut().find(|member| member.number == number) {
            member.spoilt = true;
        }
    }

    /// Returns the sessions that are up.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        let inner = self.inner.lock();
        let started = inner.members.iter().filter_map(|member| member.session.borrow().as_ref()?.as_ref().ok().cloned());
        started.filter(|session| !session.link.is_over()).collect()
    }

    /// Returns why the last start failed, if nothing has been started since.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.inner.lock().failed.as_ref().map(|(_, fault)| fault.clone())
    }
}

impl Inner {
    /// One failed start may be an accident; after that, callers are told at once for a while.
    fn resting(&self) -> Option<Fault> {
        let (at, fault) = self.failed.as_ref()?;
        let doublings = self.failures.checked_sub(2)?.min(10);
        let pause = (BACKOFF_FIRST * 2u32.pow(doublings)).min(BACKOFF_LAST);
        (at.elapsed() < pause).then(|| fault.clone())
    }
}

impl Member {
    fn new(number: u64, key: Key, session: watch::Receiver<Started>) -> Self {
        Self { number, key, session, alone: false, spoilt: false, in_use: 0, used: Instant::now() }
    }

    fn enter(&mut self, mode: Mode) {
        self.in_use += 1;
        self.alone |= mode == Mode::Alone;
        self.used = Instant::now();
    }

    fn is_over(&self) -> bool {
        matches!(&*self.session.borrow(), Some(Ok(session)) if session.link.is_over())
    }
}

impl Lease {
    /// A call ran out of time in a session of its own, which may hang: the next call gets another.
    pub(crate) fn spoil(&self) {
        if self.mode == Mode::Alone {
            self.pool.spoil(self.number);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.leave(self.number, self.mode);
    }
}
