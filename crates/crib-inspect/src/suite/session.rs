//! One process behind the bridge: which of its lines belongs to which request.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{Method, meta};
use crib_model::{Code, Fault};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::modern_meta;
use crate::tap::Tap;
use crate::target::{Abilities, Target, Way};
use crate::wire::{self, LinesWire, Outgoing, Reports, Wire as _};

/// Messages that wait to be read by a client; further ones are lost to it.
const WAITING_MAX: usize = 256;
/// Messages that wait for a stream to be opened; the oldest are forgotten first.
const EARLY_MAX: usize = 64;
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// The id of the bridge's own request.
const GREETING: &str = "toolcrib-bridge";

/// A message of a client.
pub(super) struct Line {
    pub(super) text: Bytes,
    /// The id as it is written, where an answer is wanted.
    pub(super) request: Option<String>,
    pub(super) is_initialize: bool,
}

/// A message of the server.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: Bytes,
    /// It is the answer: with the code of its error, where it is one.
    pub(super) end: Option<Option<i64>>,
}

/// A process, and who waits for its messages.
pub(super) struct Session {
    wire: Arc<LinesWire>,
    waiting: Mutex<Waiting>,
    leaving: CancellationToken,
}

#[derive(Default)]
struct Waiting {
    /// By the ids of their requests.
    requests: HashMap<String, mpsc::Sender<Said>>,
    /// For what belongs to no request.
    stream: Option<mpsc::Sender<Said>>,
    early: VecDeque<Said>,
    is_modern: bool,
    is_gone: bool,
}

/// What one request or stream hears. Dropped before its answer, the request is given up.
pub(super) struct Heard {
    queue: mpsc::Receiver<Said>,
    session: Arc<Session>,
    /// The id of the request, until it is answered.
    request: Option<String>,
    /// Tells the server that a request was given up.
    cancels: Option<TaskTracker>,
}

// === impl Line ===

impl Line {
    /// Reads what the bridge has to know of a message.
    pub(super) fn of(body: Bytes) -> Option<Self> {
        let value: Value = serde_json::from_slice(&body).ok()?;
        let method = value.as_object()?.get("method");
        let request = value.get("id").filter(|_| method.is_some()).map(ToString::to_string);
        let is_initialize = method.is_some_and(|method| method == "initialize");
        // A line break can only stand between tokens.
        let is_line = !body.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        let text = if is_line { body } else { body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect() };
        Some(Self { text, request, is_initialize })
    }
}

// === impl Session ===

impl Session {
    pub(super) fn begin(target: &Target, is_modern: bool, tracker: &TaskTracker) -> Result<Arc<Self>, Fault> {
        let (reports, queue) = Reports::new(&Tap::new(Vec::new()), "stdio");
        let wire = match &target.way {
            Way::Command(command) => LinesWire::spawn(command, &target.name, reports, tracker)?,
            Way::Here(open) => LinesWire::here(open(), &target.name, reports, tracker),
            Way::Url { .. } => return Err(Fault::new(Code::Internal, "a URL does not speak lines")),
        };
        let session =
            Arc::new(Self { wire, waiting: Mutex::new(Waiting { is_modern, ..Waiting::default() }), leaving: CancellationToken::new() });
        tracker.spawn(Arc::clone(&session).read(queue));
        Ok(session)
    }

    /// Ends the process, and with it what waits for its messages.
    pub(super) async fn close(&self) {
        self.wire.close().await;
        self.leaving.cancel();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.waiting.lock().is_gone
    }

    pub(super) async fn send(&self, text: Bytes) -> Result<(), Fault> {
        let outgoing = Outgoing {
            text,
            id: None,
            headers: http::HeaderMap::new(),
            deadline: Instant::now() + SEND_TIMEOUT,
            cancelled: CancellationToken::new(),
        };
        self.wire.send(outgoing).await
    }

    /// Sends a request; nothing where its id is in use or nobody reads it. With a tracker, giving it up is told.
    pub(super) async fn ask(self: &Arc<Self>, id: &str, text: Bytes, cancels: Option<TaskTracker>) -> Option<Heard> {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        {
            let mut waiting = self.waiting.lock();
            if waiting.is_gone || waiting.requests.contains_key(id) {
                return None;
            }
            waiting.requests.insert(id.to_owned(), sender);
        }
        let heard = Heard { queue, session: Arc::clone(self), request: Some(id.to_owned()), cancels };
        self.send(text).await.ok()?;
        Some(heard)
    }

    /// Asks what a client of the newer era asks first, and waits for the answer.
    pub(super) async fn greet(self: &Arc<Self>, cancels: &TaskTracker) {
        let id = Value::from(GREETING);
        let params = json!({ "_meta": modern_meta(Abilities::None) });
        let text = json!({ "jsonrpc": "2.0", "id": id, "method": Method::Discover.as_str(), "params": params }).to_string();
        if let Some(mut heard) = self.ask(&id.to_string(), Bytes::from(text), Some(cancels.clone())).await {
            while heard.next().await.is_some_and(|said| said.end.is_none()) {}
        }
    }

    /// Opens the stream for what belongs to no request; one that was open before ends.
    pub(super) fn hear(self: &Arc<Self>) -> Heard {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        let mut waiting = self.waiting.lock();
        for said in waiting.early.drain(..) {
            drop(sender.try_send(said));
        }
        waiting.stream = (!waiting.is_gone).then_some(sender);
        drop(waiting);
        Heard { queue, session: Arc::clone(self), request: None, cancels: None }
    }

    async fn read(self: Arc<Self>, mut queue: mpsc::Receiver<wire::Heard>) {
        loop {
            let heard = tokio::select! {
                heard = queue.recv() => heard,
                () = self.leaving.cancelled() => None,
            };
            match heard {
                Some(wire::Heard::Message { text, .. }) => self.waiting.lock().take(text),
                Some(wire::Heard::Lost { .. }) => {}
                Some(wire::Heard::Ended(_)) | None => break,
            }
        }
        let mut waiting = self.waiting.lock();
        *waiting = Waiting { is_gone: true, ..Waiting::default() };
    }
}

// === impl Waiting ===

impl Waiting {
    /// Hands a message of the server to whoever waits for it.
    fn take(&mut self, text: Bytes) {
        let Ok(value) = serde_json::from_slice::<Value>(&text) else { return };
        let is_answer = value.get("method").is_none();
        if is_answer {
            let id = value.get("id").map(ToString::to_string).unwrap_or_default();
            let code = value.pointer("/error/code").and_then(Value::as_i64);
            if let Some(asked) = self.requests.remove(&id) {
                drop(asked.try_send(Said { text, end: Some(code) }));
            }
            return;
        }
        let of = value.pointer("/params/_meta").and_then(|own| own.get(meta::SUBSCRIPTION_ID)).map(ToString::to_string);
        if let Some(asked) = of.and_then(|id| self.requests.get(&id)) {
            drop(asked.try_send(Said { text, end: None }));
            return;
        }
        self.everybody(text);
    }

    /// A message that names no request: in the newer era for all who wait, in the older one for the stream.
    fn everybody(&mut self, text: Bytes) {
        if self.is_modern {
            for asked in self.requests.values() {
                drop(asked.try_send(Said { text: text.clone(), end: None }));
            }
            return;
        }
        let said = Said { text, end: None };
        if let Some(stream) = self.stream.as_ref().filter(|stream| !stream.is_closed()) {
            drop(stream.try_send(said));
            return;
        }
        self.stream = None;
        if self.early.len() >= EARLY_MAX {
            self.early.pop_front();
        }
        self.early.push_back(said);
    }
}

// === impl Heard ===

impl Heard {
    pub(super) async fn next(&mut self) -> Option<Said> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Said>> {
        let next = self.queue.poll_recv(context);
        if let Poll::Ready(None | Some(Said { end: Some(_), .. })) = &next {
            self.request = None;
        }
        next
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let Some(id) = self.request.take() else { return };
        self.session.waiting.lock().requests.remove(&id);
        let (Some(tracker), Ok(id)) = (&self.cancels, serde_json::from_str::<Value>(&id)) else { return };
        let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        let session = Arc::clone(&self.session);
        // Whether anybody still reads it is the server's own affair.
        tracker.spawn(async move { drop(session.send(Bytes::from(cancelled.to_string())).await) });
    }
}
