//! Requests of the revisions with a handshake. Each becomes a modern call; what the modern core answers with a
//! question is asked of the client for real, and the call goes on with its answer.

mod ask;
mod post;

pub(crate) use post::{Post, answer_http, answer_on_outlet};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crib_mcp::{Chunks, ClientCaps, Json, Method, Notification, Payload, Request, Revision, RpcError, code, message, translate};
use crib_model::{Client, Inputs, Principal, Scope, Slug, State};

use crate::call::{Call, Finish, Item, Items, Served, fault_error};
use crate::follow::{self, Follow};
use crate::mapping::Uris;
use crate::plane::Plane;
use crate::session::Session;
use crate::settle::Ticket;
use crate::source::{Change, Watch};
use crate::{listen, lists, pipeline};

use futures_util::StreamExt;

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Who sends legacy requests: a session, or a client that keeps none.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) principal: Arc<Principal>,
    pub(crate) scope: Scope,
    pub(crate) client: Arc<Client>,
    pub(crate) session: Option<Arc<Session>>,
}

impl Peer {
    pub(crate) fn of(session: &Arc<Session>) -> Self {
        Self {
            principal: Arc::clone(&session.principal),
            scope: session.scope.clone(),
            client: Arc::clone(&session.client),
            session: Some(Arc::clone(session)),
        }
    }

    /// A client that sends single requests without `initialize`.
    pub(crate) fn stateless(principal: Arc<Principal>, scope: Scope, revision: Revision) -> Self {
        let client = Arc::new(Client::new(revision, ClientCaps::none(), None));
        Self { principal, scope, client, session: None }
    }
}

/// Reads what an `initialize` request says and what it is answered with: the client and the result.
pub(crate) async fn initialize(plane: &Arc<Plane>, scope: &Scope, request: &Request) -> Result<(Arc<Client>, Chunks), RpcError> {
    let Some(asked) = request.params.text("protocolVersion") else {
        return Err(RpcError::new(code::INVALID_PARAMS, "Invalid params: `protocolVersion` is missing"));
    };
    let revision = Revision::parse(&asked).filter(|revision| !revision.is_modern()).unwrap_or(Revision::LATEST_LEGACY);
    let caps = request.params.get("capabilities").unwrap_or_else(|| Json::from_static("{}"));
    let client = plane.clients.intern(revision, &caps, request.params.get("clientInfo").as_ref());
    let snapshot = plane.snapshot();
    let view = snapshot.view_soon(scope, &client.caps).await;
    snapshot.refresh_if_stale(scope, client.caps.set, plane.clock.now());
    match view.only_fault() {
        Some(fault) => Err(fault_error(&fault)),
        None => Ok((client, lists::discover(&view, revision))),
    }
}

/// Takes one request through, and returns the response; `None` when it was cancelled.
pub(crate) async fn respond(plane: &Arc<Plane>, peer: &Peer, request: &Request, post: &Post) -> Chunks {
    let revision = peer.client.revision;
    let finish = match &request.method {
        Method::Ping => Finish::Result(lists::empty(revision)),
        Method::SetLevel => set_level(peer, &request.params),
        Method::ResourcesSubscribe => Box::pin(subscribe(plane, peer, &request.params, Interest::Gain)).await,
        Method::ResourcesUnsubscribe => Box::pin(subscribe(plane, peer, &request.params, Interest::Lose)).await,
        // What only the modern revision has does not exist here.
        Method::Discover
        | Method::Listen
        | Method::TasksGet
        | Method::TasksUpdate
        | Method::TasksCancel
        | Method::SkillsList
        | Method::SkillsGet => Finish::Error(RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {}", request.method))),
        _ => rounds(plane, peer, request, post).await,
    };
    match finish {
        Finish::Error(error) => message::error(Some(&request.id), &error),
        Finish::Result(result) => message::result(&request.id, &result),
        // `rounds` answers every question or gives up.
        Finish::Input { .. } => message::error(Some(&request.id), &RpcError::new(code::INTERNAL, "a question was left open")),
    }
}

/// Calls, asks what the server wants to know, and calls again with the answers.
async fn rounds(plane: &Arc<Plane>, peer: &Peer, request: &Request, post: &Post) -> Finish {
    let served = pipeline::run(plane, call(plane, peer, request, None)).await;
    let first = match served {
        Served::Done(finish) => finish,
        Served::Stream(items) => Box::pin(read(items, post)).await,
    };
    match first {
        Finish::Input { requests, state, .. } => Box::pin(further(plane, peer, request, (post, requests, state))).await,
        finish @ (Finish::Result(_) | Finish::Error(_)) => finish,
    }
}

fn call(plane: &Arc<Plane>, peer: &Peer, request: &Request, inputs: Option<Inputs>) -> Box<Call> {
    let mut ticket = Ticket::open(&plane.ledger, &plane.clock, &peer.principal, &peer.client, request.method.clone());
    let trace = plane.trace(&request.params, &mut ticket);
    Box::new(Call {
        snapshot: plane.snapshot(),
        scope: peer.scope.clone(),
        method: request.method.clone(),
        params: request.params.clone(),
        client: Arc::clone(&peer.client),
        principal: Arc::clone(&peer.principal),
        log_level: peer.session.as_ref().and_then(|session| session.log_level.lock().clone()),
        progress_token: request.params.meta(crib_mcp::meta::PROGRESS_TOKEN),
        inputs,
        trace,
        headers: None,
        ticket,
    })
}

/// The rounds after the first, which most calls have not.
async fn further(
    plane: &Arc<Plane>,
    peer: &Peer,
    request: &Request,
    (post, mut requests, mut state): (&Post, Payload, Option<State>),
) -> Finish {
    for _ in 1..crib_model::limits::INPUT_ROUNDS_MAX {
        let inputs = match ask::all(peer, post, &requests, state, plane.snapshot().setup.input_timeout).await {
            Ok(answers) => Some(answers),
            Err(why) if request.method == Method::ToolsCall => {
                return Finish::Result(pipeline::tool_error(why.message(), &peer.client));
            }
            Err(why) => return Finish::Error(fault_error(&why)),
        };
        let finish = match pipeline::run(plane, call(plane, peer, request, inputs)).await {
            Served::Done(finish) => finish,
            Served::Stream(items) => read(items, post).await,
        };
        (requests, state) = match finish {
            Finish::Input { requests, state, .. } => (requests, state),
            finish @ (Finish::Result(_) | Finish::Error(_)) => return finish,
        };
    }
    let rounds = crib_model::limits::INPUT_ROUNDS_MAX;
    let fault = crib_model::Fault::new(crib_model::Code::InputLost, format!("the server asked more than {rounds} times"));
    if request.method == Method::ToolsCall {
        return Finish::Result(pipeline::tool_error(fault.message(), &peer.client));
    }
    Finish::Error(fault_error(&fault))
}

/// Passes on what is said on the way, and returns the end.
async fn read(mut items: Items, post: &Post) -> Finish {
    while let Some(item) = items.next().await {
        match item {
            Item::Event(event) => post.say(message::notification(event.method.as_str(), &event.params.to_json().into())),
            Item::Done(finish) => return finish,
        }
    }
    Finish::Error(RpcError::new(code::INTERNAL, "the call ended without an answer"))
}

fn set_level(peer: &Peer, params: &Payload) -> Finish {
    let level = params.text("level").filter(|level| LEVELS.contains(&level.as_ref()));
    let Some(level) = level else {
        return Finish::Error(RpcError::new(code::INVALID_PARAMS, format!("Invalid params: `level` must be one of {}", LEVELS.join(", "))));
    };
    if let Some(session) = &peer.session {
        *session.log_level.lock() = Some(Json::of(level.as_ref()));
    }
    Finish::Result(lists::empty(peer.client.revision))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interest {
    Gain,
    Lose,
}

/// Changes what a session is subscribed to: the new set is watched before the old one is let go.
async fn subscribe(plane: &Arc<Plane>, peer: &Peer, params: &Payload, interest: Interest) -> Finish {
    let Some(session) = &peer.session else {
        return Finish::Error(RpcError::new(code::INVALID_REQUEST, "Invalid Request: subscriptions need a session"));
    };
    let Some(uri) = params.text("uri").map(std::borrow::Cow::into_owned) else {
        return Finish::Error(RpcError::new(code::INVALID_PARAMS, "Invalid params: `uri` is missing"));
    };
    let snapshot = plane.snapshot();
    let view = snapshot.view(&session.scope, &session.client.caps).await;
    let mut watching = session.subscription.lock().await;
    let mut uris = watching.uris.clone();
    match interest {
        Interest::Gain => uris.insert(uri.clone()),
        Interest::Lose => uris.remove(&uri),
    };
    let mut wanted: BTreeMap<Slug, Watch> = BTreeMap::new();
    for uri in &uris {
        let allowed = view
            .catalog
            .route_uri(uri)
            .filter(|(slug, own)| snapshot.setup.rules.allows(&session.principal, slug, crib_policy::Kind::Resource, own));
        if let Some((slug, own)) = allowed {
            wanted.entry(slug.clone()).or_default().uris.push(own.into_owned());
        }
    }
    let sources = snapshot.sources(&session.scope, &session.client.caps);
    follow(plane, session);
    let (honoured, held) = follow::watch(&sources, &wanted).await;
    let is_untouched = view.catalog.is_untouched();
    let is_honoured = honoured.iter().any(|(slug, watch)| {
        let out = if is_untouched { Uris::AsIs } else { Uris::Of(slug) };
        watch.uris.iter().any(|own| out.out(own) == uri)
    });
    if interest == Interest::Gain && !is_honoured {
        let error = RpcError::new(code::RESOURCE_NOT_FOUND, format!("Resource not found or without updates: {uri}"));
        return Finish::Error(error.with_data(Json::of(&serde_json::json!({ "uri": uri }))));
    }
    watching.uris = uris;
    watching.held = Some(held);
    Finish::Result(lists::empty(peer.client.revision))
}

/// Starts to pass changes on to a session, once.
pub(crate) fn follow(plane: &Arc<Plane>, session: &Arc<Session>) {
    if session.follows.swap(true, Ordering::Relaxed) {
        return;
    }
    let follow = Follow::new(&plane.snapshot(), &session.scope, &session.client.caps);
    let (plane, session) = (Arc::downgrade(plane), Arc::clone(session));
    let Some(tracker) = plane.upgrade().map(|plane| plane.tracker.clone()) else { return };
    tracker.spawn(async move {
        let mut follow = follow;
        loop {
            let change = tokio::select! {
                change = follow.next() => change,
                () = session.closed.cancelled() => return,
            };
            let Some(plane) = plane.upgrade() else { return };
            match change {
                Some((slug, change)) => pass_on(&plane, &session, &slug, &change).await,
                None => {
                    // Another configuration: everything may be different.
                    follow = Follow::new(&plane.snapshot(), &session.scope, &session.client.caps);
                    for method in [Method::ToolsChanged, Method::PromptsChanged, Method::ResourcesChanged] {
                        session.outlet.push(message::notification(method.as_str(), &Chunks::default()));
                    }
                }
            }
        }
    });
}

async fn pass_on(plane: &Arc<Plane>, session: &Session, slug: &Slug, change: &Change) {
    let (method, params) = match change {
        Change::Tools => (Method::ToolsChanged, Chunks::default()),
        Change::Prompts => (Method::PromptsChanged, Chunks::default()),
        Change::Resources => (Method::ResourcesChanged, Chunks::default()),
        Change::Updated(params) => {
            let Some(uri) = params.text("uri") else { return };
            let view = plane.snapshot().view(&session.scope, &session.client.caps).await;
            let uri = view.catalog.expose_uri(slug, &uri).into_owned();
            let is_wanted = session.subscription.lock().await.uris.iter().any(|wanted| uri == *wanted || listen::is_below(&uri, wanted));
            if !is_wanted {
                return;
            }
            (Method::ResourceUpdated, Json::of(&serde_json::json!({ "uri": uri })).into())
        }
        // Tasks of the extension do not exist for legacy clients.
        Change::Task(_) => return,
    };
    let notification = Notification { method, params: Payload::parse(&params.clone().into_bytes()).unwrap_or_default() };
    if let Some(notification) = translate::event(&notification, session.client.revision) {
        session.outlet.push(message::notification(notification.method.as_str(), &params));
    }
}
