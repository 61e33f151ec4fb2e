//! Where the answer to a legacy request goes: into the HTTP response as JSON, onto a stream that opens when there is
//! something to say first, or onto the one stream of its carrier.

use std::future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crib_mcp::{Chunks, Request, Revision, message};
use crib_model::{Answer, BoxFuture, Frame};
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::legacy::{self, Peer};
use crate::plane::Plane;
use crate::stream::{Ids, StreamLog};
use crate::trace;

/// How long a client should wait before it comes back to a stream.
const RETRY_MS: u64 = 500;

/// The way back for one request.
pub(crate) struct Post {
    peer: Peer,
    kind: Kind,
    stream: Mutex<Option<Arc<StreamLog>>>,
    is_open: AtomicBool,
    /// Who waits for the stream to open.
    waiting: AtomicWaker,
    is_cancelled: AtomicBool,
    /// Who does the work.
    working: AtomicWaker,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The stream opens when it is needed.
    Lazy,
    /// The client takes JSON only: nothing can be said before the end.
    Mute,
    /// Everything goes to the session's one stream.
    Outlet,
}

impl Post {
    fn new(peer: &Peer, kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            peer: peer.clone(),
            kind,
            stream: Mutex::default(),
            is_open: AtomicBool::new(false),
            waiting: AtomicWaker::new(),
            is_cancelled: AtomicBool::new(false),
            working: AtomicWaker::new(),
        })
    }

    /// Gives the request up: nobody wants its answer any more.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.working.wake();
    }

    /// Does the work unless it is given up before it is done.
    async fn unless_cancelled<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        future::poll_fn(|cx| {
            self.working.register(cx.waker());
            if self.is_cancelled.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Says something before the end.
    pub(super) fn say(&self, text: Chunks) {
        if let Some(stream) = self.open() {
            stream.push(text);
        }
    }

    /// Returns the stream on which the client can be asked; `None` if it reads none.
    pub(super) fn asking(&self) -> Option<Arc<StreamLog>> {
        self.peer.session.as_ref()?;
        self.open()
    }

    fn open(&self) -> Option<Arc<StreamLog>> {
        match self.kind {
            Kind::Mute => return None,
            Kind::Outlet => return self.peer.session.as_ref().map(|session| Arc::clone(&session.outlet)),
            Kind::Lazy => {}
        }
        let mut stream = self.stream.lock();
        if let Some(stream) = &*stream {
            return Some(Arc::clone(stream));
        }
        let log = match &self.peer.session {
            Some(session) => session.open_stream(),
            None => StreamLog::new(String::new(), Ids::None),
        };
        if self.peer.session.is_some() && self.peer.client.revision >= Revision::V2025_11_25 {
            // Primes the client to come back (2025-11-25, transports, "Sending Messages" 6).
            log.push_frame(Frame { retry_ms: Some(RETRY_MS), ..Frame::default() });
        }
        *stream = Some(Arc::clone(&log));
        self.is_open.store(true, Ordering::Release);
        self.waiting.wake();
        Some(log)
    }

    /// Opens the stream of a request that has nothing to say yet.
    pub(crate) fn prime(&self) {
        if self.kind == Kind::Lazy {
            self.open();
        }
    }

    fn opened(&self) -> Option<Arc<StreamLog>> {
        if !self.is_open.load(Ordering::Acquire) {
            return None;
        }
        self.stream.lock().clone()
    }
}

/// Answers a request over Streamable HTTP. The call runs on when the client goes away.
pub(crate) fn answer_http(plane: Arc<Plane>, peer: Peer, mut request: Request, headers: &HeaderMap) -> BoxFuture<'static, Answer> {
    request.params = trace::from_headers(request.params, headers);
    let kind = if accepts_stream(headers) { Kind::Lazy } else { Kind::Mute };
    let post = Post::new(&peer, kind);
    if crate::inbound::prefers_stream(headers) {
        post.open();
    }
    let mut work = RunsOn { tracker: plane.tracker.clone(), work: Some(run(plane, peer, request, Arc::clone(&post))) };
    Box::pin(future::poll_fn(move |cx| {
        let done = match Pin::new(&mut work).poll(cx) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => {
                post.waiting.register(cx.waker());
                if !post.is_open.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                None
            }
        };
        Poll::Ready(match (done, post.opened()) {
            (Some(Some(text)), _) => Answer::json(200, text),
            (Some(None), Some(log)) => stream_answer(&log),
            // Cancelled by the client, which waits for nothing any more.
            (_, None) => Answer::empty(202),
            (None, Some(log)) => {
                // From here on the work writes to the log, whoever reads it.
                work.let_go();
                stream_answer(&log)
            }
        })
    }))
}

/// Answers a request on the session's one stream (HTTP+SSE, stdio).
pub(crate) async fn answer_on_outlet(plane: Arc<Plane>, peer: Peer, request: Request) {
    let Some(session) = peer.session.clone() else { return };
    let post = Post::new(&peer, Kind::Outlet);
    if let Some(text) = run(plane, peer, request, post).await {
        session.outlet.push(text);
    }
}

fn stream_answer(log: &Arc<StreamLog>) -> Answer {
    Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(log.read(None)) }
}

/// Runs one request to its end. Returns the response, unless it went to a stream or the client cancelled.
fn run(plane: Arc<Plane>, peer: Peer, request: Request, post: Arc<Post>) -> BoxFuture<'static, Option<Chunks>> {
    if let Some(session) = &peer.session
        && let Err(error) = session.start(&request.id, &post)
    {
        let said = deliver(&post, message::error(Some(&request.id), &error));
        return Box::pin(future::ready(said));
    }
    Box::pin(async move {
        let text = {
            let work = pin!(legacy::respond(&plane, &peer, &request, &post));
            post.unless_cancelled(work).await
        };
        if let Some(session) = &peer.session {
            session.finish(&request.id);
        }
        match text {
            Some(text) => deliver(&post, text),
            None => {
                if let Some(log) = post.opened() {
                    log.end();
                }
                None
            }
        }
    })
}

/// Puts the response where the client looks for it.
fn deliver(post: &Post, text: Chunks) -> Option<Chunks> {
    match post.opened() {
        Some(log) => {
            log.push(text);
            log.end();
            None
        }
        None => Some(text),
    }
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    // Many older clients say nothing and read streams all the same.
    accepts.peek().is_none() || accepts.any(|value| value.contains("text/event-stream") || value.contains("*/*"))
}

/// Work that is finished by the tracker when nobody waits for it here any more: a legacy client that loses its
/// connection has not cancelled anything.
struct RunsOn {
    tracker: TaskTracker,
    work: Option<BoxFuture<'static, Option<Chunks>>>,
}

impl RunsOn {
    fn let_go(&mut self) {
        if let Some(work) = self.work.take() {
            self.tracker.spawn(work);
        }
    }
}

impl Future for RunsOn {
    type Output = Option<Chunks>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunks>> {
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let done = std::task::ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(done)
    }
}

impl Drop for RunsOn {
    fn drop(&mut self) {
        self.let_go();
    }
}
