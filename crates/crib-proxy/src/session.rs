//! Legacy sessions: what `initialize` settled, the streams to the client, and the questions it has been asked.

mod store;

pub(crate) use store::Sessions;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Json, Method, RequestId, Revision, RpcError, code, message};
use crib_model::{Client, Code, Fault, Principal, Scope};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::follow::Subscription;
use crate::legacy::Post;
use crate::stream::{Ids, StreamLog};

/// How many finished streams a session keeps for clients that come back for the end.
const STREAMS_KEPT: usize = 16;

/// What a client answered to a question.
pub(crate) type Reply = Result<Json, RpcError>;

/// The resources a session is subscribed to, by the client's URIs.
#[derive(Default)]
pub(crate) struct Watching {
    pub(crate) uris: BTreeSet<String>,
    pub(crate) held: Option<Subscription>,
}

/// A request under way.
struct Running {
    post: Weak<Post>,
    /// Milliseconds of the monotonic clock when it came.
    since_ms: u64,
}

/// One legacy client's session.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) principal: Arc<Principal>,
    pub(crate) scope: Scope,
    pub(crate) client: Arc<Client>,
    /// Messages that belong to no request: the GET stream, or everything on carriers with one stream.
    pub(crate) outlet: Arc<StreamLog>,
    pub(crate) log_level: Mutex<Option<Json>>,
    /// Ends everything the session has under way.
    pub(crate) closed: CancellationToken,
    /// The same for those who only look: no lock, and on a line of memory they have read anyway.
    is_closed: AtomicBool,
    pub(crate) subscription: tokio::sync::Mutex<Watching>,
    /// Whether changes are passed on already.
    pub(crate) follows: AtomicBool,
    streams: Mutex<Vec<(String, Arc<StreamLog>)>>,
    asked: Mutex<HashMap<u64, oneshot::Sender<Reply>>>,
    running: Mutex<HashMap<Bytes, Running, RandomState>>,
    next: AtomicU64,
    /// Milliseconds of the monotonic clock at the last request.
    pub(crate) used_ms: AtomicU64,
}

impl Session {
    pub(crate) fn new(id: String, principal: Arc<Principal>, scope: Scope, client: Arc<Client>, outlet: Arc<StreamLog>) -> Arc<Self> {
        Arc::new(Self {
            outlet,
            id,
            principal,
            scope,
            client,
            log_level: Mutex::default(),
            closed: CancellationToken::new(),
            is_closed: AtomicBool::new(false),
            subscription: tokio::sync::Mutex::default(),
            follows: AtomicBool::new(false),
            streams: Mutex::default(),
            asked: Mutex::default(),
            running: Mutex::default(),
            next: AtomicU64::new(1),
            used_ms: AtomicU64::new(0),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Opens a stream of its own for one request.
    pub(crate) fn open_stream(&self) -> Arc<StreamLog> {
        let name = self.next().to_string();
        let log = StreamLog::new(name.clone(), Ids::Numbered);
        let mut streams = self.streams.lock();
        if streams.len() >= STREAMS_KEPT
            && let Some(at) = streams.iter().position(|(_, log)| log.is_ended())
        {
            streams.remove(at);
        }
        streams.push((name, Arc::clone(&log)));
        log
    }

    /// Finds the stream an event id belongs to.
    pub(crate) fn stream(&self, name: &str) -> Option<Arc<StreamLog>> {
        if name == "0" {
            return Some(Arc::clone(&self.outlet));
        }
        self.streams.lock().iter().find(|(n, _)| n == name).map(|(_, log)| Arc::clone(log))
    }

    /// Asks the client on a stream and waits for its answer.
    pub(crate) async fn ask(
        &self,
        stream: &StreamLog,
        method: &Method,
        params: crib_mcp::Chunks,
        timeout: Duration,
    ) -> Result<Reply, Fault> {
        let id = self.next();
        let (tx, rx) = oneshot::channel();
        self.asked.lock().insert(id, tx);
        let asked = Asked { session: self, id };
        stream.push(message::request(&RequestId::number(id), method.as_str(), &params));
        let answer = tokio::select! {
            answer = tokio::time::timeout(timeout, rx) => answer,
            () = self.closed.cancelled() => return Err(Fault::new(Code::InputLost, "the session ended before the answer")),
        };
        drop(asked);
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(Fault::new(Code::InputLost, "the session ended before the answer")),
            Err(_) => {
                let seconds = timeout.as_secs_f64();
                Err(Fault::new(Code::InputLost, format!("the client did not answer `{method}` within {seconds} seconds")))
            }
        }
    }

    /// Takes the client's answer to a question; tells whether there was such a question.
    pub(crate) fn answered(&self, id: &RequestId, reply: Reply) -> bool {
        let Some(waiting) = id.as_u64().and_then(|id| self.asked.lock().remove(&id)) else { return false };
        waiting.send(reply).is_ok()
    }

    /// Notes a request as running, so that the client can cancel it.
    ///
    /// # Errors
    /// The id is in use.
    pub(crate) fn start(&self, id: &RequestId, post: &Arc<Post>) -> Result<(), RpcError> {
        let key = id.as_json().bytes().clone();
        let mut running = self.running.lock();
        if running.contains_key(&key) {
            return Err(RpcError::new(code::INVALID_REQUEST, "Invalid Request: the id is that of a request still running"));
        }
        let since_ms = self.used_ms.load(Ordering::Relaxed);
        running.insert(key, Running { post: Arc::downgrade(post), since_ms });
        // Whoever closes the session does so before it looks for what is running.
        if self.is_closed() {
            post.cancel();
        }
        Ok(())
    }

    pub(crate) fn finish(&self, id: &RequestId) {
        self.running.lock().remove(id.as_json().bytes());
    }

    /// Cancels a request the client no longer wants; unknown ids are ignored.
    pub(crate) fn cancel(&self, id: &Json) {
        let post = self.running.lock().get(id.bytes()).and_then(|running| running.post.upgrade());
        if let Some(post) = post {
            post.cancel();
        }
    }

    /// Opens streams for requests that have been silent since `before_ms`, so that a client that loses the
    /// connection can come back for the answer (2025-11-25, transports, "Sending Messages" 6).
    pub(crate) fn prime(&self, before_ms: u64) {
        if self.client.revision < Revision::V2025_11_25 {
            return;
        }
        let silent: Vec<Arc<Post>> = self
            .running
            .lock()
            .values()
            .filter(|running| running.since_ms <= before_ms)
            .filter_map(|running| running.post.upgrade())
            .collect();
        for post in silent {
            post.prime();
        }
    }

    /// Ends the session: questions fail, requests are cancelled, streams end.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.closed.cancel();
        let running: Vec<Arc<Post>> = self.running.lock().values().filter_map(|running| running.post.upgrade()).collect();
        running.iter().for_each(|post| post.cancel());
        self.outlet.end();
        for (_, log) in self.streams.lock().drain(..) {
            log.end();
        }
        self.asked.lock().clear();
    }
}

/// Forgets a question when nobody waits for its answer any more.
struct Asked<'a> {
    session: &'a Session,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.session.asked.lock().remove(&self.id);
    }
}
