use std::time::Duration;

use anyhow::Result;
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Fixture, Options, Unknown},
    gateway::{Config, Gateway, url_server},
    journal::Journal,
    wait::{SOON, eventually, within},
};
use serde_json::{Value, json};

use super::{stdio_fixture, text};

/// A probe may wait for a silent server, but not long.
const FIRST_CALL: Duration = Duration::from_secs(20);

async fn first_call(gateway: &Gateway) -> Result<Value> {
    within(FIRST_CALL, "the first call", Modern::new(gateway.address).tool("test_simple_text", json!({}))).await?
}

async fn stdio(unknown: &str) -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy", "--unknown", unknown])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let reply = first_call(&gateway).await?;
    assert!(text(&reply).starts_with("This is a simple text"), "{unknown}: {reply}");
    let calls = journal.received("tools/call");
    assert_eq!(calls.len(), 1, "{unknown}: the call went out once");
    let initialized: Vec<_> = journal.all("initialized").iter().map(|entry| entry["pid"].clone()).collect();
    assert!(initialized.contains(&calls[0]["pid"]), "{unknown}: by the handshake of this very process");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_14_a_child_that_exits_on_an_early_request_is_legacy_and_lives() -> Result<()> {
    stdio("exit").await
}

#[tokio::test]
async fn trap_14_a_child_that_stays_silent_is_legacy() -> Result<()> {
    stdio("silent").await
}

#[tokio::test]
async fn trap_14_a_child_that_knows_no_such_method_is_legacy() -> Result<()> {
    stdio("method-not-found").await
}

#[tokio::test]
async fn trap_14_a_child_that_dislikes_the_parameters_is_legacy() -> Result<()> {
    stdio("invalid-params").await
}

async fn over_http(unknown: Unknown) -> Result<(Fixture, Gateway)> {
    let fixture = Fixture::start(Options { era: Era::Legacy, unknown, ..Options::default() }).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    Ok((fixture, gateway))
}

#[tokio::test]
async fn trap_14_http_servers_that_refuse_the_probe_are_legacy() -> Result<()> {
    for unknown in [Unknown::MethodNotFound, Unknown::InvalidParams, Unknown::PlainNotFound] {
        let (_fixture, gateway) = over_http(unknown).await?;
        let reply = first_call(&gateway).await?;
        assert!(text(&reply).starts_with("This is a simple text"), "{unknown:?}: {reply}");
        gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn trap_14_a_server_that_wants_a_login_is_not_called_legacy() -> Result<()> {
    let (fixture, gateway) = over_http(Unknown::Unauthorized).await?;
    let client = Modern::new(gateway.address);
    let response = client.send(&client.message("tools/call", json!({ "name": "test_simple_text", "arguments": {} }))).await?;
    assert_ne!(response.status, 401, "the upstream's challenge is not for this client");
    assert!(response.header("www-authenticate").is_empty());
    let reply = response.json().await?;
    assert!(!reply["error"].is_null() || reply["result"]["isError"] == true, "{reply}");
    assert!(fixture.journal.received("initialize").is_empty(), "401 is no evidence of an era");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_14_a_modern_server_is_never_sent_initialize() -> Result<()> {
    let fixture = Fixture::of(Era::Modern).await?;
    let (server, journal) = stdio_fixture(&["--era", "modern"])?;
    let config = Config::new().server("http", url_server(&fixture.url())).server("stdio", server);
    let gateway = Gateway::start(&config).await?;
    let legacy = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    for tool in ["http__test_simple_text", "stdio__test_simple_text"] {
        let reply = legacy.tool(tool, json!({})).await?;
        assert!(text(&reply).starts_with("This is a simple text"), "{tool}: {reply}");
    }
    assert!(fixture.journal.received("initialize").is_empty());
    assert!(journal.received("initialize").is_empty());
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_14_a_verdict_has_an_end_and_is_made_again() -> Result<()> {
    let fixture = Fixture::of(Era::Modern).await?;
    let config = Config::plain("one", url_server(&fixture.url())).gateway("eraTtl", json!("200ms"));
    let gateway = Gateway::start(&config).await?;
    first_call(&gateway).await?;
    let before = fixture.journal.received("server/discover").len();
    let probed = || async {
        first_call(&gateway).await.ok()?;
        (fixture.journal.received("server/discover").len() > before).then_some(())
    };
    eventually(SOON, "the server is asked again what it speaks", probed).await?;
    assert!(fixture.journal.received("initialize").is_empty());
    gateway.stop().await?;
    Ok(())
}

/// Serves another era on the port where the first one was.
async fn changes(from: Era, to: Era) -> Result<()> {
    let first = Fixture::of(from).await?;
    let port = first.address.port();
    let gateway = Gateway::start(&Config::plain("one", url_server(&first.url()))).await?;
    let (modern, legacy) = (Modern::new(gateway.address), Legacy::connect(gateway.address, "2025-11-25", json!({})).await?);
    assert!(text(&first_call(&gateway).await?).starts_with("This is a simple text"), "{from}");
    drop(first);
    let options = || Options { era: to, ..Options::default() };
    let listen = || async { Fixture::listen(options(), Journal::new(), port).await.ok() };
    let second = eventually(SOON, "the port is free again", listen).await?;
    let answers = |reply: &Value| text(reply).starts_with("This is a simple text").then_some(());
    let by_modern = || async { modern.tool("test_simple_text", json!({})).await.ok().as_ref().and_then(answers) };
    eventually(SOON, &format!("a modern client reaches the server that was {from} and is {to}"), by_modern).await?;
    let by_legacy = || async { legacy.tool("test_simple_text", json!({})).await.ok().as_ref().and_then(answers) };
    eventually(SOON, &format!("a legacy client reaches the server that was {from} and is {to}"), by_legacy).await?;
    assert!(second.journal.received("tools/call").len() <= 4, "{:#?}", second.journal.received("tools/call"));
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_14_a_server_that_became_modern_is_met_again() -> Result<()> {
    changes(Era::Legacy, Era::Modern).await
}

#[tokio::test]
async fn trap_14_a_server_that_became_legacy_is_met_again() -> Result<()> {
    changes(Era::Modern, Era::Legacy).await
}
