//! The proxy through which a server reaches the hosts that were granted to it, and no others.
//!
//! It listens at a Unix socket, which only the server it was made for is given. `CONNECT` and plain HTTP requests are
//! taken; a name is resolved here, and only addresses of the public internet are connected to, unless an address or
//! `localhost` itself was granted.

#[cfg(not(unix))]
mod idle;
#[cfg(unix)]
mod proxy;
mod rule;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crib_model::{Code, Fault};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use rule::HostRule;

#[cfg(not(unix))]
use idle::serve;
#[cfg(unix)]
use proxy::serve;

/// What a server tried to reach and may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub host: String,
    pub port: u16,
    pub why: &'static str,
}

/// Is told of everything that was refused.
type Tell = Arc<dyn Fn(Refused) + Send + Sync>;

/// A running proxy of one server. Dropping it ends it.
pub struct Egress {
    socket: PathBuf,
    tasks: TaskTracker,
    _closing: DropGuard,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Egress {
    /// Starts a proxy at a socket to be made at `socket`, in a folder that is this user's alone.
    ///
    /// # Errors
    /// TC0509 when the socket cannot be made.
    pub fn start(socket: PathBuf, rules: Vec<HostRule>, tell: impl Fn(Refused) + Send + Sync + 'static) -> Result<Self, Fault> {
        let failed = |error| Fault::new(Code::SandboxFailed, "the proxy for granted hosts cannot be started").because(error);
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        let begun = serve(&socket, rules.into(), Arc::new(tell), &tasks, &closing);
        begun.map_err(|error| failed(format!("`{}`: {error}", socket.display())))?;
        Ok(Self { socket, tasks, _closing: closing.drop_guard() })
    }

    /// Returns what [`crate::Net::Proxy`] wants.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends the proxy and waits for its connections.
    pub async fn close(self) {
        let tasks = self.tasks.clone();
        drop(self);
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        // A socket left behind is refused by nobody listening.
        drop(std::fs::remove_file(&self.socket));
    }
}
