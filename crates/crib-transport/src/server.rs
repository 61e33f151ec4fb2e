//! The HTTP front: listeners, connections, and what a request must satisfy before it is an inbound act.

mod accept;
mod body;
mod connection;
mod drain;
mod endpoint;
mod events;
mod exchange;
mod guard;
mod outgoing;
mod pulse;
mod refusal;
mod socket;
mod strict;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_model::{BoxFuture, Fault, Gateway, limits};
use tokio_util::sync::CancellationToken;

use crate::lanes::Lanes;
use accept::Listener;
use exchange::Front;
pub use socket::{SocketOptions, SocketServer, bind_sockets};

/// How the HTTP front listens and what it bounds.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub listen: Vec<SocketAddr>,
    /// Host names served beside the loopback names and the literal address of the listener: `name` or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Origins served beside loopback ones: `https://app.example.com`. They may read answers in a browser (CORS).
    pub allowed_origins: Vec<String>,
    /// Largest request body; beyond it HTTP 413.
    pub body_bytes_max: usize,
    /// Largest request head; beyond it HTTP 431.
    pub head_bytes_max: usize,
    /// Most header fields of a request; beyond it HTTP 431.
    pub head_fields_max: usize,
    /// Connections served at once; further ones wait in the backlog of the kernel.
    pub connections_max: usize,
    /// How long a new connection may take to send its first head; then it is closed.
    pub head_timeout: Duration,
    /// How long a connection may be idle, or take to send a later head, or not read its answer; then it is closed.
    pub idle_timeout: Duration,
    /// How long a request may take to send its body; then HTTP 408.
    pub body_timeout: Duration,
    /// Silence on a stream after which a comment line is sent.
    pub keep_alive: Duration,
    /// How long requests in flight get to finish when the server shuts down.
    pub drain: Duration,
    /// The threads that serve the connections. Without any they are served on the runtime of [`Server::run`].
    pub lanes: Lanes,
}

impl ServerOptions {
    /// Listens on `127.0.0.1` and, where there is IPv6, on `[::1]`.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { listen: vec![v4, SocketAddr::from((Ipv6Addr::LOCALHOST, port))], ..Self::default() }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            body_bytes_max: limits::REQUEST_BYTES_MAX,
            head_bytes_max: 64 * 1024,
            head_fields_max: 100,
            connections_max: 16 * 1024,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            keep_alive: limits::KEEP_ALIVE,
            drain: Duration::from_secs(10),
            lanes: Lanes::default(),
        }
    }
}

/// Other HTTP routes beside MCP: REST, metrics, health. Asked for every path that is not an MCP endpoint.
pub trait Routes: Send + Sync + 'static {
    fn handle(&self, request: http::Request<Bytes>, peer: IpAddr) -> BoxFuture<'static, http::Response<Chunks>>;
}

/// No routes: everything is 404.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRoutes;

impl Routes for NoRoutes {
    fn handle(&self, _: http::Request<Bytes>, _: IpAddr) -> BoxFuture<'static, http::Response<Chunks>> {
        let mut response = http::Response::new(Chunks::default());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Box::pin(std::future::ready(response))
    }
}

/// A server that listens; connections wait in the backlog until [`Server::run`].
pub struct Server {
    listeners: Vec<Listener>,
    options: ServerOptions,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listen", &self.local_addrs()).finish_non_exhaustive()
    }
}

/// Opens the listeners.
///
/// # Errors
/// TC0103 when an address cannot be had. A missing IPv6 loopback is no error where another address is listened on.
pub async fn bind(options: ServerOptions) -> Result<Server, Fault> {
    let listeners = accept::open(&options.listen).await?;
    Ok(Server { listeners, options })
}

impl Server {
    /// Returns the addresses listened on, with the ports the system chose.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.local).collect()
    }

    /// Serves until the shutdown, then stops accepting, lets requests in flight finish within the drain time and
    /// returns.
    pub async fn run(self, gateway: Arc<dyn Gateway>, routes: Arc<dyn Routes>, shutdown: CancellationToken) {
        let drain = self.options.drain;
        let front = Arc::new(Front::new(gateway, routes, self.options));
        accept::run(self.listeners, &front, &shutdown, drain).await;
    }
}
