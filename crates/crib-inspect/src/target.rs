//! What is inspected, and how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crib_mcp::Revision;
use crib_model::limits;
use crib_transport::{CommandLine, Endpoint};
use tokio::io::DuplexStream;

/// Opens a conversation inside this process: what is written to the stream is read by the server.
pub type OpenPipe = Arc<dyn Fn() -> DuplexStream + Send + Sync>;

/// How a server is reached.
#[derive(Clone)]
pub enum Way {
    /// A command that speaks lines.
    Command(CommandLine),
    /// A URL, and the headers that go with every request.
    Url { url: Endpoint, headers: Vec<(String, String)>, transport: UrlTransport },
    /// A server inside this process, which speaks lines.
    Here(OpenPipe),
}

/// Which of the transports of a URL is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlTransport {
    /// Streamable HTTP, or HTTP+SSE where that is refused.
    #[default]
    Auto,
    Streamable,
    Sse,
}

/// A server to be inspected.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server as people know it.
    pub name: String,
    pub way: Way,
    /// What is known of its package.
    pub origin: Origin,
}

/// Where a server comes from, as far as a grade has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The package with its version, `pypi:mcp-server-time@2026.10.19`.
    pub package: Option<String>,
    /// Digest of the package's bytes.
    pub digest: Option<String>,
    /// Whether it runs in a sandbox.
    pub confinement: Confinement,
    /// Who stands for the package.
    pub signature: Signature,
    /// When this version was released, in seconds since 1970.
    pub released_unix: Option<u64>,
    /// How many packages were installed with it.
    pub packages: usize,
}

/// Who stands for the bytes of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    #[default]
    Absent,
    /// There is one, and why it was not checked.
    Unchecked(String),
    /// By whom.
    Verified(String),
}

/// What keeps a server from the rest of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    Sandboxed,
    #[default]
    Unconfined,
    /// It runs elsewhere.
    Elsewhere,
}

/// Which era is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EraChoice {
    /// Modern where the server is, else legacy.
    #[default]
    Auto,
    Modern,
    /// The newest revision of it, or the one that is named.
    Legacy(Option<Revision>),
}

/// How a conversation is held.
#[derive(Clone, Debug)]
pub struct Options {
    pub era: EraChoice,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Longest wait for the first answer.
    pub start_timeout: Duration,
    /// What the server is told that this client can do.
    pub abilities: Abilities,
}

/// What a server is told that its client can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abilities {
    /// Elicitation, sampling, roots and tasks.
    #[default]
    Full,
    /// The same without tasks: every call is answered at once.
    AtOnce,
    None,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { era: EraChoice::Auto, timeout: limits::CALL_TIMEOUT, start_timeout: limits::START_TIMEOUT, abilities: Abilities::Full }
    }
}

impl Abilities {
    /// Whether calls and questions may become tasks.
    #[must_use]
    pub const fn has_tasks(self) -> bool {
        matches!(self, Self::Full)
    }
}

impl EraChoice {
    /// Reads `auto`, `modern`, `legacy` or a revision.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "modern" => Some(Self::Modern),
            "legacy" => Some(Self::Legacy(None)),
            other => Revision::parse(other).map(|revision| if revision.is_modern() { Self::Modern } else { Self::Legacy(Some(revision)) }),
        }
    }
}

impl Confinement {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandboxed => "sandboxed",
            Self::Unconfined => "unconfined",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl fmt::Debug for Way {
    /// Leaves out the values of headers: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Url { url, transport, .. } => {
                f.debug_struct("Url").field("url", url).field("transport", transport).finish_non_exhaustive()
            }
            Self::Here(_) => f.write_str("Here"),
        }
    }
}
