use anyhow::{Context as _, Result};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::Era,
};
use serde_json::{Value, json};

use super::before;

/// Members of a result a typed relay would lose, reorder or reformat.
const MEMBERS: [&str; 6] = [
    r#""zebra":1,"alpha":{"b":1,"a":2}"#,
    r#""structuredContent":null"#,
    r#""vendor/number":123456789012345678901234567890"#,
    r#""vendor/float":1e3,"vendor/exact":1.10"#,
    r#""vendor/text":"\u00e9\/ \ud83d\ude00 é""#,
    r#""vendor/deep":[[[{"x":[1,2,{"y":null}]}]]]"#,
];

const CONTENT: &str = r#""content":[{"type":"text","text":"t","vendor":true,"annotations":{"audience":["user"],"x-more":0.50}}]"#;

#[tokio::test]
async fn trap_13_a_modern_result_is_relayed_to_the_byte() -> Result<()> {
    let (_fixture, gateway) = before(Era::Modern).await?;
    let client = Modern::new(gateway.address);
    for member in MEMBERS {
        let meta = r#""_meta":{"vendor/k":1,"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1","more":[]}}"#;
        let result = format!(r#"{{"resultType":"complete",{CONTENT},{member},{meta}}}"#);
        let message = client.message("tools/call", json!({ "name": "raw", "arguments": { "result": result } }));
        let answer = client.send(&message).await?.text().await?;
        assert!(answer.contains(&result), "{result}\nbecame\n{answer}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_13_a_legacy_result_is_relayed_to_the_byte() -> Result<()> {
    let (_fixture, gateway) = before(Era::Legacy).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    for member in MEMBERS {
        let result = format!(r#"{{{CONTENT},{member},"_meta":{{"vendor/k":1}}}}"#);
        let message = client.message("tools/call", &json!({ "name": "raw", "arguments": { "result": result } }));
        let answer = client.send(&message).await?.text().await?;
        assert!(answer.contains(&result), "{result}\nbecame\n{answer}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_13_arguments_reach_the_server_to_the_byte() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    let client = Modern::new(gateway.address);
    let arguments = r#"{"z":1e3,"a":123456789012345678901234567890,"é":"\u00e9","n":null,"vendor":{"b":1,"a":[1.10]}}"#;
    let message = client.message("tools/call", json!({ "name": "echo", "arguments": "@@" }));
    let body = message.to_string().replace("\"@@\"", arguments);
    let own = client.headers_of(&message);
    let headers: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = crib_spec::http::request(http::Method::POST, gateway.address, "/mcp", &headers, &body)?;
    let status = crib_spec::http::once(gateway.address, request).await?.status;
    assert_eq!(status, 200);
    let received = fixture.journal.received("tools/call");
    let raw = received.first().context("the call arrived")?["raw"].as_str().unwrap_or_default().to_owned();
    assert!(raw.contains(arguments), "{arguments}\nbecame\n{raw}");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_13_definitions_are_listed_to_the_byte() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    for (method, field) in [
        ("tools/list", "tools"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let direct = Modern::new(fixture.address).call(method, json!({})).await?;
        let client = Modern::new(gateway.address);
        let through = client.send(&client.message(method, json!({}))).await?.text().await?;
        for definition in direct["result"][field].as_array().into_iter().flatten() {
            assert!(through.contains(&definition.to_string()), "{method}: {definition} is not in\n{through}");
        }
        let parsed: Value = serde_json::from_str(&through)?;
        assert_eq!(parsed["result"][field].as_array().map(Vec::len), direct["result"][field].as_array().map(Vec::len), "{method}");
    }
    gateway.stop().await?;
    Ok(())
}
