//! What a client that listens hears: the changes of all servers behind its endpoint, in its names.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use crib_mcp::ClientCaps;
use crib_model::{Scope, Slug};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{self, SelectAll};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::snapshot::Snapshot;
use crate::source::{Change, Source, Watch};

type Changes = Pin<Box<dyn Stream<Item = (Slug, Change)> + Send>>;

/// The changes of the servers behind one endpoint, unfiltered.
pub(crate) struct Follow {
    changes: SelectAll<Changes>,
    stop: CancellationToken,
}

impl Follow {
    pub(crate) fn new(snapshot: &Arc<Snapshot>, scope: &Scope, caps: &ClientCaps) -> Self {
        let sources = snapshot.sources(scope, caps);
        let changes = sources.iter().map(|(slug, source)| changes(slug.clone(), source)).collect();
        Self { changes, stop: snapshot.stopped() }
    }

    /// Returns the next change; `None` when the configuration these servers belong to is gone.
    pub(crate) async fn next(&mut self) -> Option<(Slug, Change)> {
        if self.changes.is_empty() {
            // No servers, so no changes until there is another configuration.
            self.stop.cancelled().await;
            return None;
        }
        tokio::select! {
            change = self.changes.next() => change,
            () = self.stop.cancelled() => None,
        }
    }
}

/// Watches resources and tasks by server; the watch ends when the subscription is dropped.
pub(crate) async fn watch(sources: &[(Slug, Source)], wanted: &BTreeMap<Slug, Watch>) -> (BTreeMap<Slug, Watch>, Subscription) {
    let mut honoured = BTreeMap::new();
    let mut held = Vec::new();
    for (slug, source) in sources {
        let Some(watch) = wanted.get(slug) else { continue };
        held.push((source.clone(), watch.clone()));
        honoured.insert(slug.clone(), source.watch(watch.clone()).await);
    }
    (honoured, Subscription(held))
}

/// Watches that end when this is dropped.
pub(crate) struct Subscription(Vec<(Source, Watch)>);

impl Drop for Subscription {
    fn drop(&mut self) {
        for (source, watch) in self.0.drain(..) {
            source.unwatch(watch);
        }
    }
}

fn changes(slug: Slug, source: &Source) -> Changes {
    let receiver = source.changes();
    let pending: Vec<Change> = Vec::new();
    Box::pin(stream::unfold((receiver, pending), move |(mut receiver, mut pending)| {
        let slug = slug.clone();
        async move {
            if let Some(change) = pending.pop() {
                return Some(((slug, change), (receiver, pending)));
            }
            match receiver.recv().await {
                Ok(change) => Some(((slug, change), (receiver, pending))),
                // Too slow to hear everything: assume that everything changed.
                Err(RecvError::Lagged(_)) => Some(((slug, Change::Tools), (receiver, vec![Change::Prompts, Change::Resources]))),
                Err(RecvError::Closed) => None,
            }
        }
    }))
}
