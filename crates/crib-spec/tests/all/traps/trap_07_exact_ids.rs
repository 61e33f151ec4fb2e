use anyhow::{Context as _, Result};
use crib_spec::{
    client::{Legacy, MODERN, Modern},
    gateway::{Config, Gateway},
    http::{once, request},
};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::stdio_fixture;

const IDS: [&str; 6] = ["1", "\"1\"", "9007199254740993", "18446744073709551615", "\"é\"", "\"\\u00e9\""];

/// Posts a body to the byte and returns the answer to the byte.
async fn post(gateway: &Gateway, body: &str) -> Result<String> {
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "slow"),
    ];
    once(gateway.address, request(Method::POST, gateway.address, "/mcp", &headers, body)?).await?.text().await
}

#[tokio::test]
async fn trap_07_ids_come_back_to_the_byte_however_many_are_in_flight() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy"])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::new(gateway.address);
    let calls = (0..3).flat_map(|_| IDS).map(|id| {
        let mut message = client.message("tools/call", json!({ "name": "slow", "arguments": { "ms": 300 } }));
        message["id"] = json!("@@");
        let body = message.to_string().replace("\"@@\"", id);
        let gateway = &gateway;
        async move { anyhow::Ok((id, post(gateway, &body).await?)) }
    });
    for outcome in join_all(calls).await {
        let (id, answer) = outcome?;
        assert!(answer.contains(&format!("\"id\":{id},")) || answer.contains(&format!("\"id\":{id}}}")), "{id}: {answer}");
        assert!(answer.contains("done"), "{id}: {answer}");
    }
    let ids: Vec<_> = journal.received("tools/call").iter().map(|call| call["body"]["id"].to_string()).collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "upstream ids are unique: {ids:?}");
    gateway.stop().await?;
    Ok(())
}

fn is_reply(message: &Value) -> bool {
    message.get("result").is_some() || message.get("error").is_some()
}

/// Calls a tool that reports progress, as a modern client where there is one.
async fn stepping<'a>(token: &'a Value, modern: Option<&Modern>, legacy: &Legacy) -> Result<(&'a Value, Vec<Value>)> {
    let params = json!({ "name": "steps", "arguments": { "steps": 3 }, "_meta": { "progressToken": token } });
    let response = match modern {
        Some(client) => client.send(&client.message("tools/call", params)).await?,
        None => legacy.send(&legacy.message("tools/call", &params)).await?,
    };
    Ok((token, response.messages().await?))
}

#[tokio::test]
async fn trap_07_progress_tokens_keep_their_type_and_end_with_the_reply() -> Result<()> {
    let (server, _journal) = stdio_fixture(&["--era", "legacy"])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let modern = Modern::new(gateway.address);
    let legacy = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let tokens = [json!(1), json!("1"), json!(9_007_199_254_740_993_u64), json!("é")];
    let calls = tokens.iter().flat_map(|token| [(token, Some(&modern)), (token, None)]);
    let calls = calls.map(|(token, modern)| stepping(token, modern, &legacy));
    for outcome in join_all(calls).await {
        let (token, messages) = outcome?;
        let (reply, progress) = messages.split_last().context("no message")?;
        assert!(is_reply(reply), "the reply is the last message: {messages:?}");
        assert_eq!(progress.len(), 3, "{token}: {messages:?}");
        for message in progress {
            assert_eq!(&message["params"]["progressToken"], token, "{message}");
        }
    }
    gateway.stop().await?;
    Ok(())
}
