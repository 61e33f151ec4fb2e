//! Streamable HTTP in front of a server that speaks lines: messages go through as they are.
//!
//! What HTTP adds is the bridge's own: sessions, one process for each, in the older era; in the newer one a single
//! process, statuses by the codes of errors, and a cancellation where the client hangs up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Chunks, Revision, RpcError, code, message};
use crib_model::{Answer, BoxFuture, Carrier, Connection, Fault, Frame, Gateway, Inbound, Verb};
use crib_transport::{NoRoutes, ServerOptions, bind};
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::session::{Heard, Line, Said, Session};
use crate::target::{Options, Target};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Sessions at once, so processes.
const SESSIONS_MAX: usize = 16;
const CONNECTIONS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest wait for an answer of the server: the suite is told of it before it gives up itself.
const ANSWER_TIMEOUT_MAX: Duration = Duration::from_secs(25);
/// How long answers that are under way get when all is over.
const DRAIN: Duration = Duration::from_secs(1);

/// A listening bridge. It ends with [`Bridge::close`].
pub(crate) struct Bridge {
    url: String,
    ports: Arc<Ports>,
    shutdown: CancellationToken,
    tracker: TaskTracker,
}

/// What its requests share.
struct Ports {
    target: Target,
    is_modern: bool,
    /// Longest wait for an answer.
    timeout: Duration,
    sessions: Mutex<Sessions>,
    /// One process is started at a time.
    starting: Semaphore,
    tracker: TaskTracker,
}

#[derive(Default)]
struct Sessions {
    open: HashMap<String, Arc<Session>>,
    begun: u64,
    /// No more are begun.
    is_closed: bool,
}

/// The name of the one session of the newer era.
const ONLY: &str = "";

// === impl Bridge ===

impl Bridge {
    pub(super) async fn open(target: &Target, options: &Options, revision: Revision) -> Result<Self, Fault> {
        let server = bind(ServerOptions {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            body_bytes_max: BODY_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            drain: DRAIN,
            ..ServerOptions::default()
        })
        .await?;
        let port = server.local_addrs().first().map_or(0, SocketAddr::port);
        let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
        let ports = Arc::new(Ports {
            target: target.clone(),
            is_modern: revision.is_modern(),
            timeout: options.timeout.min(ANSWER_TIMEOUT_MAX),
            sessions: Mutex::default(),
            starting: Semaphore::new(1),
            tracker: tracker.clone(),
        });
        tracker.spawn(server.run(Arc::new(Front(Arc::clone(&ports))), Arc::new(NoRoutes), shutdown.clone()));
        Ok(Self { url: format!("http://127.0.0.1:{port}/mcp"), ports, shutdown, tracker })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends every process, and then the listener.
    pub(crate) async fn close(self) {
        let open = self.ports.sessions.lock().close();
        for session in open {
            session.close().await;
        }
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// The port that the HTTP front asks.
struct Front(Arc<Ports>);

impl Gateway for Front {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer> {
        let ports = Arc::clone(&self.0);
        Box::pin(async move { ports.answer(inbound).await.unwrap_or_else(Refused::answer) })
    }

    fn closed(&self, _connection: Connection) {}
}

// === impl Ports ===

impl Ports {
    async fn answer(self: &Arc<Self>, inbound: Inbound) -> Result<Answer, Refused> {
        if inbound.carrier != Carrier::Http {
            return Err(refused(405, code::INVALID_REQUEST, "this is no way to ask"));
        }
        let named = inbound.headers.get(SESSION).and_then(|value| value.to_str().ok());
        match inbound.verb {
            Verb::Post => self.post(named, inbound.body).await,
            Verb::Get | Verb::Delete if self.is_modern => Err(refused(405, code::INVALID_REQUEST, "there are no sessions")),
            Verb::Get => {
                let heard = self.known(named)?.hear();
                Ok(Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(Frames { first: None, heard }) })
            }
            Verb::Delete => {
                let session = self.known(named)?;
                self.sessions.lock().open.retain(|_, open| !Arc::ptr_eq(open, &session));
                self.tracker.spawn(async move { session.close().await });
                Ok(Answer::empty(200))
            }
        }
    }

    fn known(&self, named: Option<&str>) -> Result<Arc<Session>, Refused> {
        let Some(named) = named else { return Err(refused(400, code::INVALID_REQUEST, "there is no Mcp-Session-Id")) };
        self.sessions.lock().open.get(named).cloned().ok_or_else(|| refused(404, code::INVALID_REQUEST, "there is no such session"))
    }

    async fn post(self: &Arc<Self>, named: Option<&str>, body: Bytes) -> Result<Answer, Refused> {
        let Some(line) = Line::of(body) else { return Err(refused(400, code::PARSE, "the body is not one message")) };
        let (name, session) = self.session(named, &line).await?;
        let gone = || refused(502, code::INTERNAL, "the server is gone");
        let Some(id) = line.request.clone() else {
            session.send(line.text).await.map_err(|_gone| gone())?;
            return Ok(Answer::empty(202));
        };
        let asked = session.ask(&id, line.text, self.is_modern.then(|| self.tracker.clone())).await;
        let mut heard = asked.ok_or_else(|| refused(400, code::INVALID_REQUEST, "the id is in use, or the server is gone"))?;
        let first = tokio::time::timeout(self.timeout, heard.next()).await;
        let first = first.map_err(|_late| refused(504, code::INTERNAL, "the server did not answer in time"))?;
        let mut headers = HeaderMap::new();
        if let Some(name) = name.and_then(|name| HeaderValue::from_str(&name).ok()) {
            headers.insert(SESSION, name);
        }
        match first.ok_or_else(gone)? {
            Said { text, end: Some(error) } => {
                let status = if self.is_modern { status(error) } else { 200 };
                Ok(Answer::Message { status, headers, body: Chunks::from(text) })
            }
            first @ Said { end: None, .. } => Ok(Answer::Stream { headers, frames: Box::pin(Frames { first: Some(first), heard }) }),
        }
    }

    /// Finds the session of a message, or begins one; also returns the name that is new.
    async fn session(self: &Arc<Self>, named: Option<&str>, line: &Line) -> Result<(Option<String>, Arc<Session>), Refused> {
        if !self.is_modern && (named.is_some() || !line.is_initialize) {
            return Ok((None, self.known(named)?));
        }
        let Ok(_turn) = self.starting.acquire().await else { return Err(refused(503, code::INTERNAL, "the bridge is closed")) };
        if self.is_modern {
            let only = self.sessions.lock().open.get(ONLY).filter(|session| !session.is_gone()).cloned();
            if let Some(only) = only {
                return Ok((None, only));
            }
        }
        let (name, session) = self.begin()?;
        if self.is_modern {
            // A server of both eras goes by the first message, and the suite's first one may be wrong on purpose.
            let greeting = session.greet(&self.tracker);
            drop(tokio::time::timeout(self.timeout, greeting).await);
        }
        Ok(((!self.is_modern).then_some(name), session))
    }

    /// Starts a process, which somebody will end from here on.
    fn begin(&self) -> Result<(String, Arc<Session>), Refused> {
        let mut sessions = self.sessions.lock();
        sessions.open.retain(|_, session| !session.is_gone());
        if sessions.is_closed || sessions.open.len() >= SESSIONS_MAX {
            return Err(refused(503, code::INTERNAL, "there are too many sessions"));
        }
        let session = Session::begin(&self.target, self.is_modern, &self.tracker);
        let session = session.map_err(|fault| refused(502, code::INTERNAL, fault.message().to_owned()))?;
        sessions.begun += 1;
        let name = if self.is_modern { ONLY.to_owned() } else { format!("bridge-{}", sessions.begun) };
        sessions.open.insert(name.clone(), Arc::clone(&session));
        Ok((name, session))
    }
}

impl Sessions {
    /// Gives up all of them, and begins no more.
    fn close(&mut self) -> Vec<Arc<Session>> {
        self.is_closed = true;
        self.open.drain().map(|(_, session)| session).collect()
    }
}

/// What the transport asks for: the status goes with the error.
fn status(error: Option<i64>) -> u16 {
    match error {
        Some(code::METHOD_NOT_FOUND) => 404,
        Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION | code::INVALID_REQUEST | code::PARSE) => 400,
        _ => 200,
    }
}

/// A refusal of the bridge itself.
struct Refused {
    status: u16,
    error: Box<RpcError>,
}

fn refused(status: u16, code: i64, text: impl Into<Cow<'static, str>>) -> Refused {
    Refused { status, error: Box::new(RpcError::new(code, text)) }
}

impl Refused {
    fn answer(self) -> Answer {
        Answer::json(self.status, message::error(None, &self.error))
    }
}

/// What a session says, as a stream to the client.
struct Frames {
    first: Option<Said>,
    heard: Heard,
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = &mut *self;
        let next = match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => this.heard.poll_next(context),
        };
        next.map(|said| said.map(|said| Frame::message(Chunks::from(said.text))))
    }
}
