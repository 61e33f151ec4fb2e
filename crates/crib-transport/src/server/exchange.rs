//! One request and its response.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_model::{Answer, Carrier, Code, Frames, Gateway, Inbound, Verb};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use super::body::{self, Unread};
use super::drain::Drain;
use super::endpoint::{self, Place};
use super::events::Events;
use super::guard::Guard;
use super::outgoing::Outgoing;
use super::pulse::{Phase, Pulse};
use super::refusal::{JSON, Speech, closing, method_not_allowed, refusal};
use super::{Routes, ServerOptions};
use crate::whole::Whole;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const BUFFERING: header::HeaderName = header::HeaderName::from_static("x-accel-buffering");
const SESSION: &str = "mcp-session-id";
const REVISION: &str = "mcp-protocol-version";

/// What all connections of a server share.
pub(crate) struct Front {
    pub(crate) gateway: Arc<dyn Gateway>,
    routes: Arc<dyn Routes>,
    guard: Guard,
    pub(crate) options: ServerOptions,
    pub(crate) drain: Drain,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) peer: IpAddr,
    pub(crate) local: IpAddr,
}

impl Front {
    pub(crate) fn new(gateway: Arc<dyn Gateway>, routes: Arc<dyn Routes>, mut options: ServerOptions) -> Self {
        let guard = Guard::new(std::mem::take(&mut options.allowed_hosts), &options.allowed_origins);
        Self { gateway, routes, guard, options, drain: Drain::default() }
    }
}

/// One request on its connection.
pub(crate) struct Exchange {
    pub(crate) front: Arc<Front>,
    pub(crate) ends: Ends,
    pub(crate) pulse: Arc<Pulse>,
}

/// A request whose head has been judged.
enum Begun {
    Mcp(Box<Inbound>, Incoming),
    Other(Box<Request<Incoming>>),
    Done(Box<Response<Outgoing>>),
}

impl Exchange {
    /// Answers the request.
    ///
    /// Not an `async fn`, and with the head judged before there is a future: hyper moves the future, for each request,
    /// to where it keeps it.
    pub(crate) fn answer(self, request: Request<Incoming>) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + Send {
        let (reader, begun) = self.begin(request);
        async move {
            let mut work = pin!(async {
                match begun {
                    Begun::Mcp(inbound, body) => self.mcp(inbound, body).await,
                    Begun::Other(request) => Box::pin(self.other(*request)).await,
                    Begun::Done(response) => *response,
                }
            });
            // Whoever wakes the work must wake the task, and not only hyper.
            let mut response = poll_fn(|_| work.as_mut().poll(&mut Context::from_waker(self.pulse.task()))).await;
            if let Some(origin) = reader {
                grant(response.headers_mut(), origin);
            }
            Ok(if self.pulse.is_last() { closing(response) } else { response })
        }
    }

    /// Decides what needs no more than the head. Also returns the web origin that may read the answer.
    fn begin(&self, request: Request<Incoming>) -> (Option<HeaderValue>, Begun) {
        let done = |response| Begun::Done(Box::new(response));
        let place = endpoint::place(request.uri().path());
        let speech = if place == Place::Other { Speech::Plain } else { Speech::Rpc };
        if self.pulse.is_refused() {
            let text = "the request is framed ambiguously".to_owned();
            return (None, done(closing(refusal(speech, StatusCode::BAD_REQUEST, None, text))));
        }
        let guard = &self.front.guard;
        let (head, body) = request.into_parts();
        if let Err(refused) = guard.check(&head, self.ends.local) {
            let text = format!("{} is not allowed", refused.field());
            return (None, done(refusal(speech, StatusCode::FORBIDDEN, Some(Code::OriginRefused), text)));
        }
        let reader = guard.reader(&head.headers).cloned();
        let begun = match place {
            Place::Mcp(scope) => match act(&head) {
                Ok((verb, carrier)) => {
                    // The rest of the head is not kept while the call is under way.
                    let headers = take_headers(head);
                    let inbound = Inbound { verb, carrier, scope, headers, body: Bytes::new(), peer: Some(self.ends.peer) };
                    Begun::Mcp(Box::new(inbound), body)
                }
                Err(response) => Begun::Done(response),
            },
            Place::Nowhere => done(refusal(speech, StatusCode::NOT_FOUND, Some(Code::UnknownTarget), "no such server".to_owned())),
            Place::Other => Begun::Other(Box::new(Request::from_parts(head, body))),
        };
        (reader, begun)
    }

    async fn mcp(&self, mut inbound: Box<Inbound>, body: Incoming) -> Response<Outgoing> {
        let verb = inbound.verb;
        if verb == Verb::Post {
            inbound.body = match self.read(Speech::Rpc, &inbound.headers, body).await {
                Ok(body) => body,
                Err(response) => return *response,
            };
        }
        self.pulse.enter(Phase::Busy);
        match self.front.gateway.receive(*inbound).await {
            Answer::Message { status, headers, body } => {
                self.pulse.enter(Phase::Waiting);
                whole(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), headers, body)
            }
            Answer::Stream { headers, frames } => self.stream(headers, frames, verb),
        }
    }

    fn stream(&self, headers: HeaderMap, frames: Frames, verb: Verb) -> Response<Outgoing> {
        // Streams that answer a request get the drain time; the others would wait for ever.
        let until = (verb == Verb::Get).then(|| self.front.drain.draining.clone().cancelled_owned());
        let events = Events::new(frames, self.front.options.keep_alive, until, Arc::clone(&self.pulse));
        let mut response = Response::new(Outgoing::Events(Box::new(events)));
        let fields = response.headers_mut();
        *fields = headers;
        fields.insert(header::CONTENT_TYPE, EVENT_STREAM);
        fields.insert(header::CACHE_CONTROL, NO_CACHE);
        fields.insert(BUFFERING, HeaderValue::from_static("no"));
        response
    }

    async fn other(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let (head, body) = request.into_parts();
        let body = match self.read(Speech::Plain, &head.headers, body).await {
            Ok(body) => body,
            Err(response) => return *response,
        };
        self.pulse.enter(Phase::Busy);
        let response = self.front.routes.handle(Request::from_parts(head, body), self.ends.peer).await;
        self.pulse.enter(Phase::Waiting);
        response.map(|body| Outgoing::Whole(Whole::from(body)))
    }

    async fn read(&self, speech: Speech, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Box<Response<Outgoing>>> {
        self.pulse.enter(Phase::Body);
        let max = self.front.options.body_bytes_max;
        let unread = match body::read(headers, body, max, &self.pulse).await {
            Ok(body) => return Ok(body),
            Err(unread) => unread,
        };
        let response = match unread {
            Unread::TooLarge => {
                let text = format!("the request is larger than {max} bytes");
                refusal(speech, StatusCode::PAYLOAD_TOO_LARGE, Some(Code::BodyTooLarge), text)
            }
            Unread::Late => refusal(speech, StatusCode::REQUEST_TIMEOUT, None, "the request body did not arrive in time".to_owned()),
            Unread::Broken => refusal(speech, StatusCode::BAD_REQUEST, None, "the request body could not be read".to_owned()),
        };
        Err(Box::new(closing(response)))
    }
}

fn take_headers(head: Parts) -> HeaderMap {
    head.headers
}

fn whole(status: StatusCode, headers: HeaderMap, body: Chunks) -> Response<Outgoing> {
    let body = Whole::from(body);
    let is_empty = body.is_empty();
    let mut response = Response::new(Outgoing::Whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if !is_empty {
        response.headers_mut().entry(header::CONTENT_TYPE).or_insert(JSON);
    }
    response
}

/// Reads from the head what the client does, and refuses what it cannot do here.
fn act(head: &Parts) -> Result<(Verb, Carrier), Box<Response<Outgoing>>> {
    let refuse = |response: Response<Outgoing>| Err(Box::new(response));
    match head.method {
        Method::POST if !is_json(&head.headers) => {
            let text = "Content-Type must be application/json".to_owned();
            refuse(refusal(Speech::Rpc, StatusCode::UNSUPPORTED_MEDIA_TYPE, None, text))
        }
        Method::POST => match endpoint::session(head.uri.query()) {
            Some(session) => Ok((Verb::Post, Carrier::Sse { session: Some(session) })),
            None => Ok((Verb::Post, Carrier::Http)),
        },
        Method::GET if !accepts_events(&head.headers) => {
            refuse(method_not_allowed("GET opens an event stream: send Accept: text/event-stream"))
        }
        // HTTP+SSE of 2024-11-05 knows neither field; everybody later sends one of them.
        Method::GET if head.headers.contains_key(SESSION) || head.headers.contains_key(REVISION) => Ok((Verb::Get, Carrier::Http)),
        Method::GET => Ok((Verb::Get, Carrier::Sse { session: None })),
        Method::DELETE => Ok((Verb::Delete, Carrier::Http)),
        Method::OPTIONS => {
            let mut response = Response::new(Outgoing::Whole(Whole::default()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(header::ALLOW, super::refusal::METHODS);
            refuse(response)
        }
        _ => refuse(method_not_allowed("only POST, GET and DELETE are served here")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if value == b"application/json" {
        return true;
    }
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut essences = kinds.filter_map(|kind| kind.split(';').next());
    essences.any(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Lets a page of a configured origin send requests and read the answers.
fn grant(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, super::refusal::METHODS);
    let allowed =
        "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, traceparent";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("mcp-session-id, mcp-protocol-version, www-authenticate"));
}
