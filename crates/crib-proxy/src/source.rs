//! One upstream as clients with one set of capabilities see it: its lists, kept fresh, and its changes.
//!
//! A source is a task. It alone reads the lists, so the list that was asked for last is the one that stays; it alone
//! subscribes, so that many clients watching one resource cost the upstream one subscription. When the set of watched
//! resources changes it opens the new subscription, waits for its acknowledgement and only then drops the old one.

mod task;
mod watched;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use crib_mcp::Payload;
use crib_model::{Client, Fault, Slug, Upstream, limits};
use crib_registry::pins::{INSTRUCTIONS, Pins, Verdict};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::ask::Pages;
use task::Task;
use watched::Watched;

/// How long a subscription may take to be acknowledged.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Lists of an upstream that announces no changes are read again after this, when somebody asks.
const STALE: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_secs(1);

/// What an upstream offers to clients with one set of capabilities.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) discover: Payload,
    pub(crate) tools: Pages,
    pub(crate) prompts: Pages,
    pub(crate) resources: Pages,
    pub(crate) templates: Pages,
    pub(crate) skills: Pages,
    /// What of the tools is held back.
    pub(crate) verdict: Verdict,
    pub(crate) fault: Option<Fault>,
    pub(crate) read_at: Option<Instant>,
}

impl Offer {
    pub(crate) fn capability(&self, name: &str) -> Option<Payload> {
        self.discover.get("capabilities")?.to_object().ok()?.get(name)?.to_object().ok()
    }

    /// Returns what the server says about an extension it has.
    pub(crate) fn extension(&self, id: &str) -> Option<serde_json::Value> {
        self.capability("extensions")?.get(id)?.read().ok()
    }

    /// Returns what the server says of itself to models, unless that is held back.
    pub(crate) fn instructions(&self) -> Option<Cow<'_, str>> {
        let is_held = self.verdict.held.iter().any(|held| held.name == INSTRUCTIONS);
        if is_held { None } else { self.discover.text("instructions") }
    }

    fn announces(&self, capability: &str) -> bool {
        self.capability(capability).is_some_and(|c| c.object.bool("listChanged") == Some(true))
    }
}

/// Something changed at an upstream.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resources,
    /// `notifications/resources/updated`, with the upstream's URI.
    Updated(Payload),
    /// `notifications/tasks`, with the upstream's task id.
    Task(Payload),
}

/// Which resources and tasks somebody watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) uris: Vec<String>,
    pub(crate) tasks: Vec<String>,
}

impl Watch {
    pub(crate) fn is_empty(&self) -> bool {
        self.uris.is_empty() && self.tasks.is_empty()
    }
}

enum Command {
    Watch(Watch, oneshot::Sender<Watch>),
    Unwatch(Watch),
    Refresh,
    /// The same, unless the server sleeps: nobody is woken for a list that is a little old.
    Renew,
    /// Something was approved.
    Judge,
}

/// The handle of a source.
#[derive(Clone)]
pub(crate) struct Source {
    offer: Arc<ArcSwapOption<Offer>>,
    loaded: watch::Receiver<u64>,
    changes: broadcast::Sender<Change>,
    commands: mpsc::Sender<Command>,
    /// When it began to read the lists.
    pub(crate) begun: tokio::time::Instant,
}

/// Called after the lists of a source changed and before its clients are told.
pub(crate) type OnOffer = Arc<dyn Fn() + Send + Sync>;

/// What a source is made of.
pub(crate) struct Behind {
    pub(crate) slug: Slug,
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) client: Arc<Client>,
    pub(crate) pins: Arc<dyn Pins>,
    /// What was known of it before.
    pub(crate) known: Option<Arc<Offer>>,
}

impl Source {
    /// Returns the handle and the task that somebody has to run.
    pub(crate) fn new(behind: Behind, on_offer: OnOffer, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (loaded_tx, loaded) = watch::channel(0);
        let (changes, _) = broadcast::channel(limits::STREAM_QUEUE_MAX);
        let (commands, inbox) = mpsc::channel(limits::STREAM_QUEUE_MAX);
        let offer = Arc::new(ArcSwapOption::empty());
        let handle = Self { offer: Arc::clone(&offer), loaded, changes: changes.clone(), commands, begun: tokio::time::Instant::now() };
        let Behind { slug, upstream, client, pins, known } = behind;
        let task = Task {
            slug,
            upstream,
            client,
            pins,
            on_offer,
            offer,
            loaded: loaded_tx,
            changes,
            inbox,
            watched: Watched::default(),
            steps: None,
            honoured: Watch::default(),
            retry: RETRY_MIN,
        };
        (handle, async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task.run(known) => {}
            }
        })
    }

    /// Returns what is known now.
    pub(crate) fn offer(&self) -> Option<Arc<Offer>> {
        self.offer.load_full()
    }

    /// Waits until the lists were read once, or `wait` is over.
    pub(crate) async fn first_offer(&self, wait: Duration) -> Option<Arc<Offer>> {
        if let Some(offer) = self.offer() {
            return Some(offer);
        }
        let mut loaded = self.loaded.clone();
        // Either way what there is counts.
        drop(tokio::time::timeout(wait, loaded.wait_for(|n| *n > 0)).await);
        self.offer()
    }

    /// Asks for the lists to be read again if they could be old.
    pub(crate) fn refresh_if_stale(&self, now: Instant) {
        let Some(offer) = self.offer() else { return };
        let is_watched = offer.fault.is_none() && (offer.announces("tools") || offer.capability("tools").is_none());
        let age = offer.read_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let keep = Duration::from_millis(offer.tools.ttl_ms.min(3_600_000)).max(if offer.fault.is_some() { RETRY_MIN } else { STALE });
        if !is_watched && age > keep {
            // A full inbox means that it is at work already.
            drop(self.commands.try_send(Command::Renew));
        }
    }

    /// Reads the lists again and waits for it.
    pub(crate) async fn refresh(&self, wait: Duration) {
        let mut loaded = self.loaded.clone();
        let before = *loaded.borrow();
        if self.commands.send(Command::Refresh).await.is_ok() {
            drop(tokio::time::timeout(wait, loaded.wait_for(|n| *n > before)).await);
        }
    }

    /// Judges the lists anew, without reading them.
    pub(crate) async fn judge(&self) {
        // Gone with its snapshot: then there is nothing to judge.
        drop(self.commands.send(Command::Judge).await);
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Watches resources and tasks; returns those the upstream agreed to report.
    pub(crate) async fn watch(&self, watch: Watch) -> Watch {
        if watch.is_empty() {
            return watch;
        }
        let (tx, rx) = oneshot::channel();
        if self.commands.send(Command::Watch(watch, tx)).await.is_err() {
            return Watch::default();
        }
        match tokio::time::timeout(ACK_TIMEOUT * 2, rx).await {
            Ok(Ok(honoured)) => honoured,
            Ok(Err(_)) | Err(_) => Watch::default(),
        }
    }

    /// Gives up what [`Self::watch`] was asked for.
    pub(crate) fn unwatch(&self, watch: Watch) {
        if !watch.is_empty() && self.commands.try_send(Command::Unwatch(watch)).is_err() {
            tracing::debug!("a source was too busy to drop a subscription");
        }
    }
}
