//! The record of one call: written exactly once, whatever became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Method, Revision};

use crate::code::Code;
use crate::principal::Principal;
use crate::trace::TraceContext;
use crate::upstream::Slug;

/// How a call ended, for metering and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ok,
    /// The tool ran and said `isError`.
    ToolError,
    /// The upstream answered with a JSON-RPC error of this code.
    UpstreamError(i64),
    /// Waits for the client's answers; the retry has an entry of its own.
    InputRequired,
    /// Goes on as a task.
    Task,
    /// Refused or failed on this side.
    Failed(Code),
    /// The client went away before the end.
    Abandoned,
}

/// One call, settled.
#[derive(Clone, Debug)]
pub struct Entry {
    pub principal: Arc<Principal>,
    pub client: Revision,
    /// Name and version of the client, as it says: `claude-code/2.1.329`.
    pub client_name: Option<Arc<str>>,
    pub method: Method,
    /// The upstream that was asked, once known.
    pub upstream: Option<Slug>,
    /// Tool, prompt or resource in the upstream's words, once resolved; never free text of the client.
    pub target: Option<Arc<str>>,
    pub ending: Ending,
    pub latency: Duration,
    /// When it ended.
    pub ended: Instant,
    pub request_bytes: usize,
    pub reply_bytes: usize,
    pub trace: Option<TraceContext>,
    /// The span of this call, a child of the client's.
    pub parent_span: Option<u64>,
}

/// Where entries go: metrics, access log, audit, traces. Must not block.
pub trait Ledger: Send + Sync + 'static {
    fn settle(&self, entry: &Entry);

    /// Tells whether entries should carry a trace context of their own.
    fn traces(&self) -> bool {
        false
    }

    /// Tells whether entries should at least name the trace they belong to, for people who look for it.
    fn names_traces(&self) -> bool {
        self.traces()
    }

    /// Decides whether a trace that starts here is recorded. Upstreams are told, so that all of it is or nothing.
    fn samples(&self, _trace_id: u128) -> bool {
        true
    }
}
