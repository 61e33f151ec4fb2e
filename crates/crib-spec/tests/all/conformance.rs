//! The official conformance suite: directly, through the gateway in the same era, and across eras.

use anyhow::{Result, ensure};
use crib_spec::{
    conformance::{Checks, Selection, Suite, differences},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, stdio_server, url_server},
    settings::fixture_binary,
};

/// Runs a selection through a gateway in front of `server`.
async fn through(suite: &Suite, server: serde_json::Value, selection: Selection<'_>) -> Result<Checks> {
    let gateway = Gateway::start(&Config::plain("everything", server)).await?;
    let checks = suite.server(&gateway.url(), selection).await?;
    gateway.stop().await?;
    Ok(checks)
}

/// Fails unless every required scenario passed.
fn complete(suite: &Suite, checks: &Checks, revision: &str, count: usize) -> Result<()> {
    let required = suite.required(revision)?;
    ensure!(required.len() == count, "{revision} requires {} scenarios", required.len());
    let passed = checks.passed();
    let missing: Vec<_> = required.iter().filter(|scenario| !passed.contains(*scenario)).collect();
    let complaints: Vec<String> =
        checks.complaints().into_iter().filter(|line| required.iter().any(|name| line.starts_with(&format!("{name} /")))).collect();
    ensure!(missing.is_empty(), "{} of {count} passed, not {missing:?}:\n{}", count - missing.len(), complaints.join("\n"));
    Ok(())
}

/// The fixture on the official SDK, directly and through the gateway must give one and the same map.
async fn same_map(test: &str, selection: Selection<'_>) -> Result<()> {
    let Some(suite) = Suite::or_skip(test) else { return Ok(()) };
    let fixture = Fixture::sdk().await?;
    let direct = suite.server(&fixture.url(), selection).await?;
    let indirect = through(&suite, url_server(&fixture.url()), selection).await?;
    let differences = differences(&direct, &indirect);
    ensure!(differences.is_empty(), "{} checks differ:\n{}", differences.len(), differences.join("\n"));
    Ok(())
}

/// Every fixture that is the other side of a test passes itself.
async fn alone(fixture: &Fixture, revision: &str, count: usize) -> Result<()> {
    let Some(suite) = Suite::or_skip("conformance of a fixture") else { return Ok(()) };
    let checks = suite.server(&fixture.url(), Selection::Requirements(revision)).await?;
    complete(&suite, &checks, revision, count)
}

#[tokio::test]
async fn our_legacy_fixture_passes_2025_11_25() -> Result<()> {
    alone(&Fixture::of(Era::Legacy).await?, "2025-11-25", 30).await
}

#[tokio::test]
async fn our_modern_fixture_passes_2026_07_28() -> Result<()> {
    alone(&Fixture::of(Era::Modern).await?, "2026-07-28", 37).await
}

#[tokio::test]
async fn the_sdk_fixture_passes_2025_11_25() -> Result<()> {
    alone(&Fixture::sdk().await?, "2025-11-25", 30).await
}

#[tokio::test]
async fn the_sdk_fixture_passes_2026_07_28() -> Result<()> {
    alone(&Fixture::sdk().await?, "2026-07-28", 37).await
}

#[tokio::test]
async fn revision_2025_03_26_is_the_same_through_the_gateway() -> Result<()> {
    same_map("conformance 2025-03-26", Selection::Revision("2025-03-26")).await
}

#[tokio::test]
async fn revision_2025_06_18_is_the_same_through_the_gateway() -> Result<()> {
    same_map("conformance 2025-06-18", Selection::Revision("2025-06-18")).await
}

#[tokio::test]
async fn revision_2025_11_25_is_the_same_through_the_gateway() -> Result<()> {
    same_map("conformance 2025-11-25", Selection::Requirements("2025-11-25")).await
}

#[tokio::test]
async fn revision_2026_07_28_is_the_same_through_the_gateway() -> Result<()> {
    same_map("conformance 2026-07-28", Selection::Requirements("2026-07-28")).await
}

async fn across(era: Era, revision: &str, count: usize) -> Result<()> {
    let Some(suite) = Suite::or_skip("conformance across eras") else { return Ok(()) };
    let fixture = Fixture::of(era).await?;
    let checks = through(&suite, url_server(&fixture.url()), Selection::Requirements(revision)).await?;
    complete(&suite, &checks, revision, count)
}

async fn across_stdio(era: &str, revision: &str, count: usize) -> Result<()> {
    let Some(suite) = Suite::or_skip("conformance across eras, stdio") else { return Ok(()) };
    let server = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", era]);
    let checks = through(&suite, server, Selection::Requirements(revision)).await?;
    complete(&suite, &checks, revision, count)
}

#[tokio::test]
async fn a_modern_client_reaches_a_legacy_server_over_http() -> Result<()> {
    across(Era::Legacy, "2026-07-28", 37).await
}

#[tokio::test]
async fn a_modern_client_reaches_a_legacy_server_over_stdio() -> Result<()> {
    across_stdio("legacy", "2026-07-28", 37).await
}

#[tokio::test]
async fn a_legacy_client_reaches_a_modern_server_over_http() -> Result<()> {
    across(Era::Modern, "2025-11-25", 30).await
}

#[tokio::test]
async fn a_legacy_client_reaches_a_modern_server_over_stdio() -> Result<()> {
    across_stdio("modern", "2025-11-25", 30).await
}

#[tokio::test]
async fn a_legacy_client_reaches_a_legacy_server_over_stdio() -> Result<()> {
    across_stdio("legacy", "2025-11-25", 30).await
}

/// The scenarios of a client that need no login.
const OF_CLIENTS: [(&str, &str); 11] = [
    ("initialize", "2025-11-25"),
    ("tools_call", "2025-11-25"),
    ("elicitation-sep1034-client-defaults", "2025-11-25"),
    ("sse-retry", "2025-11-25"),
    ("tools_call", "2026-07-28"),
    ("request-metadata", "2026-07-28"),
    ("sep-2322-client-request-state", "2026-07-28"),
    ("http-standard-headers", "2026-07-28"),
    ("http-custom-headers", "2026-07-28"),
    ("http-invalid-tool-headers", "2026-07-28"),
    ("json-schema-ref-no-deref", "2026-07-28"),
];

#[tokio::test]
async fn our_connector_passes_the_scenarios_of_clients() -> Result<()> {
    let Some(suite) = Suite::or_skip("conformance of the connector") else { return Ok(()) };
    let mut complaints = Vec::new();
    for (scenario, revision) in OF_CLIENTS {
        match suite.client(scenario, revision).await {
            Ok(checks) if checks.failed().is_empty() => {}
            Ok(checks) => complaints.extend(checks.complaints().into_iter().map(|line| format!("{revision}: {line}"))),
            Err(error) => complaints.push(format!("{revision}: {scenario}: {error:#}")),
        }
    }
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}
