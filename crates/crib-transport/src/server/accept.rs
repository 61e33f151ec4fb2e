//! Listeners: opening them, accepting, and the drain at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crib_model::{Code, Fault};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection;
use super::exchange::{Ends, Front};

/// Pause after an accept failed for want of file descriptors or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long dropped connections get to notice the end.
pub(crate) const ABORT_GRACE: Duration = Duration::from_secs(1);

/// One socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) local: SocketAddr,
}

/// Opens a listener on every address.
pub(crate) async fn open(addresses: &[SocketAddr]) -> Result<Vec<Listener>, Fault> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(addresses.len());
    for address in addresses {
        let mut address = *address;
        if let (true, 0, Some(first)) = (address.ip().is_loopback(), address.port(), listeners.first()) {
            // One port for both loopback addresses.
            address.set_port(first.local.port());
        }
        match listen(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.ip().is_ipv6() && address.ip().is_loopback() && !listeners.is_empty() && is_missing(&error) => {
                tracing::debug!(%address, %error, "no IPv6 loopback here");
            }
            Err(error) => return Err(refused(address, &error)),
        }
    }
    if listeners.is_empty() {
        return Err(Fault::new(Code::ListenRefused, "no address to listen on"));
    }
    Ok(listeners)
}

async fn listen(address: SocketAddr) -> io::Result<Listener> {
    let socket = TcpListener::bind(address).await?;
    let local = socket.local_addr()?;
    Ok(Listener { socket, local })
}

/// What the system says of addresses of a family it does not have.
#[cfg(unix)]
const NO_SUCH_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
#[cfg(windows)]
const NO_SUCH_FAMILY: i32 = 10_047;

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

fn refused(address: SocketAddr, error: &io::Error) -> Fault {
    let fault = Fault::new(Code::ListenRefused, format!("cannot listen on `{address}`")).because(error);
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        let who = format!("`ss -ltnp 'sport = :{}'` names it", address.port());
        return fault.hint(format!("another program listens there ({who}): stop it or choose another port"));
    }
    if kind == io::ErrorKind::PermissionDenied {
        return fault.hint("ports below 1024 need privileges: choose a higher one");
    }
    if kind == io::ErrorKind::AddrNotAvailable {
        return fault.hint("this machine does not have that address");
    }
    fault
}

/// Serves until the shutdown and through the drain.
pub(crate) async fn run(listeners: Vec<Listener>, front: &Arc<Front>, shutdown: &CancellationToken, drain: Duration) {
    let connections = TaskTracker::new();
    let acceptors = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(front.options.connections_max));
    for listener in listeners {
        let acceptor = Acceptor { front: Arc::clone(front), slots: Arc::clone(&slots), connections: connections.clone() };
        let shutdown = shutdown.clone();
        acceptors.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = acceptor.run(&listener) => {}
            }
        });
    }
    acceptors.close();
    acceptors.wait().await;
    connections.close();
    front.drain.begin();
    front.gateway.draining();
    if tokio::time::timeout(drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections are dropped at the end of the drain time");
        front.drain.end();
        tokio::time::timeout(ABORT_GRACE, connections.wait()).await.ok();
    }
}

struct Acceptor {
    front: Arc<Front>,
    slots: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Acceptor {
    async fn run(&self, listener: &Listener) {
        // The semaphore is never closed.
        while let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await {
            match listener.socket.accept().await {
                Ok((stream, peer)) => {
                    let Some(ends) = prepare(&stream, peer, listener.local) else { continue };
                    if let Err(error) = self.serve(stream, ends, slot) {
                        tracing::debug!(peer = %ends.peer, %error, "connection ended");
                    }
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Acceptor {
    /// Has a connection served: in a lane, if there are any.
    fn serve(&self, stream: TcpStream, ends: Ends, slot: OwnedSemaphorePermit) -> io::Result<()> {
        let front = Arc::clone(&self.front);
        let seat = self.front.options.lanes.seat();
        let Some((seat, runtime)) = seat.and_then(|seat| seat.runtime().map(|runtime| (seat, runtime))) else {
            self.connections.spawn(async move {
                connection::serve(front, stream, ends).await;
                drop(slot);
            });
            return Ok(());
        };
        // A stream belongs to the runtime it was made on.
        let stream = stream.into_std()?;
        let serving = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => connection::serve(front, stream, ends).await,
                Err(error) => tracing::debug!(peer = %ends.peer, %error, "connection ended"),
            }
            drop((slot, seat));
        };
        self.connections.spawn_on(serving, &runtime);
        Ok(())
    }
}

pub(crate) fn prepare(stream: &TcpStream, peer: SocketAddr, listener: SocketAddr) -> Option<Ends> {
    stream.set_nodelay(true).ok()?;
    // A listener on all addresses does not know which one the client meant; the connection does.
    let local = if listener.ip().is_unspecified() { stream.local_addr().ok()?.ip() } else { listener.ip() };
    Some(Ends { peer: peer.ip().to_canonical(), local: local.to_canonical() })
}

/// Tells failures of the one connection that was to be accepted from those of the listener.
pub(crate) fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
    )
}
