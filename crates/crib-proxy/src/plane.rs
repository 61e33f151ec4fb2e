//! The data plane: one instance's snapshot, sessions and seals, and the way in for every front.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use crib_mcp::{Json, Payload, meta};
use crib_model::{
    Answer, BoxFuture, Clock, Connection, Elsewhere, Entropy, Fault, Gateway, Inbound, Ledger, Principal, Scope, TraceContext,
};
use crib_plan::sched::{Admission, Width};
use crib_policy::Seal;
use http::HeaderMap;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask;
use crate::clients::Clients;
use crate::inbound;
use crate::lines::Lines;
use crate::session::Sessions;
use crate::settle::Ticket;
use crate::snapshot::{Setup, Snapshot};

const TICK: Duration = Duration::from_millis(500);
/// Idle sessions are looked for this often.
const SWEEP_TICKS: u64 = 60;
/// After this long without a word a request of a legacy client gets a stream.
const QUIET_MS: u64 = 1000;

/// What the data plane needs from outside.
#[expect(missing_debug_implementations, reason = "holds ports")]
pub struct Parts {
    pub setup: Setup,
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub seal: Seal,
    /// The other replicas, where there are any.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// The data plane.
pub struct Plane {
    snapshot: ArcSwap<Snapshot>,
    pub(crate) admission: ArcSwap<Admission>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) seal: Seal,
    pub(crate) elsewhere: Option<Arc<dyn Elsewhere>>,
    pub(crate) clients: Clients,
    pub(crate) sessions: Sessions,
    pub(crate) lines: Lines,
    pub(crate) tracker: TaskTracker,
    /// The gateway's `Implementation`.
    pub(crate) info: Json,
    stop: CancellationToken,
    started: std::time::Instant,
    me: std::sync::Weak<Self>,
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plane").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

impl Plane {
    /// Builds the data plane. Nothing is started before the first call. Needs a tokio runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        let admission = Admission::new(widths(&parts.setup));
        let started = parts.clock.now();
        let plane = Arc::new_cyclic(|me| Self {
            snapshot: ArcSwap::new(Snapshot::new(parts.setup, tracker.clone(), Handle::current())),
            admission: ArcSwap::from_pointee(admission),
            ledger: parts.ledger,
            clock: parts.clock,
            entropy: parts.entropy,
            seal: parts.seal,
            elsewhere: parts.elsewhere,
            clients: Clients::default(),
            sessions: Sessions::new(),
            lines: Lines::default(),
            tracker: tracker.clone(),
            info: ask::gateway_info(),
            stop: stop.clone(),
            started,
            me: std::sync::Weak::clone(me),
        });
        let me = Arc::downgrade(&plane);
        tracker.spawn(async move {
            let mut ticks = 0;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(TICK) => {}
                }
                let Some(plane) = me.upgrade() else { return };
                let now_ms = plane.now_ms();
                if plane.sessions.len() > 0 {
                    plane.sessions.prime(now_ms.saturating_sub(QUIET_MS));
                }
                ticks += 1;
                if ticks % SWEEP_TICKS == 0 {
                    plane.sessions.sweep(now_ms, plane.snapshot().setup.session_idle);
                }
            }
        });
        plane
    }

    /// Replaces the configuration. Calls under way keep the one they started with.
    pub fn swap(&self, setup: Setup) {
        let admission = self.admission.load().renew(widths(&setup));
        self.admission.store(Arc::new(admission));
        let next = self.snapshot().next(setup);
        self.snapshot.swap(next).retire();
    }

    /// Ends sessions and background work, closes all upstreams, and waits for it.
    pub async fn close(&self) {
        self.stop.cancel();
        self.sessions.clear();
        self.lines.clear();
        let snapshot = self.snapshot();
        snapshot.retire();
        futures_util::future::join_all(snapshot.setup.servers.iter().map(|server| server.upstream.close())).await;
        self.tracker.close();
        // Calls of clients that are gone may still wait for something; they have had their time.
        drop(tokio::time::timeout(crib_model::limits::STOP_GRACE, self.tracker.wait()).await);
    }

    /// Checks who is calling.
    ///
    /// # Errors
    /// There are keys and none was given, or a wrong one.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Fault> {
        self.snapshot.load().setup.keys.authenticate(headers)
    }

    /// Counts the sessions of legacy clients, over whatever carries them.
    pub fn session_count(&self) -> usize {
        self.sessions.len() + self.lines.session_count()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn shared(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn touch(&self, session: &crate::session::Session) {
        session.used_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Continues the client's trace, where traces are recorded; otherwise its context passes through untouched, and what
    /// comes without one gets one where entries name it.
    pub(crate) fn trace(&self, params: &Payload, ticket: &mut Ticket) -> Option<TraceContext> {
        if !self.ledger.names_traces() {
            return None;
        }
        let parent = params.meta(meta::TRACEPARENT);
        let parent = parent.as_ref().and_then(Json::as_text).and_then(|text| TraceContext::parse(&text));
        if !self.ledger.traces()
            && let Some(parent) = parent
        {
            // The span of this call would be seen by nobody, so it must not stand between those of others.
            ticket.traced(Some(parent), None);
            return None;
        }
        let random = self.entropy.u128();
        let span_id = u64::try_from(random & u128::from(u64::MAX)).unwrap_or(1).max(1);
        let trace = match parent {
            Some(parent) => TraceContext { span_id, ..parent },
            None => {
                let trace_id = self.entropy.u128().max(1);
                TraceContext { trace_id, span_id, is_sampled: self.ledger.samples(trace_id) }
            }
        };
        ticket.traced(Some(trace), parent.map(|parent| parent.span_id));
        Some(trace)
    }

    /// Reads the lists of all servers ahead, for clients without capabilities.
    pub fn warm(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        self.tracker.spawn(async move {
            snapshot.view(&Scope::All, &crib_mcp::ClientCaps::none()).await;
        });
    }
}

fn widths(setup: &Setup) -> Vec<(crib_model::Slug, Width)> {
    setup.servers.iter().map(|server| (server.slug.clone(), Width::default())).collect()
}

impl Gateway for Plane {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer> {
        match self.shared() {
            Some(plane) => inbound::receive(plane, inbound),
            None => inbound::at_once(Answer::empty(503)),
        }
    }

    fn draining(&self) {
        self.snapshot.load().end_subscriptions();
    }

    fn closed(&self, connection: Connection) {
        self.lines.close(&crate::lines::LineKey::Connection(connection));
    }
}
