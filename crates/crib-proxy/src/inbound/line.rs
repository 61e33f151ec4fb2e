//! Carriers with one stream: stdio and WebSocket of any revision, and HTTP+SSE of 2024-11-05.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crib_mcp::ladder::{self, Era, Modern};
use crib_mcp::{Message, Method, Request, message};
use crib_model::{Answer, Carrier, Code, Fault, Frame, Inbound, Principal, Scope, limits};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::HeaderMap;

use crate::elsewhere;
use crate::inbound::{http_legacy, refuse, refused};
use crate::legacy::{self, Peer};
use crate::lines::{Line, LineKey};
use crate::modern::{self, Caller};
use crate::plane::Plane;
use crate::session::Session;

/// Opens the stream to the client.
pub(super) fn open(plane: &Arc<Plane>, principal: &Arc<Principal>, inbound: &Inbound) -> Answer {
    let (key, first) = match &inbound.carrier {
        Carrier::Stdio(connection) | Carrier::Socket(connection) => (LineKey::Connection(*connection), None),
        Carrier::Sse { .. } | Carrier::Http => {
            if plane.lines.len() >= limits::SESSIONS_MAX {
                return refuse(503, &Fault::new(Code::TooBusy, "too many streams are open"));
            }
            let id = elsewhere::mark(plane, URL_SAFE_NO_PAD.encode(plane.entropy.u128().to_le_bytes()));
            let path = match &inbound.scope {
                Scope::All => format!("/mcp?sessionId={id}"),
                Scope::One(slug) => format!("/mcp/{slug}?sessionId={id}"),
            };
            (LineKey::Sse(id), Some(Frame { event: Some("endpoint"), data: Bytes::from(path).into(), ..Frame::default() }))
        }
    };
    let line = plane.lines.open(key.clone(), principal, &inbound.scope);
    let frames = stream::iter(first).chain(line.outlet.read(None));
    let frames = Held { frames: Box::pin(frames), plane: Arc::clone(plane), key };
    Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(frames) }
}

/// The stream of a line; the line ends with it.
struct Held {
    frames: crib_model::Frames,
    plane: Arc<Plane>,
    key: LineKey,
}

impl Stream for Held {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.frames.as_mut().poll_next(cx)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A connection ends with its input, not with its output.
        if let LineKey::Sse(_) = &self.key {
            self.plane.lines.close(&self.key);
        }
    }
}

/// Takes one message.
pub(super) async fn post(plane: Arc<Plane>, principal: Arc<Principal>, inbound: Inbound) -> Answer {
    let line = match &inbound.carrier {
        Carrier::Stdio(connection) => plane.lines.open(LineKey::Connection(*connection), &principal, &inbound.scope),
        // A key that was given to somebody else in between opens nothing of whoever opened the socket.
        Carrier::Socket(connection) => match plane.lines.find(&LineKey::Connection(*connection)) {
            Some(line) if line.principal == principal => line,
            Some(_) | None => return refuse(401, &Fault::new(Code::Unauthenticated, "the socket is another caller's")),
        },
        Carrier::Sse { session } => {
            let found = session.clone().and_then(|id| plane.lines.find(&LineKey::Sse(id)));
            match found.filter(|line| line.principal == principal && line.scope == inbound.scope) {
                Some(line) => line,
                None => return http_legacy::or_elsewhere(&plane, &inbound, Box::new(http_legacy::unknown(&inbound.carrier))).await,
            }
        }
        Carrier::Http => return Answer::empty(405),
    };
    let message = match Message::parse(&inbound.body) {
        Ok(message) => message,
        Err(malformed) => return Answer::json(400, message::error(malformed.id.as_ref(), &malformed.error)),
    };
    let era = match &inbound.carrier {
        Carrier::Stdio(_) | Carrier::Socket(_) => match ladder::classify_line(&message) {
            Ok(era) => era,
            Err(refusal) => return refused(&refusal),
        },
        Carrier::Sse { .. } | Carrier::Http => Era::Legacy,
    };
    match (era, message) {
        (Era::Modern(era), Message::Request(request)) => Box::pin(modern_request(plane, &line, request, era)).await,
        (_, Message::Notification(notification)) if notification.method == Method::Cancelled => {
            if let Some(id) = notification.params.get("requestId") {
                line.cancel(id.bytes());
                if let Some(session) = &*line.session.lock() {
                    session.cancel(&id);
                }
            }
            Answer::empty(202)
        }
        (_, Message::Request(request)) => {
            let work = legacy_request(Arc::clone(&plane), line, request);
            match &inbound.carrier {
                // The answer comes when the request is done with, so that the front knows what is still to come.
                Carrier::Stdio(_) | Carrier::Socket(_) => work.await,
                Carrier::Sse { .. } | Carrier::Http => drop(plane.tracker.spawn(work)),
            }
            Answer::empty(202)
        }
        (_, Message::Notification(_)) => Answer::empty(202),
        (_, Message::Response(response)) => {
            let session = line.session.lock().clone();
            match session {
                Some(session) => http_legacy::answered(&Peer::of(&session), response),
                None => Answer::empty(202),
            }
        }
    }
}

/// Modern requests on one channel are cancelled by notification.
async fn modern_request(plane: Arc<Plane>, line: &Arc<Line>, request: Request, era: Modern) -> Answer {
    let id = request.id.as_json().bytes().clone();
    let token = line.start(&id);
    let caller = Caller { snapshot: plane.snapshot(), principal: Arc::clone(&line.principal), scope: line.scope.clone() };
    let answer = tokio::select! {
        answer = modern::answer(plane, caller, request, era, None) => answer,
        () = token.cancelled() => Answer::empty(202),
    };
    match answer {
        Answer::Stream { headers, frames } => {
            let line = Arc::clone(line);
            let end = stream::poll_fn(move |_| {
                line.finish(&id);
                Poll::Ready(None)
            });
            let frames = frames.take_until(token.cancelled_owned()).chain(end);
            Answer::Stream { headers, frames: Box::pin(frames) }
        }
        answer @ Answer::Message { .. } => {
            line.finish(&id);
            answer
        }
    }
}

/// Answers on the line's stream, behind whatever was said about the request there.
async fn legacy_request(plane: Arc<Plane>, line: Arc<Line>, request: Request) {
    if request.method == Method::Initialize {
        let _opening = line.opening();
        let text = match legacy::initialize(&plane, &line.scope, &request).await {
            Ok((client, result)) => {
                let outlet = Arc::clone(&line.outlet);
                let session = Session::new(String::new(), Arc::clone(&line.principal), line.scope.clone(), client, outlet);
                legacy::follow(&plane, &session);
                *line.session.lock() = Some(session);
                message::result(&request.id, &result)
            }
            Err(error) => message::error(Some(&request.id), &error),
        };
        line.outlet.push(text);
        return;
    }
    line.opened().await;
    let session = line.session.lock().clone();
    match session {
        Some(session) => legacy::answer_on_outlet(plane, Peer::of(&session), request).await,
        None => {
            // Lenient: a request before `initialize` is answered as if the client had no capabilities.
            let revision = crib_mcp::Revision::V2024_11_05;
            let peer = Peer::stateless(Arc::clone(&line.principal), line.scope.clone(), revision);
            let session = Session::new(String::new(), peer.principal, peer.scope, peer.client, Arc::clone(&line.outlet));
            legacy::answer_on_outlet(plane, Peer::of(&session), request).await;
        }
    }
}
