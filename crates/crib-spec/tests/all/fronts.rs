//! The other ways in: HTTP+SSE of 2024-11-05, standard input and output, batches of 2025-03-26, one server's own endpoint.

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern, full_capabilities, oblige},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, stdio_server, url_server},
    http::{Response, once, request},
    pipe::Pipe,
    settings::{fixture_binary, gateway_binary},
};
use http::Method;
use serde_json::{Value, json};

/// A client of 2024-11-05: one stream, messages posted beside it.
struct SseClient {
    gateway: std::net::SocketAddr,
    stream: Response,
    post: String,
    next: u64,
}

impl SseClient {
    async fn connect(gateway: &Gateway, capabilities: Value) -> Result<Self> {
        let open = request(Method::GET, gateway.address, "/mcp", &[("accept", "text/event-stream")], "")?;
        let mut stream = once(gateway.address, open).await?;
        ensure!(stream.status == 200 && stream.is_stream(), "GET: HTTP {}", stream.status);
        let first = stream.event().await?.context("no event")?;
        ensure!(first.event.as_deref() == Some("endpoint"), "{first:?}");
        let post = first.data.trim_start_matches(&format!("http://{}", gateway.address)).to_owned();
        let mut client = Self { gateway: gateway.address, stream, post, next: 1 };
        let info = json!({ "name": "old", "version": "1" });
        let params = json!({ "protocolVersion": "2024-11-05", "capabilities": capabilities, "clientInfo": info });
        let reply = client.call("initialize", params).await?;
        ensure!(reply["result"]["protocolVersion"] == "2024-11-05", "{reply}");
        client.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(client)
    }

    async fn post(&self, message: &Value) -> Result<()> {
        let headers = [("content-type", "application/json")];
        let response = once(self.gateway, request(Method::POST, self.gateway, &self.post, &headers, &message.to_string())?).await?;
        ensure!(response.status == 202, "POST: HTTP {}", response.status);
        Ok(())
    }

    async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.next;
        self.next += 1;
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        loop {
            let message = self.stream.message().await?.context("the stream ended")?;
            if let Some(answer) = oblige(&message) {
                self.post(&answer).await?;
            } else if message["id"] == id {
                return Ok(message);
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_2024_reaches_servers_of_both_eras_over_http_and_sse() -> Result<()> {
    for era in [Era::Legacy, Era::Modern] {
        let fixture = Fixture::of(era).await?;
        let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
        let mut client = SseClient::connect(&gateway, json!({ "sampling": {}, "roots": {} })).await?;
        let reply = client.call("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await?;
        assert!(reply["result"]["content"][0]["text"].is_string(), "{era}: {reply}");
        let reply = client.call("tools/call", json!({ "name": "test_sampling", "arguments": { "prompt": "hello" } })).await?;
        assert_eq!(reply["result"]["content"][0]["text"], "LLM response: Paris", "{era}: {reply}");
        gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_of_2024_over_http_and_sse_is_reached_by_both_eras() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let mut server = url_server(&fixture.sse_url());
    server["transport"] = json!("sse");
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let (reply, rounds) = Modern::full(gateway.address).tool_obliging("test_sampling", json!({ "prompt": "hello" })).await?;
    assert_eq!((rounds, &reply["result"]["content"][0]["text"]), (1, &json!("LLM response: Paris")), "{reply}");
    let legacy = Legacy::connect(gateway.address, "2025-11-25", full_capabilities()).await?;
    let seen = legacy.tool_obliging("test_sampling", json!({ "prompt": "hello" })).await?;
    assert_eq!(seen.len(), 2, "{seen:?}");
    gateway.stop().await?;
    Ok(())
}

fn config_file(config: &Config) -> Result<String> {
    Ok(config.write("127.0.0.1:0".parse()?)?.display().to_string())
}

#[tokio::test]
async fn a_legacy_client_speaks_over_standard_input_and_output() -> Result<()> {
    for era in ["legacy", "modern"] {
        let server = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", era]);
        let file = config_file(&Config::plain("one", server))?;
        let mut pipe = Pipe::connect(&gateway_binary(), &["serve", "-c", &file, "--stdio"], full_capabilities()).await?;
        let tools = pipe.call("tools/list", json!({})).await?;
        assert!(tools["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 20), "{era}: {tools}");
        for (tool, arguments) in [("test_sampling", json!({ "prompt": "hello" })), ("test_elicitation", json!({ "message": "hello" }))] {
            let reply = pipe.call("tools/call", json!({ "name": tool, "arguments": arguments })).await?;
            assert!(reply["result"]["content"][0]["text"].is_string() && reply["result"]["isError"] != true, "{era}, {tool}: {reply}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_client_speaks_over_standard_input_and_output() -> Result<()> {
    for era in ["legacy", "modern"] {
        let server = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", era]);
        let file = config_file(&Config::plain("one", server))?;
        let mut pipe = Pipe::start(&gateway_binary(), &["serve", "-c", &file, "--stdio"])?;
        let words = Modern::full("127.0.0.1:1".parse()?);
        pipe.send(&words.message("server/discover", json!({}))).await?;
        let reply = pipe.receive().await?;
        assert!(reply["result"]["supportedVersions"].as_array().is_some_and(|list| list.contains(&json!("2026-07-28"))), "{era}: {reply}");
        pipe.send(&words.message("tools/call", json!({ "name": "test_elicitation", "arguments": { "message": "hello" } }))).await?;
        let reply = pipe.receive().await?;
        assert_eq!(reply["result"]["resultType"], "input_required", "{era}: {reply}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_is_for_2025_03_26_alone() -> Result<()> {
    let fixture = Fixture::of(Era::Dual).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let batch = json!([
        { "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": { "name": "test_simple_text", "arguments": {} } },
        { "jsonrpc": "2.0", "method": "notifications/roots/list_changed" },
        { "jsonrpc": "2.0", "id": 2, "method": "ping" },
        { "jsonrpc": "2.0", "id": 3, "method": "no/such" },
    ]);
    let old = Legacy::connect(gateway.address, "2025-03-26", json!({})).await?;
    let response = old.send(&batch).await?;
    assert_eq!(response.status, 200);
    let mut replies: Vec<Value> = response.messages().await?;
    if let Some(Value::Array(inner)) = replies.first().cloned() {
        replies = inner;
    }
    let of = |id: Value| replies.iter().find(|reply| reply["id"] == id).cloned().unwrap_or_default();
    assert_eq!(replies.len(), 3, "{replies:?}");
    assert!(of(json!("a"))["result"]["content"].is_array(), "{replies:?}");
    assert_eq!(of(json!(2))["result"], json!({}), "{replies:?}");
    assert_eq!(of(json!(3))["error"]["code"], -32601, "{replies:?}");

    let new = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    let response = new.send(&batch).await?;
    assert_eq!(response.status, 400);
    assert_eq!(response.json().await?["error"]["code"], -32600);
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_server_has_an_endpoint_of_its_own() -> Result<()> {
    let (a, b) = (Fixture::of(Era::Modern).await?, Fixture::of(Era::Legacy).await?);
    let gateway = Gateway::start(&Config::new().server("a", url_server(&a.url())).server("b", url_server(&b.url()))).await?;
    let names = async |path: &str| {
        let mut client = Modern::new(gateway.address);
        path.clone_into(&mut client.path);
        let reply = client.call("tools/list", json!({})).await?;
        let tools = reply["result"]["tools"].as_array().with_context(|| reply.to_string())?;
        anyhow::Ok(tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>())
    };
    let all = names("/mcp").await?;
    let one = names("/mcp/a").await?;
    assert!(all.contains(&"a__echo".to_owned()) && all.contains(&"b__echo".to_owned()), "{all:?}");
    assert_eq!(all.len(), 2 * one.len());
    assert!(one.contains(&"echo".to_owned()) || one.contains(&"a__echo".to_owned()), "{one:?}");
    assert!(!one.iter().any(|name| name.starts_with("b__")), "{one:?}");
    gateway.stop().await?;
    Ok(())
}
