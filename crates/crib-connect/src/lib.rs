//! Connectors: what is behind the [`crib_model::Upstream`] port.
//!
//! Invariants
//! - Nothing is started or contacted before the first call.
//! - Every task and child process has an owner that ends it; dropping a call cancels it at the server.
//! - What one caller is asked reaches only the caller whose call caused it.
//!
//! To write a server of your own in this process, read [`demo`](fn@demo)'s sources: a tool is a type with its arguments.

mod connect;
mod demo;
mod era;
mod http;
mod level;
mod options;
mod outcome;
mod params;
mod rfc3339;
mod session;
mod stdio;
mod steps;
#[cfg(test)]
mod testing;
mod timer;

pub use connect::connect;
pub use demo::{Demo, demo, demo_tools};
pub use options::{ConnectorOptions, Shared, Source};
