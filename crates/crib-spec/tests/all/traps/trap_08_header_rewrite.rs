use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, url_server},
    pipe::Pipe,
    settings::gateway_binary,
};
use serde_json::{Value, json};

const REGION: &str = "Zürich";

async fn two() -> Result<(Fixture, Fixture, Gateway)> {
    let (gh, other) = (Fixture::of(Era::Modern).await?, Fixture::of(Era::Modern).await?);
    let config = Config::new().server("gh", url_server(&gh.url())).server("other", url_server(&other.url()));
    let gateway = Gateway::start(&config).await?;
    Ok((gh, other, gateway))
}

fn sentinel(text: &str) -> String {
    format!("=?base64?{}?=", STANDARD.encode(text))
}

fn check(fixture: &Fixture, calls: usize) {
    let received = fixture.journal.received("tools/call");
    assert_eq!(received.len(), calls);
    let last: &Value = &received[calls - 1];
    assert_eq!(last["body"]["params"]["name"], "search", "{last}");
    assert_eq!(last["headers"]["mcp-name"], "search", "{last}");
    assert_eq!(last["headers"]["mcp-method"], "tools/call", "{last}");
    assert_eq!(last["headers"]["mcp-param-region"], sentinel(REGION), "{last}");
    assert_eq!(last["headers"]["mcp-param-limit"], "5", "{last}");
}

#[tokio::test]
async fn trap_08_headers_are_computed_for_the_upstream_whoever_calls() -> Result<()> {
    let (gh, other, gateway) = two().await?;
    let arguments = json!({ "query": "x", "region": REGION, "limit": 5 });

    let modern = Modern::new(gateway.address);
    let message = modern.message("tools/call", json!({ "name": "gh__search", "arguments": arguments }));
    let region = sentinel(REGION);
    let response = modern.send_with(&message, &[("mcp-param-region", &region), ("mcp-param-limit", "5")]).await?;
    let status = response.status;
    assert_eq!(status, 200, "{}", response.text().await?);
    check(&gh, 1);

    for (number, revision) in ["2025-11-25", "2025-03-26", "2024-11-05"].into_iter().enumerate() {
        let legacy = Legacy::connect(gateway.address, revision, json!({})).await?;
        let reply = legacy.tool("gh__search", arguments.clone()).await?;
        assert!(reply["result"]["content"].is_array(), "{revision}: {reply}");
        check(&gh, number + 2);
    }
    assert!(other.journal.received("tools/call").is_empty());
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_08_headers_are_computed_for_callers_that_have_none() -> Result<()> {
    let (gh, other) = (Fixture::of(Era::Modern).await?, Fixture::of(Era::Modern).await?);
    let config = Config::new().server("gh", url_server(&gh.url())).server("other", url_server(&other.url()));
    let file = config.write("127.0.0.1:0".parse()?)?.display().to_string();
    let params = json!({ "name": "gh__search", "arguments": { "query": "x", "region": REGION, "limit": 5 } });
    let args = ["serve", "-c", &file, "--stdio"];

    let mut legacy = Pipe::connect(&gateway_binary(), &args, json!({})).await?;
    let reply = legacy.call("tools/call", params.clone()).await?;
    assert!(reply["result"]["content"].is_array(), "{reply}");
    check(&gh, 1);

    let mut modern = Pipe::start(&gateway_binary(), &args)?;
    modern.send(&Modern::new("127.0.0.1:1".parse()?).message("tools/call", params)).await?;
    let reply = modern.receive().await?;
    assert_eq!(reply["result"]["resultType"], "complete", "{reply}");
    check(&gh, 2);
    assert!(other.journal.received("tools/call").is_empty());
    Ok(())
}

#[tokio::test]
async fn trap_08_headers_that_contradict_the_body_are_refused_here() -> Result<()> {
    let (gh, _other, gateway) = two().await?;
    let client = Modern::new(gateway.address);
    let arguments = json!({ "region": "eu", "limit": 5 });
    let message = client.message("tools/call", json!({ "name": "gh__search", "arguments": arguments }));
    let wrong: [&[(&str, &str)]; 4] = [
        &[("mcp-param-region", "us"), ("mcp-param-limit", "5")],
        &[("mcp-param-limit", "5")],
        &[("mcp-param-region", "=?base64?ZXU?="), ("mcp-param-limit", "5")],
        &[("mcp-param-region", "eu"), ("mcp-param-limit", "6")],
    ];
    for headers in wrong {
        let response = client.send_with(&message, headers).await?;
        assert_eq!(response.status, 400, "{headers:?}");
        assert_eq!(response.json().await?["error"]["code"], -32020, "{headers:?}");
    }
    assert!(gh.journal.received("tools/call").is_empty());
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_08_a_stale_schema_is_listed_again_once() -> Result<()> {
    let (gh, _other, gateway) = two().await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    client.call("tools/list", json!({})).await?;
    let lists = gh.journal.received("tools/list").len();

    gh.refuse_headers(1);
    let reply = client.tool("gh__search", json!({ "region": "eu" })).await?;
    assert!(reply["result"]["content"].is_array(), "the retry succeeds: {reply}");
    assert_eq!(gh.journal.received("tools/call").len(), 2, "one retry");
    assert_eq!(gh.journal.received("tools/list").len(), lists + 1, "after one look at the list");

    gh.refuse_headers(100);
    let reply = client.tool("gh__search", json!({ "region": "eu" })).await?;
    assert!(!reply["error"].is_null() || reply["result"]["isError"] == true, "{reply}");
    assert_ne!(reply["error"]["code"], -32020, "that was about our hop, not the client's: {reply}");
    assert_eq!(gh.journal.received("tools/call").len(), 4, "never a loop");
    gateway.stop().await?;
    Ok(())
}
