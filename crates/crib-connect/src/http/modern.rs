//! Streamable HTTP of 2026-07-28: every call stands for itself.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use crib_mcp::header::encode_value;
use crib_mcp::{Chunks, Json, Message, Method, Payload, RequestId, Response, Revision, RpcError, code, message};
use crib_model::{Event, Fault, Forward, Outcome, Reply, Slug, Step};
use crib_transport::Received;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::answer::{self, Body, Events};
use super::remote::{Outgoing, Remote};
use super::trace;
use crate::era::own_params;
use crate::outcome::{self, broken};
use crate::session::legacy::late;
use crate::{params, steps};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A server that needs nothing but the request.
pub(super) struct Modern {
    remote: Remote,
    headers: HeaderMap,
    /// The same, with fields that every call sets.
    of_calls: HeaderMap,
    ids: AtomicU64,
}

/// How serving a call went: a reply, or a reason to try again.
pub(super) type Served = Result<Reply, Again>;

/// Why a request that was not looked at may be made again.
pub(super) enum Again {
    /// The server does not know this kind of request: the era is not what it was taken for.
    Misjudged(Fault),
    /// The session was over before the server looked at the request.
    SessionLost(Fault),
}

/// What the server said to a probe.
pub(super) enum Discovered {
    Answer(Box<Result<Payload, RpcError>>),
    /// A refusal without an answer in it.
    Refused {
        status: u16,
        body: Bytes,
    },
}

/// An answer that comes in events.
struct Stream {
    /// Absent after the answer.
    events: Option<Box<Events>>,
    remote: Remote,
    id: u64,
    token: Option<Json>,
    /// Subscriptions have none.
    deadline: Option<Instant>,
}

// === impl Modern ===

impl Modern {
    pub(super) fn new(remote: Remote) -> Self {
        let mut headers = remote.post_headers();
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(Revision::LATEST.as_str()));
        // What a call sets is here so that a copy has room for it.
        let mut of_calls = headers.clone();
        for name in [MCP_METHOD, MCP_NAME] {
            of_calls.insert(name, HeaderValue::from_static(""));
        }
        Self { remote, headers, of_calls, ids: AtomicU64::new(1) }
    }

    pub(super) fn call<'s>(&'s self, forward: &'s Forward) -> impl Future<Output = Result<Served, Fault>> + Send + use<'s> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let body = request(forward, id);
        let sent = self.remote.send(move || Outgoing::post(self.headers_of(forward), body.clone(), forward.deadline));
        async move {
            let received = sent.await?;
            if !(200..300).contains(&received.status) {
                return Box::pin(self.refused(received, id)).await;
            }
            let slug = &self.remote.slug;
            match answer::read(slug, received).await? {
                Body::Message(text) => Ok(Ok(Reply::Done(self.outcome(&text, id)?))),
                Body::Nothing => Err(broken(slug, "its answer is empty")),
                Body::Events(events) => Box::pin(self.listen(events, id, forward)).await.map(Ok),
            }
        }
    }

    /// Reads the first step of an answer that comes in events.
    async fn listen(&self, events: Box<Events>, id: u64, forward: &Forward) -> Result<Reply, Fault> {
        let is_listening = forward.method == Method::Listen;
        let deadline = (!is_listening).then_some(forward.deadline);
        let token = forward.progress_token.clone();
        let stream = Stream { events: Some(events), remote: self.remote.clone(), id, token, deadline };
        let steps = Box::pin(stream::unfold(stream, Stream::step));
        if is_listening { steps::acknowledged(steps, &self.remote.slug, forward.deadline).await } else { steps::settle(steps).await }
    }

    /// Asks what the server is.
    pub(super) async fn discover(&self, deadline: Instant) -> Result<Discovered, Fault> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let body = message::request(&RequestId::number(id), Method::Discover.as_str(), &own_params());
        let mut headers = self.headers.clone();
        headers.insert(MCP_METHOD, HeaderValue::from_static("server/discover"));
        let received = self.remote.send(|| Outgoing::post(headers.clone(), body.clone(), deadline)).await?;
        let (status, slug) = (received.status, &self.remote.slug);
        if !(200..300).contains(&status) {
            let body = answer::read_refusal(received).await;
            return Ok(match Message::parse(&body) {
                Ok(Message::Response(response)) if !matches!(status, 401 | 403) => Discovered::Answer(Box::new(response.outcome)),
                _ => Discovered::Refused { status, body },
            });
        }
        let text = match answer::read(slug, received).await? {
            Body::Message(text) => text,
            Body::Nothing => Bytes::new(),
            Body::Events(mut events) => {
                let event = tokio::time::timeout_at(deadline.into(), events.next(slug)).await;
                event.map_err(|_elapsed| late(slug))??.map(|event| event.data).unwrap_or_default()
            }
        };
        Ok(match Message::parse(&text) {
            Ok(Message::Response(response)) => Discovered::Answer(Box::new(response.outcome)),
            _ => Discovered::Refused { status, body: text },
        })
    }

    fn headers_of(&self, forward: &Forward) -> HeaderMap {
        let mut headers = self.of_calls.clone();
        if forward.method == Method::ToolsCall {
            headers.insert(MCP_METHOD, HeaderValue::from_static("tools/call"));
        } else {
            insert(&mut headers, MCP_METHOD, forward.method.as_str());
        }
        match forward.target_name().and_then(|name| HeaderValue::from_str(&encode_value(&name)).ok()) {
            Some(name) => headers.insert(MCP_NAME, name),
            None => headers.remove(MCP_NAME),
        };
        if let Some(mirrored) = &forward.param_headers {
            for (name, value) in mirrored.values(forward.params.get("arguments").as_ref()) {
                // Names were checked when the tool's schema was read, values are encoded.
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                    headers.insert(name, value);
                }
            }
        }
        trace::put(&mut headers, forward);
        headers
    }

    /// Reads the one message an answer consists of.
    fn outcome(&self, text: &Bytes, id: u64) -> Result<Outcome, Fault> {
        let slug = &self.remote.slug;
        match Message::parse(text) {
            Ok(Message::Response(response)) => read_response(slug, response, id),
            Ok(_) => Err(broken(slug, "it answered with a message that is no answer")),
            Err(malformed) => Err(broken(slug, malformed.error.message)),
        }
    }

    /// A status other than success: an error of the server if there is one in the body.
    ///
    /// `-32020` goes on as it is: it says that the tool's schema has changed, and whoever holds the catalogue lists
    /// the tools again and calls once more.
    async fn refused(&self, received: Received, id: u64) -> Result<Served, Fault> {
        let (slug, status) = (&self.remote.slug, received.status);
        let body = answer::read_refusal(received).await;
        let fault = answer::status_fault(slug, status, &body);
        if matches!(status, 401 | 403) {
            return Err(fault);
        }
        match Message::parse(&body) {
            Ok(Message::Response(Response { id: answered, outcome: Err(error) })) => {
                let is_ours = answered.as_ref().and_then(RequestId::as_u64) == Some(id);
                if error.code == code::UNSUPPORTED_VERSION {
                    return Ok(Err(Again::Misjudged(broken(slug, error.message))));
                }
                if is_ours || matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY) {
                    return Ok(Ok(Reply::Done(Outcome::Error(error, Revision::LATEST))));
                }
                // An older server refuses what it takes for a request without a session.
                Ok(Err(Again::Misjudged(fault)))
            }
            _ if matches!(status, 400 | 404 | 405 | 406 | 415) => Ok(Err(Again::Misjudged(fault))),
            _ => Err(fault),
        }
    }
}

/// Writes the request of a call.
fn request(forward: &Forward, id: u64) -> Chunks {
    let number = RequestId::number(id);
    // The number is unique among the requests in flight, so it serves as the progress token too.
    let token = forward.progress_token.as_ref().map(|_| number.as_json());
    message::request(&number, forward.method.as_str(), &params::modern(forward, token))
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(&encode_value(text)) {
        headers.insert(name, value);
    }
}

/// Checks that an answer is for this request, and reads it.
fn read_response(slug: &Slug, response: Response, id: u64) -> Result<Outcome, Fault> {
    let is_ours = match &response.id {
        Some(answered) => answered.as_u64() == Some(id),
        None => response.outcome.is_err(),
    };
    if is_ours { outcome::modern(slug, response.outcome) } else { Err(broken(slug, "it answered another request")) }
}

// === impl Stream ===

impl Stream {
    async fn step(mut self) -> Option<(Step, Self)> {
        self.events.as_ref()?;
        let next = match self.deadline {
            None => self.next().await,
            Some(deadline) => {
                let next = tokio::time::timeout_at(deadline.into(), self.next()).await;
                next.unwrap_or_else(|_elapsed| Err(late(&self.remote.slug)))
            }
        };
        let step = next.unwrap_or_else(|fault| Step::Done(Err(fault)));
        if let Step::Done(done) = &step
            && let Some(events) = self.events.take()
            && done.is_ok()
        {
            events.finish(&self.remote.tracker);
        }
        Some((step, self))
    }

    async fn next(&mut self) -> Result<Step, Fault> {
        let slug = &self.remote.slug;
        let cut = || Fault::new(crib_model::Code::ServerGone, format!("`{slug}` ended the stream before the answer"));
        let events = self.events.as_mut().ok_or_else(cut)?;
        loop {
            let event = events.next(slug).await?.ok_or_else(cut)?;
            if event.data.is_empty() {
                continue;
            }
            match Message::parse(&event.data) {
                Ok(Message::Response(response)) => return read_response(slug, response, self.id).map(|done| Step::Done(Ok(done))),
                Ok(Message::Notification(notification)) => match &self.token {
                    Some(token) if notification.method == Method::Progress => {
                        return Ok(Step::Event(outcome::progress(&notification, token)));
                    }
                    None if notification.method == Method::Progress => {}
                    _ => return Ok(Step::Event(Event(notification))),
                },
                // Servers of this era have no requests; one that sends some gets no answer.
                Ok(Message::Request(_)) => {}
                Err(malformed) => return Err(broken(slug, malformed.error.message)),
            }
        }
    }
}
