//! Streamable HTTP of 2025-03-26 to 2025-11-25: a session, a stream per request, and one for what belongs to none.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Chunks, ClientCaps, Message, Revision};
use crib_model::limits::CALL_TIMEOUT;
use crib_model::{BoxFuture, Code, Fault};
use crib_transport::Received;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::oneshot;

use super::answer::{self, Body, Events, soon, status_fault};
use super::ear;
use super::remote::{Outgoing, Remote};
use crate::outcome::broken;
use crate::session::legacy::Session;
use crate::session::link::{Carry, Link, Origin, Wire};
use crate::session::memory::Memory;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Pause before a stream is taken up again when the server names none.
pub(super) const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Longest time for a request whose caller has a deadline of its own: the head of an answer may take as long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What all requests of a session have in common.
pub(super) struct Posts {
    pub(super) remote: Remote,
    session: OnceLock<HeaderValue>,
    revision: OnceLock<HeaderValue>,
    /// What goes with every request once the handshake is over.
    headers: OnceLock<HeaderMap>,
    /// The status of a refused handshake, as evidence of what the server is.
    refusal: OnceLock<u16>,
    is_heard: AtomicBool,
}

/// Where a stream was left, and when it may be taken up again.
struct Place {
    last: Option<String>,
    pause: Duration,
}

struct PostsWire(Arc<Posts>);

/// Why there is no session.
pub(super) struct Refused {
    fault: Fault,
    status: Option<u16>,
}

/// Shakes hands.
pub(super) async fn open(remote: &Remote, caps: &ClientCaps, memory: &Arc<Memory>, timeout: Duration) -> Result<Arc<Session>, Refused> {
    let posts = Arc::new(Posts {
        remote: remote.clone(),
        session: OnceLock::new(),
        revision: OnceLock::new(),
        headers: OnceLock::new(),
        refusal: OnceLock::new(),
        is_heard: AtomicBool::new(false),
    });
    let link = Link::new(remote.slug.clone(), caps, Arc::new(PostsWire(Arc::clone(&posts))));
    let opened = Session::open(Arc::clone(&link), caps, memory, timeout).await;
    let session = opened.map_err(|fault| Refused { fault, status: posts.refusal.get().copied() })?;
    if caps.set.is_interactive() {
        // Some servers put their questions on the stream that belongs to no request.
        posts.hear(&link);
    }
    Ok(session)
}

// === impl Refused ===

impl Refused {
    /// Tells whether an HTTP+SSE server of 2024-11-05 answers a POST like this.
    pub(super) fn hints_at_sse(&self) -> bool {
        matches!(self.status, Some(400 | 404 | 405))
    }

    pub(super) fn into_fault(self) -> Fault {
        self.fault
    }
}

// === impl Posts ===

impl Posts {
    pub(super) fn headers(&self) -> HeaderMap {
        if let Some(headers) = self.headers.get() {
            return headers.clone();
        }
        let mut headers = self.remote.post_headers();
        if let Some(id) = self.session.get() {
            headers.insert(SESSION_ID, id.clone());
        }
        if let Some(revision) = self.revision.get() {
            headers.insert(PROTOCOL_VERSION, revision.clone());
            // The handshake is over: nothing changes any more.
            return self.headers.get_or_init(|| headers).clone();
        }
        headers
    }

    fn post(
        &self,
        message: Chunks,
        timeout: Duration,
        more: Option<Box<HeaderMap>>,
    ) -> impl Future<Output = Result<Received, Fault>> + Send + use<'_> {
        let deadline = std::time::Instant::now() + timeout;
        self.remote.send(move || {
            let mut headers = self.headers();
            if let Some(more) = &more {
                headers.extend((**more).clone());
            }
            Outgoing::post(headers, message.clone(), deadline)
        })
    }

    /// Sends what needs no answer.
    async fn notify(&self, message: Chunks) -> Result<(), Fault> {
        let received = self.post(message, CALL_TIMEOUT, None).await?;
        let status = received.status;
        let body = answer::read_refusal(received).await;
        if (200..300).contains(&status) { Ok(()) } else { Err(status_fault(&self.remote.slug, status, &body)) }
    }

    /// Sends a request and reads until its answer has come.
    async fn ask(self: Arc<Self>, link: Arc<Link>, id: u64, message: Chunks, headers: Option<Box<HeaderMap>>) -> Result<(), Fault> {
        let received = self.post(message, HEAD_TIMEOUT, headers).await?;
        if !(200..300).contains(&received.status) {
            return Box::pin(self.refused(&link, id, received)).await;
        }
        if self.revision.get().is_none()
            && let Some(session) = received.headers.get(SESSION_ID)
        {
            // Only the answer to the handshake may name the session.
            self.session.get_or_init(|| session.clone());
        }
        match answer::read(&self.remote.slug, received).await? {
            Body::Message(text) => {
                link.deliver(&text, Origin::Call(id));
                if link.awaits(id) { Err(broken(&self.remote.slug, "its answer is for another request")) } else { Ok(()) }
            }
            Body::Nothing => Err(broken(&self.remote.slug, "its answer is empty")),
            Body::Events(events) => Box::pin(self.follow(&link, id, events)).await,
        }
    }

    /// Reads a stream until the answer; takes it up again where the server closed it before.
    async fn follow(&self, link: &Link, id: u64, mut events: Box<Events>) -> Result<(), Fault> {
        let slug = &self.remote.slug;
        let mut place = Place { last: None, pause: RETRY };
        loop {
            let cut = || Fault::new(Code::ServerGone, format!("`{slug}` ended the stream before the answer"));
            let fault = match place.read(link, id, &mut events).await {
                Ok(true) => {
                    events.finish(&self.remote.tracker);
                    return Ok(());
                }
                Ok(false) => cut(),
                Err(fault) => fault,
            };
            let Some(from) = place.last.as_deref().filter(|from| !from.is_empty()) else { return Err(fault) };
            tokio::time::sleep(place.pause).await;
            events = self.stream(Some(from)).await?;
        }
    }

    /// Opens a stream by GET, from an event on if one is named.
    pub(super) async fn stream(&self, from: Option<&str>) -> Result<Box<Events>, Fault> {
        let slug = &self.remote.slug;
        let mut headers = self.headers();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(Ok(from)) = from.map(HeaderValue::from_str) {
            headers.insert(LAST_EVENT_ID, from);
        }
        let deadline = soon();
        let received = self.remote.send(|| Outgoing::bare(http::Method::GET, headers.clone(), deadline)).await?;
        if received.status != 200 {
            let status = received.status;
            return Err(status_fault(slug, status, &answer::read_refusal(received).await));
        }
        match answer::read(slug, received).await? {
            Body::Events(events) => Ok(events),
            Body::Message(_) | Body::Nothing => Err(broken(slug, "it answered GET with something that is no stream")),
        }
    }

    async fn refused(&self, link: &Link, id: u64, received: Received) -> Result<(), Fault> {
        let (slug, status) = (&self.remote.slug, received.status);
        let body: Bytes = answer::read_refusal(received).await;
        if self.revision.get().is_none() {
            let _first = self.refusal.set(status);
        }
        let fault = status_fault(slug, status, &body);
        if matches!(status, 401 | 403) {
            return Err(fault);
        }
        if status == 404 && self.session.get().is_some() {
            // This request was not looked at; what else runs in the session is lost.
            link.fail_call(id, Fault::new(Code::SessionUnknown, format!("`{slug}` has forgotten the session")));
            link.fail(&Fault::new(Code::ServerGone, format!("`{slug}` ended the session in the middle of the call")));
            return Ok(());
        }
        if matches!(Message::parse(&body), Ok(Message::Response(_))) {
            link.deliver(&body, Origin::Call(id));
        }
        if link.awaits(id) { Err(fault) } else { Ok(()) }
    }

    /// Opens the stream for what belongs to no request, once.
    fn hear(self: &Arc<Self>, link: &Arc<Link>) {
        if !self.is_heard.swap(true, Ordering::Relaxed) {
            self.remote.tracker.spawn(ear::listen(Arc::clone(self), Arc::clone(link)));
        }
    }
}

impl Place {
    /// Reads events until the call is answered or the stream ends; tells which.
    async fn read(&mut self, link: &Link, id: u64, events: &mut Events) -> Result<bool, Fault> {
        while let Some(event) = events.next(&link.slug).await? {
            self.last = event.id.or_else(|| self.last.take());
            self.pause = event.retry_ms.map_or(self.pause, Duration::from_millis).min(RETRY_MAX);
            if !event.data.is_empty() {
                link.deliver(&event.data, Origin::Call(id));
            }
            if !link.awaits(id) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Wire for PostsWire {
    fn post(&self, message: Chunks) {
        let posts = Arc::clone(&self.0);
        self.0.remote.tracker.spawn(async move {
            if let Err(fault) = posts.notify(message).await {
                tracing::debug!(upstream = %posts.remote.slug, %fault, "a message was not accepted");
            }
        });
    }

    fn post_noting(&self, message: Chunks, taken: oneshot::Sender<()>) {
        let posts = Arc::clone(&self.0);
        self.0.remote.tracker.spawn(async move {
            if let Err(fault) = posts.notify(message).await {
                tracing::debug!(upstream = %posts.remote.slug, %fault, "a message was not accepted");
            }
            let _nobody_waits = taken.send(()).is_err();
        });
    }

    fn send(&self, message: Chunks) -> Carry {
        let posts = Arc::clone(&self.0);
        Box::pin(async move { posts.notify(message).await })
    }

    fn request(&self, link: &Arc<Link>, id: u64, message: Chunks, headers: Option<Box<HeaderMap>>) -> Option<Carry> {
        Some(Box::pin(Arc::clone(&self.0).ask(Arc::clone(link), id, message, headers)))
    }

    fn settled(&self, _: &Arc<Link>, revision: Revision) {
        self.0.revision.get_or_init(|| HeaderValue::from_static(revision.as_str()));
    }

    fn hear(&self, link: &Arc<Link>) {
        self.0.hear(link);
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let posts = Arc::clone(&self.0);
        Box::pin(async move {
            if posts.session.get().is_none() {
                return;
            }
            let deadline = std::time::Instant::now() + Duration::from_secs(2);
            let ended = posts.remote.send(|| Outgoing::bare(http::Method::DELETE, posts.headers(), deadline)).await;
            if let Err(fault) = ended {
                tracing::debug!(upstream = %posts.remote.slug, %fault, "the session was not ended");
            }
        })
    }
}
