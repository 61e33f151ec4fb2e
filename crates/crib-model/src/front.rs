//! The port between a front, which moves bytes, and the data plane, which gives them meaning.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;
use crib_mcp::Chunks;
use futures_core::Stream;
use http::HeaderMap;

use crate::upstream::Slug;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a client did on the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Sent one message (or a batch).
    Post,
    /// Opened a stream for messages that answer nothing in particular.
    Get,
    /// Ended its session.
    Delete,
}

/// Which servers an endpoint serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    All,
    One(Slug),
}

/// A number that names one connection of a carrier that has connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection(pub u64);

/// What carries the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Streamable HTTP: an answer belongs to its request.
    Http,
    /// HTTP+SSE of 2024-11-05: answers go to the stream of the session named in the request's query.
    Sse { session: Option<String> },
    /// Lines on standard input and output: one connection, one stream.
    Stdio(Connection),
    /// A WebSocket: one connection, one stream, of a caller who showed a key when it was opened.
    Socket(Connection),
}

/// One message or act of a client, as it came.
#[derive(Debug)]
pub struct Inbound {
    pub verb: Verb,
    pub carrier: Carrier,
    pub scope: Scope,
    /// Empty on stdio; those of the handshake on a WebSocket.
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: Option<IpAddr>,
}

/// One message on a stream to a client.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// SSE `event:`; `message` when absent.
    pub event: Option<&'static str>,
    /// SSE `id:`, for legacy clients that may resume.
    pub id: Option<String>,
    /// SSE `retry:`, milliseconds.
    pub retry_ms: Option<u64>,
    pub data: Chunks,
}

impl Frame {
    #[must_use]
    pub fn message(data: Chunks) -> Self {
        Self { data, ..Self::default() }
    }
}

/// Messages to a client. Dropping it means the client is gone.
pub type Frames = Pin<Box<dyn Stream<Item = Frame> + Send>>;

/// What goes back.
pub enum Answer {
    /// A status and, where it helps, one JSON message.
    Message { status: u16, headers: HeaderMap, body: Chunks },
    /// A stream of messages; SSE on HTTP.
    Stream { headers: HeaderMap, frames: Frames },
}

impl Answer {
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::Message { status, headers: HeaderMap::new(), body: Chunks::default() }
    }

    #[must_use]
    pub fn json(status: u16, body: Chunks) -> Self {
        Self::Message { status, headers: HeaderMap::new(), body }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { status, body, .. } => f.debug_struct("Message").field("status", status).field("body", &body.len()).finish(),
            Self::Stream { .. } => f.write_str("Stream"),
        }
    }
}

/// The data plane, as a front sees it.
pub trait Gateway: Send + Sync + 'static {
    /// Takes one inbound act and answers it.
    ///
    /// Dropping the future, or the frames of its answer, tells that the client went away: a modern call is then
    /// cancelled, a legacy one runs on.
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer>;

    /// The instance is about to end: calls get the time to finish, and what would never end by itself ends now, with the
    /// last word it has. There is no way back.
    fn draining(&self) {}

    /// A connection of a carrier that has connections was closed by the client.
    fn closed(&self, connection: Connection);
}
