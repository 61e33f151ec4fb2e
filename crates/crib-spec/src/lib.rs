//! Executable specifications: fixture servers, a harness for the real `toolcrib` binary, and the
//! official conformance suite driven from Rust.
//!
//! - [`gateway`] starts the binary with a configuration and reaps it; [`http`] and [`client`] talk to it
//!   with full control over headers and bytes.
//! - [`fixture`] is a hand-written MCP server of every era; it keeps a [`journal`] of what it received,
//!   so that a test can assert what the gateway really sent.
//! - [`sdk`] runs clients on the official SDKs; [`conformance`] runs the official suite and compares maps of check results.
//!
//! # Invariants
//!
//! Tests see the gateway as its users do: a process, its ports and its pipes. Only [`gateway`] knows the shape of the
//! configuration. Nothing waits without a bound, and what is not installed is said and not passed over.
//!
//! # How to add an end-to-end test
//! Write a module under `tests/all/`, start fixtures in process with
//! [`fixture::Fixture::start`], a gateway with [`gateway::Gateway::start`], and speak through [`client`].

#![expect(clippy::indexing_slicing, reason = "reading a `serde_json::Value` by key answers null, and this crate is test support")]

pub mod chaos;
pub mod client;
pub mod conformance;
pub mod fixture;
pub mod gateway;
pub mod http;
pub mod journal;
pub mod pipe;
pub mod sdk;
pub mod settings;
pub mod socket;
pub mod spans;
pub mod wait;

/// Says on standard error that a test is skipped, and why.
pub fn skip(test: &str, why: &str) {
    use std::io::Write as _;
    // Nobody to tell is no reason to fail.
    writeln!(std::io::stderr(), "SKIPPED {test}: {why} (cargo xtask test installs what is needed)").unwrap_or_default();
}
