//! The port to a server that is called.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Forward, Reply};
use crate::code::Fault;
use crate::front::BoxFuture;

/// The name of an upstream inside one instance: letters, digits, `-` and single `_`; unique without regard to case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(Arc<str>);

impl Slug {
    pub const LEN_MAX: usize = 40;

    /// Accepts a name that is a slug already.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LEN_MAX;
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let edges = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.ends_with(['-', '_']);
        (fits && plain && edges && !text.contains("__")).then(|| Self(text.into()))
    }

    /// Makes a slug of any name: what is not allowed becomes one `-`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let mut text = String::new();
        for c in name.chars() {
            let c = if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
            if !(matches!(c, '-' | '_') && text.ends_with(['-', '_'])) {
                text.push(c);
            }
        }
        let text = text.trim_matches(['-', '_']);
        let mut text = if text.starts_with(|c: char| c.is_ascii_alphabetic()) { text.to_owned() } else { format!("s{text}") };
        text.truncate(Self::LEN_MAX);
        Self(text.trim_end_matches(['-', '_']).into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an upstream is.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// `idle` (not started yet), `running`, `failed`, `sleeping` (stopped because nobody used it; the next call starts it
    /// again), `stopped` (by a person; it stays so until a person starts it).
    pub state: &'static str,
    /// The revision spoken, once known.
    pub revision: Option<crib_mcp::Revision>,
    /// Processes running for it.
    pub processes: usize,
    /// First process id, for people.
    pub pid: Option<u32>,
    pub parked: usize,
    /// Why the last start or probe failed.
    pub fault: Option<Fault>,
}

/// A server that can be called. Everything it offers goes through [`Upstream::call`].
///
/// The caller speaks 2026-07-28: `server/discover` instead of `initialize`, `subscriptions/listen` instead of a GET
/// stream, `input_required` instead of requests in the other direction. An implementation for an older server
/// translates, so that nothing behind this port knows which revision the server speaks.
pub trait Upstream: Send + Sync + 'static {
    /// Calls one method, and gives up at the deadline of `forward` (subscriptions have none).
    ///
    /// Dropping the future or the steps of a streaming reply cancels the call at the server.
    ///
    /// # Errors
    /// A [`Fault`] when the server could not be reached, died, broke the protocol or ran out of time. Errors that
    /// the server itself answered are an [`crate::Outcome::Error`].
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>>;

    /// How long one call may take here at most; it is the caller who puts that into the deadline.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    fn health(&self) -> Health;

    /// Returns the processes that were started for it; what these started is not among them.
    fn pids(&self) -> Vec<u32> {
        self.health().pid.into_iter().collect()
    }

    /// Resolves when it does not sleep, or not any more.
    fn woken(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Ends what runs for it now, also calls under way. The next call starts it again.
    fn rest(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Ends what runs for it now and refuses further calls until [`Upstream::start`], where it can be switched off at all.
    fn stop(&self) -> BoxFuture<'static, ()> {
        self.rest()
    }

    /// Takes calls again after [`Upstream::stop`].
    fn start(&self) {}

    /// Ends everything that runs for this upstream and waits for it. Nothing is started after it.
    fn close(&self) -> BoxFuture<'static, ()>;
}
