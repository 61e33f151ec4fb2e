//! What a connector is told: which server, and within which bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crib_model::limits::{CALL_TIMEOUT, ERA_TTL, INPUT_TIMEOUT, PROCESS_IDLE, PROCESSES_MAX, START_TIMEOUT};
use crib_model::{Clock, Entropy, Redaction, Slug};
use crib_transport::{CommandLine, Endpoint, HttpClient};
use tokio_util::task::TaskTracker;

/// Where a server is.
#[derive(Clone)]
pub enum Source {
    /// A command that speaks lines of any revision.
    Stdio(CommandLine),
    /// A URL that speaks Streamable HTTP of any revision, or HTTP+SSE where that is refused.
    Http { url: Endpoint, headers: Vec<(String, String)> },
    /// A URL that speaks HTTP+SSE of 2024-11-05.
    Sse { url: Endpoint, headers: Vec<(String, String)> },
}

#[derive(Clone, Debug)]
pub struct ConnectorOptions {
    /// The server as people know it.
    pub slug: Slug,
    pub source: Source,
    /// What the server was given and nobody is to read in its words.
    pub secrets: Redaction,
    /// Longest time for one call, whatever its deadline.
    pub timeout: Duration,
    /// Longest time for the server to start and answer its first request.
    pub start_timeout: Duration,
    /// Processes, or sessions on one channel, for clients that can be asked in the middle of a call.
    pub processes_max: usize,
    /// How long such a process lives without a call. A server that may have one alone keeps it: it has state.
    pub process_idle: Duration,
    /// How long a command lives that nobody uses; the next call starts it again. It lives on where absent.
    pub keep_alive: Option<Duration>,
    /// How long a call waits for the answer to a question; then it is given up.
    pub input_timeout: Duration,
    /// How long a server is believed to be of the era it was found to be of.
    pub era_ttl: Duration,
}

/// What all connectors of an instance have in common.
pub struct Shared {
    pub http: HttpClient,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Owns every task a connector starts.
    pub tracker: TaskTracker,
}

// === impl ConnectorOptions ===

impl ConnectorOptions {
    /// Describes a server with the usual bounds.
    #[must_use]
    pub fn new(slug: Slug, source: Source) -> Self {
        Self {
            slug,
            source,
            secrets: Redaction::default(),
            timeout: CALL_TIMEOUT,
            start_timeout: START_TIMEOUT,
            processes_max: PROCESSES_MAX,
            process_idle: PROCESS_IDLE,
            keep_alive: None,
            input_timeout: INPUT_TIMEOUT,
            era_ttl: ERA_TTL,
        }
    }
}

impl fmt::Debug for Source {
    /// Leaves out the values of headers: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, url, headers) = match self {
            Self::Stdio(command) => return f.debug_tuple("Stdio").field(command).finish(),
            Self::Http { url, headers } => ("Http", url, headers),
            Self::Sse { url, headers } => ("Sse", url, headers),
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct(kind).field("url", &url.as_str()).field("headers", &names).finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("http", &self.http).finish_non_exhaustive()
    }
}
