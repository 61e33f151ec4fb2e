use anyhow::Result;
use crib_spec::{
    client::{MODERN, Modern},
    fixture::Era,
    http::{Wire, request},
};
use http::Method;
use serde_json::{Value, json};

use super::before;

struct Probe {
    name: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Value,
    status: u16,
    code: Option<i64>,
}

fn probes(client: &Modern) -> Vec<Probe> {
    let initialize = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } });
    let plain = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize });
    let mismatch = client.message("tools/list", json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2025-11-25" } }));
    let modern = |method| vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
    vec![
        Probe { name: "a plain initialize", headers: vec![], body: plain, status: 200, code: None },
        Probe {
            name: "an initialize that claims to be modern",
            headers: modern("initialize"),
            body: client.message("initialize", initialize),
            status: 404,
            code: Some(-32601),
        },
        Probe {
            name: "a modern header without _meta",
            headers: modern("tools/list"),
            body: json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {} }),
            status: 400,
            code: Some(-32602),
        },
        Probe { name: "a header that contradicts _meta", headers: modern("tools/list"), body: mismatch, status: 400, code: Some(-32020) },
        Probe {
            name: "a modern request",
            headers: modern("tools/list"),
            body: client.message("tools/list", json!({})),
            status: 200,
            code: None,
        },
    ]
}

#[tokio::test]
async fn trap_01_era_per_request() -> Result<()> {
    let (_fixture, gateway) = before(Era::Dual).await?;
    let client = Modern::new(gateway.address);
    let mut wire = Wire::open(gateway.address).await?;
    // Every order of two neighbours occurs once: what came before must not matter.
    for stride in 1..5 {
        for step in 0..5 {
            let probe = probes(&client).swap_remove((step * stride) % 5);
            let mut headers = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
            headers.extend(probe.headers);
            let response = wire.send(request(Method::POST, gateway.address, "/mcp", &headers, &probe.body.to_string())?).await?;
            let status = response.status;
            let reply = response.json().await?;
            assert_eq!(status, probe.status, "{}: {reply}", probe.name);
            assert_eq!(reply["error"]["code"].as_i64(), probe.code, "{}: {reply}", probe.name);
            assert_eq!(reply["id"], probe.body["id"], "{}: {reply}", probe.name);
        }
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_01_an_initialize_that_names_the_modern_revision_gets_the_newest_legacy_one() -> Result<()> {
    let (_fixture, gateway) = before(Era::Dual).await?;
    let client = crib_spec::client::Legacy::connect(gateway.address, MODERN, json!({})).await?;
    assert_eq!(client.revision, "2025-11-25");
    assert!(!client.session.is_empty(), "a session was minted");
    gateway.stop().await?;
    Ok(())
}
