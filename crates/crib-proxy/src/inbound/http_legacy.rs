//! Streamable HTTP of 2025-03-26 to 2025-11-25: sessions, the GET stream, resumption.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crib_mcp::{Json, Message, Method, Request, RequestId, Response, Revision, RpcError, code, message};
use crib_model::{Answer, BoxFuture, Carrier, Code, Fault, Inbound, Principal};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::elsewhere;
use crate::inbound::{at_once, refuse};
use crate::legacy::{self, Peer};
use crate::plane::Plane;
use crate::session::Session;
use crate::stream::{Ids, StreamLog};

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One message of a legacy client.
pub(super) fn post(plane: Arc<Plane>, principal: Arc<Principal>, inbound: Inbound, message: Message) -> BoxFuture<'static, Answer> {
    let message = match message {
        Message::Request(request) if request.method == Method::Initialize => {
            return Box::pin(async move { initialize(&plane, principal, &inbound, &request).await });
        }
        message => message,
    };
    let id = if let Message::Request(request) = &message { Some(&request.id) } else { None };
    let peer = match peer(&plane, &principal, &inbound, id) {
        Ok(peer) => peer,
        Err(answer) => return or_elsewhere(&plane, &inbound, answer),
    };
    match message {
        Message::Request(request) => legacy::answer_http(plane, peer, request, &inbound.headers),
        Message::Notification(notification) => {
            notified(&peer, &notification.method, notification.params.get("requestId"));
            at_once(Answer::empty(202))
        }
        Message::Response(response) => at_once(answered(&peer, response)),
    }
}

/// Finds out who sends: a session by its id, or a client without one, whose revision is in its header.
/// `id` is that of the request, where it is one.
pub(super) fn peer(plane: &Plane, principal: &Arc<Principal>, inbound: &Inbound, id: Option<&RequestId>) -> Result<Peer, Box<Answer>> {
    let version = match inbound.headers.get(&VERSION) {
        None => None,
        Some(value) => {
            let revision = value.to_str().ok().and_then(Revision::parse);
            let Some(revision) = revision.filter(|revision| !revision.is_modern()) else {
                let error = RpcError::new(code::INVALID_REQUEST, "Bad Request: unsupported MCP-Protocol-Version");
                return Err(Box::new(Answer::json(400, message::error(id, &error))));
            };
            Some(revision)
        }
    };
    match session(plane, principal, inbound)? {
        Some(session) => Ok(Peer::of(&session)),
        None => Ok(Peer::stateless(Arc::clone(principal), inbound.scope.clone(), version.unwrap_or(Revision::V2025_03_26))),
    }
}

/// Finds the session a request names; an id nobody knows, or of somebody else, is 404.
fn session(plane: &Plane, principal: &Principal, inbound: &Inbound) -> Result<Option<Arc<Session>>, Box<Answer>> {
    let Some(id) = inbound.headers.get(&SESSION_ID) else { return Ok(None) };
    let session = id.to_str().ok().and_then(|id| plane.sessions.find(id, principal, &inbound.scope));
    let Some(session) = session else {
        return Err(Box::new(unknown(&inbound.carrier)));
    };
    plane.touch(&session);
    Ok(Some(session))
}

/// The refusal for a session nobody knows, or of somebody else.
pub(crate) fn unknown(carrier: &Carrier) -> Answer {
    let hint = if matches!(carrier, Carrier::Sse { .. }) { "open a new stream with GET" } else { "start a new session with `initialize`" };
    refuse(404, &Fault::new(Code::SessionUnknown, "Session not found").hint(hint))
}

/// Refuses, unless the session is one of another replica.
pub(super) fn or_elsewhere(plane: &Plane, inbound: &Inbound, refusal: Box<Answer>) -> BoxFuture<'static, Answer> {
    elsewhere::session(plane, inbound).unwrap_or_else(|| at_once(*refusal))
}

async fn initialize(plane: &Arc<Plane>, principal: Arc<Principal>, inbound: &Inbound, request: &Request) -> Answer {
    let (client, result) = match legacy::initialize(plane, &inbound.scope, request).await {
        Ok(answer) => answer,
        Err(error) => return Answer::json(200, message::error(Some(&request.id), &error)),
    };
    let id = elsewhere::mark(plane, URL_SAFE_NO_PAD.encode(plane.entropy.u128().to_le_bytes()));
    let session = Session::new(id, principal, inbound.scope.clone(), client, StreamLog::new("0".to_owned(), Ids::Numbered));
    plane.touch(&session);
    if let Err(fault) = plane.sessions.insert(&session) {
        return refuse(503, &fault);
    }
    let mut headers = HeaderMap::new();
    if let Ok(id) = HeaderValue::try_from(session.id.as_str()) {
        headers.insert(SESSION_ID, id);
    }
    Answer::Message { status: 200, headers, body: message::result(&request.id, &result) }
}

/// The stream for messages that belong to no request, or the rest of a stream that was lost.
pub(super) fn get(plane: &Arc<Plane>, principal: &Principal, inbound: &Inbound) -> BoxFuture<'static, Answer> {
    match session(plane, principal, inbound) {
        Ok(Some(session)) => at_once(listen(plane, &session, inbound)),
        Ok(None) => at_once(Answer::empty(405)),
        Err(answer) => or_elsewhere(plane, inbound, answer),
    }
}

fn listen(plane: &Arc<Plane>, session: &Arc<Session>, inbound: &Inbound) -> Answer {
    let last = inbound.headers.get(&LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let frames = match last.map(StreamLog::parse_id) {
        None => {
            legacy::follow(plane, session);
            session.outlet.read(None)
        }
        Some(Some((name, position))) => match session.stream(name) {
            Some(log) => log.read(Some(position)),
            None => return refuse(404, &Fault::new(Code::SessionUnknown, "the stream of this event id is not kept any more")),
        },
        Some(None) => return refuse(400, &Fault::new(Code::SessionUnknown, "`Last-Event-ID` is not one of this gateway")),
    };
    Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(frames) }
}

/// Ends the session.
pub(super) fn delete(plane: &Plane, principal: &Principal, inbound: &Inbound) -> BoxFuture<'static, Answer> {
    match session(plane, principal, inbound) {
        Ok(Some(session)) => {
            plane.sessions.remove(&session.id);
            at_once(Answer::empty(200))
        }
        Ok(None) => at_once(Answer::empty(405)),
        Err(answer) => or_elsewhere(plane, inbound, answer),
    }
}

pub(super) fn notified(peer: &Peer, method: &Method, request: Option<Json>) {
    if let (Method::Cancelled, Some(session), Some(id)) = (method, &peer.session, request) {
        session.cancel(&id);
    }
}

pub(super) fn answered(peer: &Peer, response: Response) -> Answer {
    let outcome = response.outcome.map(|result| result.to_json());
    let is_taken = match (&peer.session, &response.id) {
        (Some(session), Some(id)) => session.answered(id, outcome),
        _ => false,
    };
    if is_taken {
        return Answer::empty(202);
    }
    let error = RpcError::new(code::INVALID_REQUEST, "Invalid Request: nothing was asked under this id");
    Answer::json(400, message::error(None, &error))
}
