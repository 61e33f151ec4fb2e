use anyhow::Result;
use crib_spec::{
    client::{Legacy, Modern},
    fixture::Era,
    gateway::{Config, Gateway},
};
use serde_json::{Value, json};

use super::{before, stdio_fixture};

fn lines(messages: &[Value]) -> usize {
    messages.iter().filter(|message| message["method"] == "notifications/message").count()
}

async fn modern_lines(client: &Modern, meta: Value) -> Result<usize> {
    let message = client.message("tools/call", json!({ "name": "test_tool_with_logging", "arguments": {}, "_meta": meta }));
    Ok(lines(&client.send(&message).await?.messages().await?))
}

#[tokio::test]
async fn trap_12_a_modern_request_without_a_level_hears_no_log() -> Result<()> {
    let (server, _journal) = stdio_fixture(&["--era", "legacy"])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let legacy = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let reply = legacy.call("logging/setLevel", json!({ "level": "debug" })).await?;
    assert_eq!(reply["result"], json!({}), "{reply}");
    let message = legacy.message("tools/call", &json!({ "name": "test_tool_with_logging", "arguments": {} }));
    assert_eq!(lines(&legacy.send(&message).await?.messages().await?), 3, "the session that set a level");

    let modern = Modern::new(gateway.address);
    assert_eq!(modern_lines(&modern, json!({})).await?, 0, "no level, no log");
    assert_eq!(modern_lines(&modern, json!({ "io.modelcontextprotocol/logLevel": "error" })).await?, 0, "below its level");
    assert_eq!(modern_lines(&modern, json!({ "io.modelcontextprotocol/logLevel": "info" })).await?, 3);
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_12_set_level_works_against_a_modern_server() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    let legacy = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    legacy.call("logging/setLevel", json!({ "level": "notice" })).await?;
    let call = async || {
        let message = legacy.message("tools/call", &json!({ "name": "test_tool_with_logging", "arguments": {} }));
        anyhow::Ok(lines(&legacy.send(&message).await?.messages().await?))
    };
    assert_eq!(call().await?, 0, "info is below notice");
    legacy.call("logging/setLevel", json!({ "level": "info" })).await?;
    assert_eq!(call().await?, 3);
    let levels: Vec<_> = fixture
        .journal
        .received("tools/call")
        .iter()
        .map(|call| call["body"]["params"]["_meta"]["io.modelcontextprotocol/logLevel"].clone())
        .collect();
    assert_eq!(levels, [json!("notice"), json!("info")]);
    let bad = legacy.call("logging/setLevel", json!({ "level": "loud" })).await?;
    assert_eq!(bad["error"]["code"], -32602, "{bad}");
    gateway.stop().await?;
    Ok(())
}
