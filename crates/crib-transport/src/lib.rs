//! Bytes in and out: the HTTP, WebSocket and stdio fronts, the HTTP client, and the children that are servers.
//!
//! Invariants
//! - Nothing is read without a limit on its size and its time, and nothing waits in a queue without a bound.
//! - Every task, connection and process has an owner that ends it.
//! - A message is moved, never read: what it means is decided behind [`crib_model::Gateway`].
//!
//! The server half turns requests into [`crib_model::Inbound`] and [`crib_model::Answer`] into responses; the client
//! half ([`HttpClient`], [`Child`]) is what connectors are made of.

mod child;
mod client;
mod conversation;
mod lanes;
mod lines;
mod server;
mod starts;
mod stdio;
mod turn;
mod whole;

pub use child::{
    Child, ChildHandle, ChildInput, ChildOutput, CommandLine, Gone, LineError, Processes, WardenCommand, run_warden, unwatch_children,
    watch_children,
};
pub use client::{ClientOptions, Endpoint, HttpClient, Incoming, Received, SendError};
pub use lanes::{LaneThreads, Lanes};
pub use server::{NoRoutes, Routes, Server, ServerOptions, SocketOptions, SocketServer, bind, bind_sockets};
pub use stdio::{StdioOptions, serve_lines, serve_stdio};
pub use turn::in_rounds;
