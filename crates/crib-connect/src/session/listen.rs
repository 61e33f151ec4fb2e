//! `subscriptions/listen` over a legacy session: `list_changed` and `resources/subscribe` underneath.

use std::sync::Arc;
use std::time::Instant;

use crib_mcp::{Chunks, Json, Method, Notification, Payload, RequestId, message};
use crib_model::{Event, Fault, Forward, Reply};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot};

use super::call::member;
use super::follow;
use super::legacy::{ASIDE_TIMEOUT, Offer, Session};
use super::pool::Lease;
use crate::outcome::broken;
use crate::steps;

/// Tasks of one subscription that are followed; the others are not honoured.
const TASKS_MAX: usize = 256;

/// What of the filter the server honours, and the subscriptions behind it.
struct Subscribed {
    session: Arc<Session>,
    lists: Vec<&'static List>,
    uris: Vec<String>,
    tasks: Vec<(String, Arc<Session>)>,
}

/// A list whose changes can be listened to.
struct List {
    /// Its member of the filter.
    name: &'static str,
    offer: Offer,
    change: Method,
}

const LISTS: [List; 3] = [
    List { name: "toolsListChanged", offer: Offer::ToolsChanged, change: Method::ToolsChanged },
    List { name: "promptsListChanged", offer: Offer::PromptsChanged, change: Method::PromptsChanged },
    List { name: "resourcesListChanged", offer: Offer::ResourcesChanged, change: Method::ResourcesChanged },
];

/// Opens a stream of changes that ends with the session.
pub(crate) async fn listen(session: Arc<Session>, lease: Option<Lease>, forward: &Forward) -> Result<Reply, Fault> {
    let filter = member(&forward.params, "notifications").unwrap_or_default();
    // Listening starts before the acknowledgement, so that no change falls in between.
    let mut changes = session.link.changes();
    let mut lists = session.memory.lists().subscribe();
    session.link.wire().hear(&session.link);
    let subscribed = Subscribed::open(session, &filter, forward.deadline).await;
    let steps = steps::talk(|voice| async move {
        let _lease = lease;
        voice.say(subscribed.acknowledgement()).await;
        let mut tasks = subscribed.follow();
        let over = subscribed.session.link.over().clone();
        loop {
            tokio::select! {
                biased;
                Some(status) = tasks.next() => voice.say(Event(status)).await,
                change = heard(&mut changes, &mut lists) => match change {
                    Ok(change) if subscribed.wants(&change) => voice.say(Event(change)).await,
                    Ok(_) => {}
                    Err(RecvError::Lagged(missed)) => {
                        return Err(broken(subscribed.session.slug(), format!("{missed} changes came faster than they were read")));
                    }
                    Err(RecvError::Closed) => break,
                },
                () = over.cancelled() => break,
            }
        }
        let slug = subscribed.session.slug();
        Err(subscribed.session.link.fault().unwrap_or_else(|| super::link::closed(slug)))
    });
    Ok(Reply::Stream(Box::pin(steps)))
}

/// Waits for a change in this session, or of a list in any process of the server.
async fn heard(
    here: &mut broadcast::Receiver<Notification>,
    lists: &mut broadcast::Receiver<Notification>,
) -> Result<Notification, RecvError> {
    tokio::select! {
        change = here.recv() => change,
        change = lists.recv() => change,
    }
}

// === impl Subscribed ===

impl Subscribed {
    async fn open(session: Arc<Session>, filter: &Payload, deadline: Instant) -> Self {
        let honoured = |list: &&List| filter.object.bool(list.name) == Some(true) && session.offers.has(list.offer);
        let lists = LISTS.iter().filter(honoured).collect();
        let asked = filter.get("resourceSubscriptions").and_then(|json| json.to_elements().ok()).unwrap_or_default();
        let mut subscribed = Self { session, lists, uris: Vec::new(), tasks: Vec::new() };
        if subscribed.session.offers.has(Offer::ToolTasks) {
            let tasks = filter.get("taskIds").and_then(|json| json.to_elements().ok()).unwrap_or_default();
            let ids = tasks.iter().filter_map(Json::as_text);
            // What became of a task only the session knows that it runs in.
            let at_home = ids.filter_map(|id| Some((id.to_string(), subscribed.session.memory.home(&id)?)));
            subscribed.tasks = at_home.take(TASKS_MAX).collect();
        }
        for uri in asked.iter().filter_map(Json::as_text) {
            if subscribed.session.offers.has(Offer::Subscribe) && subscribed.subscribe(&uri, deadline).await {
                subscribed.uris.push(uri.into_owned());
            }
        }
        subscribed
    }

    /// Tells of the tasks, wherever they run.
    fn follow(&self) -> SelectAll<BoxStream<'static, Notification>> {
        self.tasks.iter().map(|(id, home)| follow::follow(Arc::clone(home), id.clone())).collect()
    }

    /// Subscribes unless someone has; tells whether the server agreed.
    async fn subscribe(&self, uri: &str, deadline: Instant) -> bool {
        let is_first = {
            let mut counts = self.session.subscriptions.lock();
            let count = counts.entry(uri.to_owned()).or_insert(0);
            *count += 1;
            *count == 1
        };
        if !is_first {
            return true;
        }
        let deadline = deadline.min(Instant::now() + ASIDE_TIMEOUT);
        let leaving = self.session.leaving.lock().remove(uri);
        if let Some(left) = leaving {
            // Whether it was taken or lost, it cannot come after us any more.
            let _taken = tokio::time::timeout_at(deadline.into(), left).await.is_ok();
        }
        let is_agreed = matches!(self.session.ask(&Method::ResourcesSubscribe, &uri_params(uri), deadline).await, Ok(Ok(_)));
        if !is_agreed {
            let _was_last = release(&self.session, uri);
        }
        is_agreed
    }

    fn acknowledgement(&self) -> Event {
        let mut honoured: Map<_, _> = self.lists.iter().map(|list| (list.name.to_owned(), Value::Bool(true))).collect();
        if !self.uris.is_empty() {
            honoured.insert("resourceSubscriptions".to_owned(), json!(self.uris));
        }
        if !self.tasks.is_empty() {
            let ids: Vec<&String> = self.tasks.iter().map(|(id, _)| id).collect();
            honoured.insert("taskIds".to_owned(), json!(ids));
        }
        Event(Notification { method: Method::Acknowledged, params: Payload::of(&json!({ "notifications": honoured })) })
    }

    fn wants(&self, change: &Notification) -> bool {
        if change.method == Method::ResourceUpdated {
            return self.concerns(change);
        }
        self.lists.iter().any(|list| list.change == change.method)
    }

    /// What is updated may be a part of what is subscribed to. Only what someone else subscribed to is surely not ours.
    fn concerns(&self, change: &Notification) -> bool {
        let Some(uri) = change.params.text("uri").filter(|_| !self.uris.is_empty()) else { return false };
        self.uris.iter().any(|ours| uri.starts_with(ours.as_str())) || !self.session.subscriptions.lock().contains_key(uri.as_ref())
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        for uri in &self.uris {
            if release(&self.session, uri) {
                let link = &self.session.link;
                // Nobody waits for the answer.
                let id = RequestId::number(link.next_id());
                let (taken, left) = oneshot::channel();
                self.session.leaving.lock().insert(uri.clone(), left);
                link.wire().post_noting(message::request(&id, Method::ResourcesUnsubscribe.as_str(), &uri_params(uri)), taken);
            }
        }
    }
}

/// Counts one listener less; tells whether it was the last.
fn release(session: &Session, uri: &str) -> bool {
    let mut counts = session.subscriptions.lock();
    let Some(count) = counts.get_mut(uri) else { return false };
    *count -= 1;
    let is_last = *count == 0;
    if is_last {
        counts.remove(uri);
    }
    is_last
}

fn uri_params(uri: &str) -> Chunks {
    Json::of(&json!({ "uri": uri })).into()
}
