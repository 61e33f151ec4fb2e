//! What carries messages to a server and back: lines, Streamable HTTP, HTTP+SSE.

mod http;
mod lines;
mod sse;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use bytes::Bytes;
use crib_model::{BoxFuture, Fault};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::tap::{Direction, Passing, Tap};

pub(crate) use http::{HttpWire, Place};
pub(crate) use lines::LinesWire;
pub(crate) use sse::SseWire;

/// Messages from the server that wait to be looked at; beyond it reading pauses.
pub(crate) const QUEUE_MAX: usize = 1024;

/// A message to the server.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: Bytes,
    /// The number of the request, if it is one.
    pub(crate) id: Option<u64>,
    /// Headers that this message needs on HTTP.
    pub(crate) headers: HeaderMap,
    pub(crate) deadline: Instant,
    /// Cancelled when nobody wants the answer any more.
    pub(crate) cancelled: CancellationToken,
}

/// What comes from the server's side.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message, in answer to the HTTP request of this number where there was one.
    Message { text: Bytes, of: Option<u64>, status: Option<u16> },
    /// A request will have no answer.
    Lost { of: u64, fault: Fault, status: Option<u16> },
    /// There will be nothing more.
    Ended(Fault),
}

/// How a conversation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How long it took the server to leave.
    pub after: Duration,
    /// It left when its input was closed, without a signal.
    pub by_itself: Option<bool>,
    /// Its exit status, in words.
    pub status: Option<String>,
}

/// A carrier of messages.
pub(crate) trait Wire: Send + Sync {
    fn transport(&self) -> &'static str;
    /// Hands a message over. An answer comes through the queue.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<(), Fault>>;
    /// The handshake settled on a revision: HTTP repeats it in a header.
    fn settled(&self, _revision: &str) {}
    /// Opens the stream for what belongs to no request, where the transport has one.
    fn hear(&self) {}
    fn pid(&self) -> Option<u32> {
        None
    }
    fn stderr_tail(&self) -> Vec<String> {
        Vec::new()
    }
    fn close(&self) -> BoxFuture<'_, Ended>;
}

/// What every wire tells, and whom.
#[derive(Clone)]
pub(crate) struct Reports {
    pub(crate) tap: Arc<Tap>,
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) connection: u64,
    pub(crate) transport: &'static str,
}

impl Reports {
    pub(crate) fn new(tap: &Arc<Tap>, transport: &'static str) -> (Self, mpsc::Receiver<Heard>) {
        let (heard, queue) = mpsc::channel(QUEUE_MAX);
        (Self { tap: Arc::clone(tap), heard, connection: tap.connection(), transport }, queue)
    }

    pub(crate) fn sent(&self, text: &Bytes, headers: Vec<(String, String)>) {
        self.tap.pass(text, self.passing(Direction::Out, None, headers));
    }

    pub(crate) fn received(&self, text: &Bytes, status: Option<u16>, headers: Vec<(String, String)>) {
        self.tap.pass(text, self.passing(Direction::In, status, headers));
    }

    fn passing(&self, direction: Direction, status: Option<u16>, headers: Vec<(String, String)>) -> Passing {
        Passing { direction, transport: self.transport, connection: self.connection, status, headers }
    }

    /// Nobody listens any more where this fails, and then nobody misses it.
    pub(crate) async fn tell(&self, heard: Heard) {
        drop(self.heard.send(heard).await);
    }
}
