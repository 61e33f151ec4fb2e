//! Hop 2: what came in, from whom, in which era, and so which front's rules it goes by.

mod batch;
pub(crate) mod http_legacy;
mod line;

use std::sync::Arc;

use crib_mcp::ladder::{self, Era, Refusal};
use crib_mcp::{ClientCaps, Message, Revision, RpcError, code, message, meta};
use crib_model::{Answer, BoxFuture, Carrier, Client, Code, Fault, Inbound, Principal, Scope, Verb};
use http::{HeaderMap, HeaderValue};

use crate::call::fault_error;
use crate::modern::{self, Caller};
use crate::plane::Plane;
use crate::settle::Ticket;

/// Takes one act of a client.
///
/// What can be decided at once is decided here and in what this calls. A future that still had to decide it would carry
/// the room for every branch, and all of that is moved, and missed in the caches, with each call.
pub(crate) fn receive(plane: Arc<Plane>, inbound: Inbound) -> BoxFuture<'static, Answer> {
    let principal = match &inbound.carrier {
        // Who can start the process may use it.
        Carrier::Stdio(_) => Arc::new(Principal::anonymous()),
        Carrier::Http | Carrier::Sse { .. } | Carrier::Socket(_) => match plane.authenticate(&inbound.headers) {
            Ok(principal) => principal,
            Err(fault) => {
                write_down(&plane, &inbound, fault.code());
                return at_once(unauthenticated(&fault, &inbound.headers, &inbound.scope));
            }
        },
    };
    if plane.snapshot().in_scope(&inbound.scope).is_none() {
        // It was there when the socket was opened.
        let status = if let (Carrier::Socket(_), Verb::Post) = (&inbound.carrier, inbound.verb) { 410 } else { 404 };
        return at_once(refuse(status, &Fault::new(Code::UnknownTarget, "no such server on this gateway")));
    }
    match (&inbound.carrier, inbound.verb) {
        (Carrier::Http, Verb::Post) => post(plane, principal, inbound),
        (Carrier::Http, Verb::Get) => http_legacy::get(&plane, &principal, &inbound),
        (Carrier::Http, Verb::Delete) => http_legacy::delete(&plane, &principal, &inbound),
        (Carrier::Sse { .. } | Carrier::Stdio(_) | Carrier::Socket(_), Verb::Get) => at_once(line::open(&plane, &principal, &inbound)),
        (Carrier::Sse { .. } | Carrier::Stdio(_) | Carrier::Socket(_), Verb::Post) => Box::pin(line::post(plane, principal, inbound)),
        (Carrier::Sse { .. } | Carrier::Stdio(_) | Carrier::Socket(_), Verb::Delete) => at_once(Answer::empty(405)),
    }
}

/// An answer that waits for nothing.
pub(crate) fn at_once(answer: Answer) -> BoxFuture<'static, Answer> {
    Box::pin(std::future::ready(answer))
}

/// One POST of Streamable HTTP.
fn post(plane: Arc<Plane>, principal: Arc<Principal>, inbound: Inbound) -> BoxFuture<'static, Answer> {
    if message::is_batch(&inbound.body) {
        return Box::pin(batch::http(plane, principal, inbound));
    }
    let message = match Message::parse(&inbound.body) {
        Ok(message) => message,
        Err(malformed) => return at_once(Answer::json(400, message::error(malformed.id.as_ref(), &malformed.error))),
    };
    match ladder::classify_http(&message, &inbound.headers) {
        Err(refusal) => at_once(refused(&refusal)),
        Ok(Era::Legacy) => http_legacy::post(plane, principal, inbound, message),
        Ok(Era::Modern(era)) => match message {
            Message::Request(request) => {
                let caller = Caller { snapshot: plane.snapshot(), principal, scope: inbound.scope };
                modern::answer(plane, caller, request, era, Some(inbound.headers))
            }
            // On HTTP there is nothing a modern client could notify of (2026-07-28, Streamable HTTP, "Sending Messages").
            Message::Notification(_) => at_once(Answer::empty(202)),
            Message::Response(_) => {
                let error = RpcError::new(code::INVALID_REQUEST, "Invalid Request: a client sends no responses in this revision");
                at_once(Answer::json(400, message::error(None, &error)))
            }
        },
    }
}

pub(crate) fn refused(refusal: &Refusal) -> Answer {
    Answer::json(refusal.status, message::error(refusal.id.as_ref(), &refusal.error))
}

/// Writes a refusal that answers no request in particular.
pub(crate) fn refuse(status: u16, fault: &Fault) -> Answer {
    let mut answer = Answer::json(status, message::error(None, &fault_error(fault)));
    if let (503, Answer::Message { headers, .. }) = (status, &mut answer) {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// Settles a call that was refused before anybody knew whose it is.
fn write_down(plane: &Plane, inbound: &Inbound, code: Code) {
    let Ok(Message::Request(request)) = Message::parse(&inbound.body) else { return };
    let is_modern = request.params.meta.as_ref().is_some_and(|meta| meta.has(meta::PROTOCOL_VERSION));
    let revision = if is_modern { Revision::LATEST } else { Revision::LATEST_LEGACY };
    let client = Client::new(revision, ClientCaps::none(), None);
    let nobody = Arc::new(Principal::anonymous());
    Ticket::open(&plane.ledger, &plane.clock, &nobody, &client, request.method).refuse(code);
}

/// 401 with the way to this resource's metadata (RFC 9728, RFC 6750).
fn unauthenticated(fault: &Fault, headers: &HeaderMap, scope: &Scope) -> Answer {
    let mut answer = refuse(401, fault);
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = match scope {
        Scope::All => "/mcp".to_owned(),
        Scope::One(slug) => format!("/mcp/{slug}"),
    };
    let challenge = format!("Bearer resource_metadata=\"http://{host}/.well-known/oauth-protected-resource{path}\"");
    if let (Answer::Message { headers, .. }, Ok(value)) = (&mut answer, HeaderValue::try_from(challenge)) {
        headers.insert(http::header::WWW_AUTHENTICATE, value);
    }
    answer
}

/// Tells whether a client would rather read a stream: it names that first.
pub(crate) fn prefers_stream(headers: &HeaderMap) -> bool {
    let first = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
    first.is_some_and(|value| value.trim_start().starts_with("text/event-stream"))
}
