//! Everything a call depends on, immutable and swapped whole: servers, keys, rules, names and the catalogue.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crib_mcp::{CapSet, ClientCaps};
use crib_model::{Scope, Slug, Upstream, limits};
use crib_policy::{Keys, Rules};
use crib_registry::NameStyle;
use crib_registry::pins::Pins;
use foldhash::fast::RandomState;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask;
use crate::source::{Behind, Offer, Source};
use crate::view::{View, Waited};

/// How long a first list waits for one more server to come up, once there is one; later ones come with `list_changed`.
///
/// The wait begins anew with each server that comes: a slow machine starts them one after the other, and a list without
/// half of them would be all that a client ever sees that does not heed `list_changed`. A server that hangs is waited
/// for once and not longer than this. Where no server is there at all, an empty list helps nobody, so the wait goes on
/// for as long as a start may take.
const FIRST_WAIT: Duration = Duration::from_secs(8);
/// How much longer a request waits for a server than the server may take to start.
const START_MARGIN: Duration = Duration::from_secs(2);
/// How often somebody looks whether something was approved.
const LOOK: Duration = Duration::from_secs(1);

/// One server of the configuration.
#[expect(missing_debug_implementations, reason = "holds a port")]
#[derive(Clone)]
pub struct Server {
    pub slug: Slug,
    pub upstream: Arc<dyn Upstream>,
}

/// What the configuration says about the data plane.
#[expect(missing_debug_implementations, reason = "holds ports")]
pub struct Setup {
    pub servers: Vec<Server>,
    pub names: NameStyle,
    pub keys: Keys,
    pub rules: Rules,
    pub call_timeout: Duration,
    /// Entries of one page of a list.
    pub page_size: usize,
    /// How long a legacy session lives without a request.
    pub session_idle: Duration,
    /// How long a client may take to answer a question.
    pub input_timeout: Duration,
    /// What is trusted of the servers' tools; [`crib_registry::pins::Unpinned`] where nothing is compared.
    pub pins: Arc<dyn Pins>,
}

/// One state of the configuration and all that was learned under it.
pub(crate) struct Snapshot {
    pub(crate) setup: Setup,
    by_slug: HashMap<Slug, usize, RandomState>,
    views: ArcSwap<HashMap<(CapSet, Scope), Arc<View>, RandomState>>,
    sources: Mutex<HashMap<(Slug, CapSet), Source>>,
    /// What the snapshot before this one knew of servers that are the same: those that sleep are not woken for a reload.
    known: Mutex<HashMap<(Slug, CapSet), Arc<Offer>>>,
    /// One builder at a time, so that the newest lists win.
    building: Mutex<()>,
    tracker: TaskTracker,
    /// Where lists are read: not among the connections, whoever asks for them first.
    runtime: Handle,
    stop: CancellationToken,
    /// Ends with `stop`, or before it when only subscriptions have to end.
    unsubscribed: CancellationToken,
    me: Weak<Self>,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Snapshot {
    pub(crate) fn new(setup: Setup, tracker: TaskTracker, runtime: Handle) -> Arc<Self> {
        let by_slug = setup.servers.iter().enumerate().map(|(at, server)| (server.slug.clone(), at)).collect();
        let stop = CancellationToken::new();
        let snapshot = Arc::new_cyclic(|me| Self {
            setup,
            by_slug,
            views: ArcSwap::default(),
            sources: Mutex::default(),
            known: Mutex::default(),
            building: Mutex::default(),
            tracker,
            runtime,
            unsubscribed: stop.child_token(),
            stop,
            me: Weak::clone(me),
        });
        snapshot.tracker.spawn(watch_approvals(Arc::downgrade(&snapshot), Arc::clone(&snapshot.setup.pins), snapshot.stop.clone()));
        snapshot
    }

    /// Makes the snapshot that comes after this one.
    pub(crate) fn next(&self, setup: Setup) -> Arc<Self> {
        let next = Self::new(setup, self.tracker.clone(), self.runtime.clone());
        let is_same = |slug: &Slug| {
            let both = self.server(slug).zip(next.server(slug));
            both.is_some_and(|(old, new)| Arc::ptr_eq(&old.upstream, &new.upstream))
        };
        let sources = self.sources.lock();
        let known = sources.iter().filter(|((slug, _), _)| is_same(slug)).filter_map(|(key, source)| Some((key.clone(), source.offer()?)));
        *next.known.lock() = known.filter(|(_, offer)| offer.fault.is_none()).collect();
        drop(sources);
        next
    }

    /// Returns what ends when this snapshot was replaced and nobody uses it any more.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Returns what ends when subscriptions of clients have to end.
    pub(crate) fn unsubscribed(&self) -> CancellationToken {
        self.unsubscribed.clone()
    }

    /// Ends the subscriptions of clients; everything else goes on.
    pub(crate) fn end_subscriptions(&self) {
        self.unsubscribed.cancel();
    }

    /// Ends what runs for this snapshot; calls under way keep theirs.
    pub(crate) fn retire(&self) {
        self.stop.cancel();
    }

    pub(crate) fn server(&self, slug: &Slug) -> Option<&Server> {
        self.setup.servers.get(*self.by_slug.get(slug)?)
    }

    /// Returns the servers an endpoint serves; `None` for an endpoint that does not exist.
    pub(crate) fn in_scope(&self, scope: &Scope) -> Option<&[Server]> {
        match scope {
            Scope::All => Some(&self.setup.servers),
            Scope::One(slug) => self.by_slug.get(slug).map(|at| self.setup.servers.get(*at..=*at).unwrap_or_default()),
        }
    }

    /// Tells whether an endpoint shows one server under its own names.
    pub(crate) fn is_plain(&self, scope: &Scope) -> bool {
        matches!(scope, Scope::One(_)) || (self.setup.names == NameStyle::Plain && self.setup.servers.len() == 1)
    }

    /// Returns the catalogue for clients with these capabilities, read first if nobody asked for it yet.
    pub(crate) async fn view(&self, scope: &Scope, caps: &ClientCaps) -> Arc<View> {
        if let Some(view) = self.known_view(scope, caps.set).filter(|view| view.is_settled) {
            return view;
        }
        let sources = self.sources(scope, caps);
        self.first_offers(&sources).await;
        self.rebuild(scope, caps.set, Waited::ForAll)
    }

    /// The same, for who asks what there is and not for lists: many clients give a handshake but a few seconds. For one
    /// server they would wait themselves.
    pub(crate) async fn view_soon(&self, scope: &Scope, caps: &ClientCaps) -> Arc<View> {
        if self.in_scope(scope).is_some_and(|servers| servers.len() == 1) {
            return self.view(scope, caps).await;
        }
        let view = tokio::time::timeout(FIRST_WAIT, self.view(scope, caps)).await;
        view.unwrap_or_else(|_elapsed| self.rebuild(scope, caps.set, Waited::ForSome))
    }

    /// Waits until every source was heard of, or as long as that is worth it.
    async fn first_offers(&self, sources: &[(Slug, Source)]) {
        let is_missing = |source: &&Source| source.offer().is_none();
        let mut missing: FuturesUnordered<_> =
            sources.iter().map(|(_, source)| source).filter(is_missing).map(|source| source.first_offer(self.start_wait())).collect();
        let has_listed = |offer: &Option<Arc<Offer>>| offer.as_ref().is_some_and(|offer| offer.fault.is_none());
        let mut is_any_there = sources.iter().any(|(_, source)| has_listed(&source.offer()));
        let Some(begun) = sources.iter().map(|(_, source)| source.begun).max() else { return };
        let last = begun + self.start_wait();
        let mut pause_ends = begun + FIRST_WAIT;
        loop {
            let until = if is_any_there { last.min(pause_ends) } else { last };
            match tokio::time::timeout_at(until, missing.next()).await {
                Ok(Some(offer)) => {
                    is_any_there |= has_listed(&offer);
                    pause_ends = tokio::time::Instant::now() + FIRST_WAIT;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// How long a request may wait for a server to start: a little longer than the server has for it, whose failure is
    /// what is to be told.
    fn start_wait(&self) -> Duration {
        (limits::START_TIMEOUT + START_MARGIN).min(self.setup.call_timeout)
    }

    /// Returns the catalogue once a server was heard of, or waited for long enough. Nobody waits for the others.
    pub(crate) async fn view_with(&self, scope: &Scope, caps: &ClientCaps, slug: &Slug) -> Arc<View> {
        if let Some(view) = self.known_view(scope, caps.set).filter(|view| view.has_heard_of(slug)) {
            return view;
        }
        let sources = self.sources(scope, caps);
        if let Some((_, source)) = sources.iter().find(|(known, _)| known == slug) {
            source.first_offer(self.start_wait()).await;
        }
        self.rebuild(scope, caps.set, Waited::ForSome)
    }

    /// Returns a catalogue that is good enough to find one thing by its exposed name: when the name says which server
    /// it is of, nobody waits for the others to start.
    pub(crate) async fn view_for(&self, scope: &Scope, caps: &ClientCaps, asked: &str) -> Arc<View> {
        let known = self.known_view(scope, caps.set);
        if let Some(view) = known.filter(|view| view.is_settled || view.has(asked)) {
            return view;
        }
        let named = |slug: &Slug| {
            let text = slug.as_str();
            let rest = asked.get(text.len()..).filter(|_| asked.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text)));
            rest.is_some_and(|rest| rest.starts_with(['_', '.', '-', '/', '+']))
        };
        if let Some(server) = self.in_scope(scope).unwrap_or_default().iter().find(|server| named(&server.slug)) {
            let view = self.view_with(scope, caps, &server.slug).await;
            if view.has(asked) {
                return view;
            }
        }
        self.view(scope, caps).await
    }

    pub(crate) fn known_view(&self, scope: &Scope, set: CapSet) -> Option<Arc<View>> {
        // The key is built on the stack except for the slug's reference count.
        self.views.load().get(&(set, scope.clone())).map(Arc::clone)
    }

    /// Returns the sources behind an endpoint for clients with these capabilities, started if need be.
    pub(crate) fn sources(&self, scope: &Scope, caps: &ClientCaps) -> Vec<(Slug, Source)> {
        let mut sources = self.sources.lock();
        self.evict(&mut sources, caps.set);
        let servers = self.in_scope(scope).unwrap_or_default();
        servers
            .iter()
            .map(|server| {
                let key = (server.slug.clone(), caps.set);
                let source = sources.entry(key).or_insert_with(|| self.start(server, caps));
                (server.slug.clone(), source.clone())
            })
            .collect()
    }

    fn start(&self, server: &Server, caps: &ClientCaps) -> Source {
        let me = Weak::clone(&self.me);
        let (slug, set) = (server.slug.clone(), caps.set);
        let on_offer = Arc::new(move || {
            if let Some(snapshot) = me.upgrade() {
                snapshot.offered(&slug, set);
            }
        });
        let client = ask::gateway_client(caps.clone());
        let upstream = Arc::clone(&server.upstream);
        let known = self.known.lock().remove(&(server.slug.clone(), set));
        let behind = Behind { slug: server.slug.clone(), upstream, client, pins: Arc::clone(&self.setup.pins), known };
        let (source, task) = Source::new(behind, on_offer, self.stop.child_token());
        self.tracker.spawn_on(task, &self.runtime);
        source
    }

    /// Forgets the capabilities seen longest ago when there are too many kinds of clients.
    fn evict(&self, sources: &mut HashMap<(Slug, CapSet), Source>, keep: CapSet) {
        if sources.len() < limits::VIEWS_MAX * self.setup.servers.len().max(1) {
            return;
        }
        let Some(gone) = sources.keys().map(|(_, set)| *set).find(|set| *set != keep) else { return };
        sources.retain(|(_, set), _| *set != gone);
        self.views.rcu(|views| {
            let mut views = HashMap::clone(views);
            views.retain(|(set, _), _| *set != gone);
            views
        });
    }

    /// Rebuilds the views that show a server whose lists changed.
    fn offered(&self, slug: &Slug, set: CapSet) {
        let views = self.views.load();
        let shows = |scope: &Scope| *scope == Scope::All || *scope == Scope::One(slug.clone());
        let scopes: Vec<Scope> = views.keys().filter(|(s, scope)| *s == set && shows(scope)).map(|(_, scope)| scope.clone()).collect();
        for scope in scopes {
            self.rebuild(&scope, set, Waited::ForSome);
        }
    }

    fn rebuild(&self, scope: &Scope, set: CapSet, waited: Waited) -> Arc<View> {
        let _one_at_a_time = self.building.lock();
        let was_settled = self.known_view(scope, set).is_some_and(|view| view.is_settled);
        let offers: Vec<(Slug, Option<Arc<Offer>>)> = {
            let sources = self.sources.lock();
            let servers = self.in_scope(scope).unwrap_or_default();
            let offer = |slug: &Slug| sources.get(&(slug.clone(), set)).and_then(Source::offer);
            servers.iter().map(|server| (server.slug.clone(), offer(&server.slug))).collect()
        };
        let style = if self.is_plain(scope) { NameStyle::Plain } else { self.setup.names.clone() };
        let view = Arc::new(View::build(offers, &style, self.is_plain(scope), if was_settled { Waited::ForAll } else { waited }));
        self.views.rcu(|views| {
            let mut views = HashMap::clone(views);
            views.insert((set, scope.clone()), Arc::clone(&view));
            views
        });
        view
    }

    /// Asks for lists to be read again where they could be old.
    pub(crate) fn refresh_if_stale(&self, scope: &Scope, set: CapSet, now: Instant) {
        let sources = self.sources.lock();
        for server in self.in_scope(scope).unwrap_or_default() {
            if let Some(source) = sources.get(&(server.slug.clone(), set)) {
                source.refresh_if_stale(now);
            }
        }
    }

    pub(crate) fn source(&self, slug: &Slug, set: CapSet) -> Option<Source> {
        self.sources.lock().get(&(slug.clone(), set)).cloned()
    }
}

/// Has all lists judged anew whenever something was approved.
async fn watch_approvals(snapshot: Weak<Snapshot>, pins: Arc<dyn Pins>, stop: CancellationToken) {
    let mut known = None;
    loop {
        let pins = Arc::clone(&pins);
        // It may look at a disk. A runtime that is going down has nothing to look for.
        let Ok(edition) = tokio::task::spawn_blocking(move || pins.edition()).await else { return };
        if known.replace(edition).is_some_and(|known| known != edition) {
            let Some(snapshot) = snapshot.upgrade() else { return };
            let sources: Vec<Source> = snapshot.sources.lock().values().cloned().collect();
            drop(snapshot);
            for source in sources {
                source.judge().await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
