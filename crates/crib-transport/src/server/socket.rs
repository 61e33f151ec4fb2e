//! The WebSocket front, on listeners of its own. No revision of the protocol has this transport: it follows the
//! convention of SDKs, which is the subprotocol `mcp` and one message in each text frame.

mod handshake;
mod talk;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crib_model::{Fault, Gateway, limits};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{self, ABORT_GRACE, ACCEPT_PAUSE, Listener};
use super::exchange::Ends;
use super::guard::Guard;

/// How the WebSocket front listens and what it bounds.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    pub listen: Vec<SocketAddr>,
    /// Host names served beside the loopback names and the literal address of the listener.
    pub allowed_hosts: Vec<String>,
    /// The origins whose pages may connect. Unlike answers over HTTP, a page can read what a socket brings, so that
    /// loopback origins have to be named as well.
    pub allowed_origins: Vec<String>,
    /// Largest message, in one frame or several; beyond it the socket is closed with 1009.
    pub message_bytes_max: usize,
    /// Sockets open at once; beyond it HTTP 503.
    pub sockets_max: usize,
    /// Handshakes under way at once; further connections wait in the backlog of the kernel.
    pub handshakes_max: usize,
    /// How long a connection may take to become a socket; then it is closed.
    pub handshake_timeout: Duration,
    /// Messages of one socket worked on at once; beyond it reading pauses.
    pub concurrency_max: usize,
    /// How often a client is pinged.
    pub keep_alive: Duration,
    /// How long a client may send nothing, not even the answer to a ping, or not read what it is sent; then the socket
    /// is dropped.
    pub idle_timeout: Duration,
    /// How long messages in flight and the closing handshake get when the server shuts down.
    pub drain: Duration,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            message_bytes_max: limits::REQUEST_BYTES_MAX,
            sockets_max: 1024,
            handshakes_max: 256,
            handshake_timeout: Duration::from_secs(15),
            concurrency_max: 256,
            keep_alive: limits::KEEP_ALIVE,
            idle_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(10),
        }
    }
}

/// A server of WebSockets that listens; connections wait in the backlog until [`SocketServer::run`].
pub struct SocketServer {
    listeners: Vec<Listener>,
    options: SocketOptions,
}

impl fmt::Debug for SocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketServer").field("listen", &self.local_addrs()).finish_non_exhaustive()
    }
}

/// Opens the listeners.
///
/// # Errors
/// TC0103 when an address cannot be had. A missing IPv6 loopback is no error where another address is listened on.
pub async fn bind_sockets(options: SocketOptions) -> Result<SocketServer, Fault> {
    let listeners = accept::open(&options.listen).await?;
    Ok(SocketServer { listeners, options })
}

/// What all sockets of a server share.
struct Front {
    gateway: Arc<dyn Gateway>,
    guard: Guard,
    options: SocketOptions,
    sockets: Arc<Semaphore>,
    shutdown: CancellationToken,
    /// Cancelled when the drain time is over.
    ended: CancellationToken,
}

impl SocketServer {
    /// Returns the addresses listened on, with the ports the system chose.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.local).collect()
    }

    /// Serves until the shutdown, then stops accepting, lets messages in flight finish, closes every socket with 1001
    /// within the drain time and returns.
    pub async fn run(self, gateway: Arc<dyn Gateway>, shutdown: CancellationToken) {
        let Self { listeners, mut options } = self;
        let guard = Guard::new(std::mem::take(&mut options.allowed_hosts), &options.allowed_origins);
        let sockets = Arc::new(Semaphore::new(options.sockets_max));
        let handshakes = Arc::new(Semaphore::new(options.handshakes_max));
        let drain = options.drain;
        let front = Arc::new(Front { gateway, guard, options, sockets, shutdown: shutdown.clone(), ended: CancellationToken::new() });
        let (connections, acceptors) = (TaskTracker::new(), TaskTracker::new());
        for listener in listeners {
            let (front, handshakes, connections) = (Arc::clone(&front), Arc::clone(&handshakes), connections.clone());
            acceptors.spawn(async move {
                tokio::select! {
                    () = front.shutdown.cancelled() => {}
                    () = accept_all(&front, &listener, &handshakes, &connections) => {}
                }
            });
        }
        acceptors.close();
        acceptors.wait().await;
        connections.close();
        if tokio::time::timeout(drain, connections.wait()).await.is_err() {
            tracing::warn!(open = connections.len(), "sockets are dropped at the end of the drain time");
            front.ended.cancel();
            tokio::time::timeout(ABORT_GRACE, connections.wait()).await.ok();
        }
    }
}

async fn accept_all(front: &Arc<Front>, listener: &Listener, handshakes: &Arc<Semaphore>, connections: &TaskTracker) {
    // The semaphore is never closed.
    while let Ok(slot) = Arc::clone(handshakes).acquire_owned().await {
        match listener.socket.accept().await {
            Ok((stream, peer)) => {
                let Some(ends) = accept::prepare(&stream, peer, listener.local) else { continue };
                connections.spawn(Box::pin(serve(Arc::clone(front), stream, ends, slot)));
            }
            Err(error) if accept::is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept sockets");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection until either side closes it.
async fn serve(front: Arc<Front>, stream: TcpStream, ends: Ends, slot: OwnedSemaphorePermit) {
    let opened = tokio::select! {
        () = front.shutdown.cancelled() => return,
        opened = tokio::time::timeout(front.options.handshake_timeout, Box::pin(handshake::shake(&front, stream, ends))) => opened,
    };
    drop(slot);
    let Ok(Some((socket, opened))) = opened else { return };
    tokio::select! {
        () = front.ended.cancelled() => {}
        () = Box::pin(talk::serve(&front, socket, opened)) => {}
    }
}
