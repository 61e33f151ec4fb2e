//! The WebSocket front beside the HTTP front, where the configuration wants one.

use std::net::SocketAddr;
use std::sync::Arc;

use crib_control::Compiled;
use crib_model::{Fault, Gateway};
use crib_transport::{SocketOptions, SocketServer};
use tokio_util::sync::CancellationToken;

/// The listeners of WebSockets, or none.
pub(super) struct Sockets(Option<SocketServer>);

/// Opens the listeners.
pub(super) async fn bind(compiled: &Compiled) -> Result<Sockets, Fault> {
    if compiled.web_socket.is_empty() {
        return Ok(Sockets(None));
    }
    let options = SocketOptions {
        listen: compiled.web_socket.clone(),
        allowed_hosts: compiled.allowed_hosts.clone(),
        allowed_origins: compiled.allowed_origins.clone(),
        message_bytes_max: compiled.limits.body_bytes_max,
        ..SocketOptions::default()
    };
    crib_transport::bind_sockets(options).await.map(|server| Sockets(Some(server)))
}

impl Sockets {
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.as_ref().map(SocketServer::local_addrs).unwrap_or_default()
    }

    /// Serves until the shutdown and through the drain; without listeners it waits for nothing.
    pub(super) async fn run(self, gateway: Arc<dyn Gateway>, shutdown: CancellationToken) {
        if let Some(server) = self.0 {
            Box::pin(server.run(gateway, shutdown)).await;
        }
    }
}
