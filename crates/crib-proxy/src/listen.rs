//! `subscriptions/listen`: acknowledged first, then the changes the client asked for, in its names, under its id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crib_mcp::{Ability, Json, Method, Notification, Payload, RpcError, code};
use crib_model::{Code, Ending, Slug};
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, Finish, Item, Served};
use crate::follow::{self, Follow, Subscription};
use crate::mapping::{self, Uris};
use crate::plane::Plane;
use crate::source::{Change, Watch};
use crate::tasks;

/// What a client wants to hear of.
#[expect(clippy::struct_excessive_bools, reason = "the filter of the protocol")]
#[derive(Default)]
struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    /// The client's URIs.
    uris: BTreeSet<String>,
    /// The server's task ids, with the client's.
    tasks: BTreeMap<(Slug, String), Json>,
}

/// Opens the stream. It ends when the client leaves, the configuration is replaced, or the gateway is about to end.
pub(crate) async fn serve(plane: &Arc<Plane>, mut call: Box<Call>) -> Served {
    let Some(asked) = call.params.get("notifications").and_then(|filter| filter.to_object().ok()) else {
        call.ticket.refuse(Code::ArgumentsInvalid);
        return Served::Done(Finish::Error(RpcError::new(code::INVALID_PARAMS, "Invalid params: `notifications` is missing")));
    };
    if asked.object.has("taskIds") && !call.client.caps.set.has(Ability::Tasks) {
        call.ticket.refuse(Code::InputImpossible);
        return Served::Done(Finish::Error(tasks::undeclared()));
    }
    // The lists must be known before the first change of them can be told.
    let view = call.snapshot.view(&call.scope, &call.client.caps).await;
    let follow = Follow::new(&call.snapshot, &call.scope, &call.client.caps);
    let mut filter = read(&asked, &view.discover);
    let mut wanted: BTreeMap<Slug, Watch> = BTreeMap::new();
    for uri in list(&asked, "resourceSubscriptions") {
        if let Some((slug, own)) = view.catalog.route_uri(&uri) {
            wanted.entry(slug.clone()).or_default().uris.push(own.into_owned());
        }
    }
    for sealed in list(&asked, "taskIds") {
        if let Some((slug, id)) = tasks::open(plane, &call.principal, &sealed) {
            wanted.entry(slug.clone()).or_default().tasks.push(id.clone());
            filter.tasks.insert((slug, id), Json::of(&sealed));
        }
    }
    let sources = call.snapshot.sources(&call.scope, &call.client.caps);
    let (honoured, held) = follow::watch(&sources, &wanted).await;
    let is_untouched = view.catalog.is_untouched();
    for (slug, watch) in &honoured {
        let uris = if is_untouched { Uris::AsIs } else { Uris::Of(slug) };
        filter.uris.extend(watch.uris.iter().map(|uri| uris.out(uri)));
    }
    filter.tasks.retain(|(slug, id), _| honoured.get(slug).is_some_and(|watch| watch.tasks.contains(id)));
    let ack = acknowledgement(&asked, &filter);
    let over = call.snapshot.unsubscribed();
    let listening =
        Listening { plane: Arc::clone(plane), follow, over, filter, is_untouched, ack: Some(ack), call: Some(call), _held: held };
    Served::Stream(Box::pin(stream::unfold(listening, |mut listening| async move {
        let item = listening.next().await?;
        Some((item, listening))
    })))
}

fn read(asked: &Payload, discover: &Payload) -> Filter {
    let capabilities = discover.get("capabilities").and_then(|c| c.to_object().ok()).unwrap_or_default();
    let announces = |capability: &str, key: &str| {
        let declared = capabilities.get(capability).and_then(|c| c.to_object().ok());
        asked.object.bool(key) == Some(true) && declared.is_some_and(|c| c.object.bool("listChanged") == Some(true))
    };
    Filter {
        tools: announces("tools", "toolsListChanged"),
        prompts: announces("prompts", "promptsListChanged"),
        resources: announces("resources", "resourcesListChanged"),
        ..Filter::default()
    }
}

fn list(asked: &Payload, name: &str) -> Vec<String> {
    asked.get(name).and_then(|list| list.read().ok()).unwrap_or_default()
}

/// Writes what of the request is honoured. A kind that was asked for but has nothing to say is left out.
fn acknowledgement(asked: &Payload, filter: &Filter) -> Notification {
    let mut honoured = serde_json::Map::new();
    for (is_on, key) in
        [(filter.tools, "toolsListChanged"), (filter.prompts, "promptsListChanged"), (filter.resources, "resourcesListChanged")]
    {
        if is_on {
            honoured.insert(key.to_owned(), true.into());
        }
    }
    if asked.object.has("resourceSubscriptions") && !filter.uris.is_empty() {
        honoured.insert("resourceSubscriptions".to_owned(), serde_json::json!(filter.uris));
    }
    if asked.object.has("taskIds") && !filter.tasks.is_empty() {
        let ids: Vec<&Json> = filter.tasks.values().collect();
        honoured.insert("taskIds".to_owned(), serde_json::json!(ids));
    }
    Notification { method: Method::Acknowledged, params: Payload::of(&serde_json::json!({ "notifications": honoured })) }
}

struct Listening {
    plane: Arc<Plane>,
    follow: Follow,
    over: CancellationToken,
    filter: Filter,
    is_untouched: bool,
    ack: Option<Notification>,
    /// Settled when the stream ends.
    call: Option<Box<Call>>,
    _held: Subscription,
}

impl Listening {
    async fn next(&mut self) -> Option<Item> {
        if let Some(ack) = self.ack.take() {
            return Some(Item::Event(ack));
        }
        self.call.as_ref()?;
        loop {
            let change = tokio::select! {
                change = self.follow.next() => change,
                () = self.over.cancelled() => None,
            };
            let Some((slug, change)) = change else {
                let mut call = self.call.take()?;
                call.ticket.settle(Ending::Ok, 0);
                return Some(Item::Done(Finish::Result(Json::from_static("{\"resultType\":\"complete\"}").into())));
            };
            if let Some(notification) = self.tell(&slug, &change) {
                return Some(Item::Event(notification));
            }
        }
    }

    /// Writes the notification for a change, if the client asked for such.
    fn tell(&self, slug: &Slug, change: &Change) -> Option<Notification> {
        let (method, params) = match change {
            Change::Tools if self.filter.tools => (Method::ToolsChanged, Payload::default()),
            Change::Prompts if self.filter.prompts => (Method::PromptsChanged, Payload::default()),
            Change::Resources if self.filter.resources => (Method::ResourcesChanged, Payload::default()),
            Change::Updated(params) => (Method::ResourceUpdated, self.updated(slug, params)?),
            Change::Task(params) => {
                let id = params.text("taskId")?.into_owned();
                let known = self.filter.tasks.get(&(slug.clone(), id))?;
                let principal = &self.call.as_ref()?.principal;
                (Method::TaskStatus, tasks::expose(&self.plane, principal, slug, params, Some(known)))
            }
            Change::Tools | Change::Prompts | Change::Resources => return None,
        };
        Some(Notification { method, params })
    }

    /// The URI may be that of a part of what is watched, so anything below a watched URI passes.
    fn updated(&self, slug: &Slug, params: &Payload) -> Option<Payload> {
        let uris = if self.is_untouched { Uris::AsIs } else { Uris::Of(slug) };
        let uri = uris.out(&params.text("uri")?);
        let is_wanted = self.filter.uris.iter().any(|wanted| uri == *wanted || is_below(&uri, wanted));
        is_wanted.then(|| mapping::with_uri(params, uris).map(|chunks| Payload::parse(&chunks.into_bytes()).unwrap_or_default()))?
    }
}

/// Tells whether a URI names a part of another.
pub(crate) fn is_below(uri: &str, parent: &str) -> bool {
    uri.strip_prefix(parent.trim_end_matches('/')).is_some_and(|rest| rest.starts_with(['/', '#', '?']))
}
