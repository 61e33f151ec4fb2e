//! The fifteen traps a gateway between two protocol eras falls into, each by name.

mod trap_01_era_per_request;
mod trap_02_not_found;
mod trap_03_parked_elicitation;
mod trap_04_no_cross_principal;
mod trap_05_rounds_downgraded;
mod trap_06_cancel_asymmetry;
mod trap_07_exact_ids;
mod trap_08_header_rewrite;
mod trap_09_pagination;
mod trap_10_cache_isolation;
mod trap_11_subscription_bridge;
mod trap_12_logging_gate;
mod trap_13_lossless_relay;
mod trap_14_probe_safety;
mod trap_15_token_boundary;

use std::path::PathBuf;

use anyhow::Result;
use crib_spec::{
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, scratch, stdio_server, url_server},
    journal::Journal,
    settings::fixture_binary,
};
use serde_json::Value;

/// A gateway in front of one fixture over HTTP, tools under their own names.
async fn before(era: Era) -> Result<(Fixture, Gateway)> {
    let fixture = Fixture::of(era).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    Ok((fixture, gateway))
}

/// A fixture over stdio for a configuration, and the journal it writes.
fn stdio_fixture(args: &[&str]) -> Result<(Value, Journal)> {
    let file: PathBuf = scratch("journal")?.join("journal");
    let journal = Journal::from_file(&file);
    let file = file.display().to_string();
    let all: Vec<&str> = ["--stdio", "--journal", &file].into_iter().chain(args.iter().copied()).collect();
    Ok((stdio_server(&fixture_binary("fixture-everything"), &all), journal))
}

/// The text of a tool's result.
fn text(reply: &Value) -> &str {
    reply["result"]["content"][0]["text"].as_str().unwrap_or_default()
}
