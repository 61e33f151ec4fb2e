//! The suite's one way out of its sandbox: a socket behind which is the server that it tests, byte for byte.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crib_model::{Code, Fault};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::shop;

/// Longest path of a Unix socket that every system takes.
const SOCKET_PATH_MAX: usize = 100;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: u16,
}

/// Opens ways, and waits for their ends.
pub(super) struct Ways {
    data: PathBuf,
    tracker: TaskTracker,
    opened: AtomicU64,
}

/// One way. It ends when it is dropped.
pub(super) struct Way {
    socket: PathBuf,
    _closing: DropGuard,
}

// === impl Place ===

impl Place {
    pub(super) fn of(url: &str) -> Result<Self, Fault> {
        let odd = || Fault::new(Code::SourceInvalid, "the address of the server has no host");
        let uri: http::Uri = url.parse().map_err(|error| odd().because(error))?;
        let host = uri.host().ok_or_else(odd)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        Ok(Self { host, port: uri.port_u16().unwrap_or(usual) })
    }
}

// === impl Ways ===

impl Ways {
    pub(super) fn new(data: PathBuf) -> Self {
        Self { data, tracker: TaskTracker::new(), opened: AtomicU64::new(0) }
    }

    pub(super) fn open(&self, place: Place) -> io::Result<Way> {
        let name = format!("{}-suite-{}.sock", std::process::id(), self.opened.fetch_add(1, Ordering::Relaxed));
        let mut folder = self.data.join("run");
        if folder.join(&name).as_os_str().len() > SOCKET_PATH_MAX {
            folder = std::env::temp_dir().join(format!("toolcrib-{}", std::process::id()));
        }
        shop::private_folder(&folder)?;
        let socket = folder.join(name);
        drop(std::fs::remove_file(&socket));
        let closing = CancellationToken::new();
        serve(&socket, place, &self.tracker, &closing)?;
        Ok(Way { socket, _closing: closing.drop_guard() })
    }

    /// Waits until every way has ended.
    pub(super) async fn close(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

// === impl Way ===

impl Way {
    /// Returns what [`crib_sandbox::Net::Proxy`] wants.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // A socket left behind is refused by nobody listening.
        drop(std::fs::remove_file(&self.socket));
    }
}

#[cfg(unix)]
fn serve(socket: &Path, place: Place, tracker: &TaskTracker, closing: &CancellationToken) -> io::Result<()> {
    use std::sync::Arc;

    use tokio::net::UnixListener;
    use tokio::sync::Semaphore;

    /// Connections at once; further ones wait.
    const CONNECTIONS_MAX: usize = 64;

    let listener = UnixListener::bind(socket)?;
    let (ending, room) = (closing.clone(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let all = tracker.clone();
    let accepting = async move {
        while let Ok(turn) = Arc::clone(&room).acquire_owned().await {
            let Ok((inside, _)) = listener.accept().await else { continue };
            let (place, ending) = (place.clone(), ending.clone());
            all.spawn(async move {
                drop(ending.run_until_cancelled(carry(inside, place)).await);
                drop(turn);
            });
        }
    };
    tracker.spawn(closing.clone().run_until_cancelled_owned(accepting));
    Ok(())
}

#[cfg(unix)]
async fn carry(mut inside: tokio::net::UnixStream, place: Place) -> io::Result<()> {
    use std::time::Duration;

    use tokio::net::TcpStream;

    /// Longest wait for the server to take a connection.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    let connecting = TcpStream::connect((place.host.as_str(), place.port));
    let mut outside = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}

#[cfg(not(unix))]
fn serve(_: &Path, _: Place, _: &TaskTracker, _: &CancellationToken) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_a_url() {
        let place = |host: &str, port| Place { host: host.to_owned(), port };
        for (url, is) in [
            ("http://127.0.0.1:8080/mcp", place("127.0.0.1", 8080)),
            ("https://mcp.example.com/mcp?a=b", place("mcp.example.com", 443)),
            ("http://[::1]/", place("::1", 80)),
        ] {
            assert_eq!(Place::of(url).expect("a place"), is);
        }
        assert!(Place::of("/mcp").is_err());
    }
}
