//! What a gateway tells about calls: traces that go through it, metrics, logs.

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, url_server},
    http::{once, request},
    spans::{Collector, Span},
    wait::{SOON, eventually},
};
use http::Method;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

async fn traced() -> Result<(Fixture, Fixture, Collector, Gateway)> {
    let (old, new, collector) = (Fixture::of(Era::Legacy).await?, Fixture::of(Era::Modern).await?, Collector::start().await?);
    let config = Config::new()
        .server("old", url_server(&old.url()))
        .server("new", url_server(&new.url()))
        .observability("otlp", json!(format!("http://{}", collector.address)));
    let gateway = Gateway::start(&config).await?;
    Ok((old, new, collector, gateway))
}

/// Waits for the span of a call.
async fn span(collector: &Collector, name: &str, server: &str) -> Result<Span> {
    let find = || {
        let is_wanted = |span: &Span| span.name == name && span.attributes.get("server").is_some_and(|own| own == server);
        std::future::ready(collector.spans().into_iter().find(is_wanted))
    };
    eventually(SOON, &format!("the span {name} of {server} comes"), find).await
}

/// The parts of a `traceparent`.
fn parts(text: &str) -> (String, String, String) {
    let part = |at: usize| text.split('-').nth(at).unwrap_or_default().to_owned();
    (part(1), part(2), part(3))
}

/// Checks what the server was told against the span that was exported.
fn continues(call: &Value, span: &Span) -> Result<()> {
    let told = call["body"]["params"]["_meta"]["traceparent"].as_str().with_context(|| call.to_string())?;
    let (trace, id, flags) = parts(told);
    ensure!((trace.as_str(), flags.as_str()) == (TRACE, "01"), "{told}");
    ensure!(span.trace == TRACE && span.parent == PARENT, "{span:?}");
    ensure!(span.id == id && id != PARENT, "the server hangs below the gateway's own span: {told} {span:?}");
    ensure!(call["headers"]["traceparent"] == told, "a header says the same: {call}");
    Ok(())
}

#[tokio::test]
async fn a_trace_goes_through_the_gateway_whoever_began_it() -> Result<()> {
    let (old, new, collector, gateway) = traced().await?;
    let modern = Modern::new(gateway.address);
    // In `_meta`, to a server of each era.
    for (server, fixture) in [("old", &old), ("new", &new)] {
        let meta = json!({ "traceparent": traceparent("01"), "tracestate": "vendor=1", "baggage": "k=v" });
        let name = format!("{server}__echo");
        let message = modern.message("tools/call", json!({ "name": name, "arguments": {}, "_meta": meta }));
        assert_eq!(modern.send(&message).await?.json().await?["result"]["resultType"], "complete");
        let calls = fixture.journal.received("tools/call");
        let call = calls.last().context("the call arrived")?;
        continues(call, &span(&collector, "tools/call:echo", server).await?)?;
        assert_eq!(call["body"]["params"]["_meta"]["tracestate"], "vendor=1", "{call}");
        assert_eq!(call["body"]["params"]["_meta"]["baggage"], "k=v", "{call}");
    }
    // In headers, by a client of another era and over plain HTTP.
    let sent = [("traceparent", traceparent("01")), ("tracestate", "vendor=2".to_owned()), ("baggage", "k=w".to_owned())];
    let owned = sent.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let legacy = Legacy::connect_with(gateway.address, "2025-11-25", json!({}), owned).await?;
    legacy.tool("new__search", json!({ "query": "x" })).await?;
    let headers: Vec<(&str, &str)> =
        sent.iter().map(|(name, value)| (*name, value.as_str())).chain([("content-type", "application/json")]).collect();
    let plain = request(Method::POST, gateway.address, "/v1/tools/old__search", &headers, r#"{"query":"x"}"#)?;
    assert_eq!(once(gateway.address, plain).await?.status, 200);
    for (server, fixture) in [("new", &new), ("old", &old)] {
        let calls = fixture.journal.received("tools/call");
        let call = calls.last().context("the call arrived")?;
        continues(call, &span(&collector, "tools/call:search", server).await?)?;
        let meta = &call["body"]["params"]["_meta"];
        assert_eq!((&meta["tracestate"], &meta["baggage"]), (&json!("vendor=2"), &json!("k=w")), "{call}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_span_says_what_was_called_and_how_it_ended() -> Result<()> {
    let (_old, _new, collector, gateway) = traced().await?;
    let client = Modern::new(gateway.address);
    client.tool("old__test_error_handling", json!({})).await?;
    client.call("prompts/get", json!({ "name": "new__test_simple_prompt" })).await?;
    client.call("resources/read", json!({ "uri": "old+test://static-text" })).await?;

    let tool = span(&collector, "tools/call:test_error_handling", "old").await?;
    assert!(tool.parent.is_empty(), "it is the first of its trace: {tool:?}");
    let said = |key: &str| tool.attributes.get(key).map(String::as_str);
    assert_eq!(said("mcp.method.name"), Some("tools/call"));
    assert_eq!(said("gen_ai.operation.name"), Some("execute_tool"));
    assert_eq!(said("gen_ai.tool.name"), Some("test_error_handling"));
    assert_eq!(said("error.type"), Some("tool_error"));
    assert!(tool.attributes.contains_key("latency"), "{tool:?}");
    let prompt = span(&collector, "prompts/get:test_simple_prompt", "new").await?;
    assert_eq!(prompt.attributes.get("gen_ai.prompt.name").map(String::as_str), Some("test_simple_prompt"));
    // A URI would make a name of every resource.
    let read = span(&collector, "resources/read", "old").await?;
    assert_eq!(read.attributes.get("mcp.resource.uri").map(String::as_str), Some("test://static-text"));
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_its_root_does_not_sample_goes_on_unsampled_and_is_not_sent() -> Result<()> {
    let (_old, new, collector, gateway) = traced().await?;
    let client = Modern::new(gateway.address);
    let meta = json!({ "traceparent": traceparent("00") });
    let message = client.message("tools/call", json!({ "name": "new__echo", "arguments": {}, "_meta": meta }));
    client.send(&message).await?.json().await?;
    let calls = new.journal.received("tools/call");
    let told = calls[0]["body"]["params"]["_meta"]["traceparent"].as_str().unwrap_or_default();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
    // The next call's span comes; the one before would have come with it.
    client.tool("new__search", json!({ "query": "x" })).await?;
    span(&collector, "tools/call:search", "new").await?;
    assert!(collector.spans().iter().all(|span| span.trace != TRACE), "{:?}", collector.spans());
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn metrics_name_every_server_and_count_every_ending() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let config = Config::new()
        .server("real", url_server(&fixture.url()))
        .server("broken", json!({ "command": "/no/such/program" }))
        .key("alice", "a3f90c417be2d85566f1")
        .key_with(json!({ "name": "bob", "secret": "7d02e9b8c1546af3ee90", "deny": ["real.echo"] }));
    let gateway = Gateway::start(&config).await?;
    let key = |secret: &str| ("authorization".to_owned(), format!("Bearer {secret}"));
    let alice = Modern::full(gateway.address).header(key("a3f90c417be2d85566f1"));
    let bob = Modern::new(gateway.address).header(key("7d02e9b8c1546af3ee90"));
    alice.tool("real__echo", json!({})).await?;
    alice.tool("real__test_error_handling", json!({})).await?;
    alice.tool("real__elicit_twice", json!({})).await?;
    alice.call("resources/read", json!({ "uri": "real+test://none" })).await?;
    bob.tool("real__echo", json!({})).await?;
    bob.tool("real__no_such_tool", json!({})).await?;
    alice.tool("broken__x", json!({})).await?;
    Modern::new(gateway.address).tool("real__echo", json!({})).await?;
    // Without a key by another way in; a body that cannot be read says nothing of that to strangers.
    let stranger = request(Method::POST, gateway.address, "/v1/tools/real__echo", &[("content-type", "application/json")], "{")?;
    assert_eq!(once(gateway.address, stranger).await?.status, 401);
    let _session = Legacy::connect(gateway.address, "2025-06-18", json!({})).await;

    let headers = [("authorization", "Bearer a3f90c417be2d85566f1")];
    let text = once(gateway.address, request(Method::GET, gateway.address, "/metrics", &headers, "")?).await?.text().await?;
    let call = |tool: &str, outcome: &str, code: &str, side: &str| {
        format!(
            "toolcrib_calls_total{{method=\"tools/call\",server=\"real\",tool=\"{tool}\",outcome=\"{outcome}\",code=\"{code}\",side=\"{side}\"}} 1"
        )
    };
    for line in [
        call("echo", "ok", "", ""),
        call("test_error_handling", "tool_error", "", "upstream"),
        call("elicit_twice", "input_required", "", ""),
        call("echo", "failed", "TC0303", "client"),
        "method=\"tools/call\",server=\"\",tool=\"\",outcome=\"failed\",code=\"TC0310\",side=\"client\"} 1".to_owned(),
        "method=\"tools/call\",server=\"\",tool=\"\",outcome=\"failed\",code=\"TC0301\",side=\"client\"} 2".to_owned(),
        "method=\"tools/call\",server=\"broken\",tool=\"\",outcome=\"failed\",code=\"TC0202\",side=\"upstream\"} 1".to_owned(),
        "method=\"resources/read\",server=\"real\",tool=\"\",outcome=\"upstream_error\",".to_owned(),
        "toolcrib_call_duration_seconds_bucket{le=\"+Inf\",method=\"tools/call\",server=\"real\",tool=\"echo\"} 2".to_owned(),
        "toolcrib_parked_calls{server=\"real\"} 1".to_owned(),
        "toolcrib_upstream_up{server=\"broken\"} 0".to_owned(),
        "toolcrib_children{server=\"real\"} 0".to_owned(),
        "toolcrib_sessions{}".to_owned(),
    ] {
        ensure!(text.contains(&line), "{line}\nis not in\n{text}");
    }
    ensure!(!text.contains("no_such_tool") && !text.contains("test://"), "free text of a client: {text}");
    ensure!(text.ends_with("# EOF\n"), "OpenMetrics ends so");
    gateway.stop().await?;
    Ok(())
}
