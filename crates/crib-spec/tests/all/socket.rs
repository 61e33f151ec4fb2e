//! MCP over WebSocket, which no revision of the specification has: both eras, keys, bounds, and the end.

use anyhow::{Context as _, Result, bail, ensure};
use crib_spec::{
    client::{Modern, answers, full_capabilities},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, url_server},
    http::{once, request},
    settings::gateway_binary,
    socket::{Handshake, Socket, shake},
    wait::{SOON, eventually, within},
};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const ADA: &str = "tcb-3f9c2b7e41d8a605";
const BOB: &str = "tcb-77aa10c4e2b95d38";

fn with_socket(config: Config) -> Config {
    config.gateway("webSocket", json!({ "listen": "127.0.0.1:0" }))
}

async fn serving(fixture: &Fixture) -> Result<Gateway> {
    Gateway::start(&with_socket(Config::plain("one", url_server(&fixture.url())))).await
}

async fn refused(gateway: &Gateway, path: &str, headers: &[(&str, &str)], protocols: &[&str]) -> Result<(u16, String)> {
    match shake(gateway.socket().await?, path, headers, protocols).await? {
        Handshake::Refused(status, body) => Ok((status, body)),
        Handshake::Open(_) => bail!("{path} {headers:?} {protocols:?}: the socket was opened"),
    }
}

async fn metric(gateway: &Gateway, name: &str) -> Option<u64> {
    let response = once(gateway.address, request(Method::GET, gateway.address, "/metrics", &[], "").ok()?).await.ok()?;
    let text = response.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("{}")?.trim().parse().ok())
}

#[tokio::test]
async fn a_legacy_client_does_everything_over_a_socket() -> Result<()> {
    for era in [Era::Legacy, Era::Modern] {
        let fixture = Fixture::of(era).await?;
        let gateway = serving(&fixture).await?;
        let mut client = Socket::connect(gateway.socket().await?, full_capabilities()).await?;
        let tools = client.call("tools/list", json!({})).await?;
        assert!(tools["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 20), "{era}: {tools}");

        let params = json!({ "name": "test_tool_with_progress", "arguments": {}, "_meta": { "progressToken": "p" } });
        let heard = client.call_hearing("tools/call", params).await?;
        let steps: Vec<&Value> = heard.iter().filter(|message| message["method"] == "notifications/progress").collect();
        assert_eq!(steps.len(), 3, "{era}: {heard:?}");
        assert!(steps.iter().all(|step| step["params"]["progressToken"] == "p"), "{era}: {heard:?}");

        let heard = client.call_hearing("tools/call", json!({ "name": "test_elicitation", "arguments": { "message": "hello" } })).await?;
        assert!(heard.iter().any(|message| message["method"] == "elicitation/create"), "{era}: {heard:?}");
        let reply = heard.last().context("a reply")?;
        assert!(reply["result"]["content"][0]["text"].is_string() && reply["result"]["isError"] != true, "{era}: {reply}");

        let id = client.ask("tools/call", json!({ "name": "test_trigger_tool_change", "arguments": {} })).await?;
        let mut wanted = (false, false);
        while wanted != (true, true) {
            let message = client.receive().await?;
            wanted.0 |= message["id"] == id;
            wanted.1 |= message["method"] == "notifications/tools/list_changed";
        }
        client.close().await?;
        gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_modern_client_does_everything_over_a_socket() -> Result<()> {
    let fixture = Fixture::of(Era::Dual).await?;
    let gateway = serving(&fixture).await?;
    let words = Modern::full(gateway.address);
    let mut client = Socket::open(gateway.socket().await?, "/mcp", &[]).await?;
    client.send(&words.message("server/discover", json!({}))).await?;
    let reply = client.receive().await?;
    assert!(reply["result"]["supportedVersions"].as_array().is_some_and(|list| list.contains(&json!("2026-07-28"))), "{reply}");

    let mut params = json!({ "name": "test_elicitation", "arguments": { "message": "hello" } });
    client.send(&words.message("tools/call", params.clone())).await?;
    let reply = client.receive().await?;
    assert_eq!(reply["result"]["resultType"], "input_required", "{reply}");
    params["inputResponses"] = answers(&reply["result"]);
    if let Some(state) = reply["result"].get("requestState") {
        params["requestState"] = state.clone();
    }
    client.send(&words.message("tools/call", params)).await?;
    let reply = client.receive().await?;
    assert!(reply["result"]["content"][0]["text"].is_string(), "{reply}");

    let listen = words.message("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    client.send(&listen).await?;
    let reply = client.receive().await?;
    assert_eq!(reply["method"], "notifications/subscriptions/acknowledged", "{reply}");
    fixture.list_generated(3);
    let told = client.receive().await?;
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    // What is taken back says no more: the reply to the next request is the next message.
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": listen["id"] } })).await?;
    let next = words.message("tools/call", json!({ "name": "test_simple_text", "arguments": {} }));
    client.send(&next).await?;
    let reply = client.receive().await?;
    assert_eq!(reply["id"], next["id"], "{reply}");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_socket_is_opened_by_a_key_and_only_does_what_the_key_may() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let keys = Config::new()
        .server("one", url_server(&fixture.url()))
        .key("ada", ADA)
        .key_with(json!({ "name": "bob", "secret": BOB, "allow": ["one.echo"] }));
    let gateway = Gateway::start(&with_socket(keys)).await?;
    for headers in [&[][..], &[("authorization", "Bearer tcb-0000111122223333")], &[("x-api-key", "tcb-0000111122223333")]] {
        let (status, body) = refused(&gateway, "/mcp", headers, &["mcp"]).await?;
        assert_eq!(status, 401, "{headers:?}: {body}");
    }
    let (status, _) = refused(&gateway, &format!("/mcp?key={ADA}"), &[], &["mcp"]).await?;
    assert_eq!(status, 401, "a secret does not belong into an address");
    for (path, status) in [("/mcp/none", 404), ("/mcp/a__b", 404), ("/", 404), ("/v1/servers", 404)] {
        assert_eq!(refused(&gateway, path, &[("x-api-key", ADA)], &["mcp"]).await?.0, status, "{path}");
    }
    let words = Modern::full(gateway.address);
    for (header, value, tools) in [("authorization", format!("Bearer {ADA}"), 20..usize::MAX), ("x-api-key", BOB.to_owned(), 1..2)] {
        for path in ["/mcp", "/mcp/one"] {
            let mut client = Socket::open(gateway.socket().await?, path, &[(header, &value)]).await?;
            client.send(&words.message("tools/list", json!({}))).await?;
            let reply = client.receive().await?;
            let count = reply["result"]["tools"].as_array().map(Vec::len).unwrap_or_default();
            assert!(tools.contains(&count), "{path}: {count} tools");
        }
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_taken_back_closes_its_sockets() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let config = with_socket(Config::new().server("one", url_server(&fixture.url())).key("ada", ADA));
    let gateway = Gateway::start(&config.clone().key("bob", BOB)).await?;
    let mut bob = Socket::open(gateway.socket().await?, "/mcp", &[("x-api-key", BOB)]).await?;
    let mut ada = Socket::open(gateway.socket().await?, "/mcp", &[("x-api-key", ADA)]).await?;
    assert!(bob.call("ping", json!({})).await?["result"].is_object());
    gateway.reconfigure(&config)?;
    let end = tokio::time::Instant::now() + SOON;
    let refusal = loop {
        bob.ask("ping", json!({})).await?;
        let reply = bob.receive().await?;
        if reply.get("error").is_some() {
            break reply;
        }
        ensure!(tokio::time::Instant::now() < end, "the key still opens");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(refusal["error"]["data"]["code"], "TC0301", "{refusal}");
    assert_eq!(bob.closed().await?, Some(1008));
    assert!(ada.call("ping", json!({})).await?["result"].is_object());
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_page_may_open_a_socket_where_its_origin_is_configured() -> Result<()> {
    let fixture = Fixture::of(Era::Modern).await?;
    let config = Config::plain("one", url_server(&fixture.url())).gateway("allowedOrigins", json!(["https://app.example"]));
    let gateway = Gateway::start(&with_socket(config)).await?;
    for origin in ["https://evil.example", "null", "http://localhost:3000"] {
        assert_eq!(refused(&gateway, "/mcp", &[("origin", origin)], &["mcp"]).await?.0, 403, "{origin}");
    }
    let socket = gateway.socket().await?;
    let response = once(socket, request(Method::GET, socket, "/mcp", &[("host", "evil.example")], "")?).await?;
    assert_eq!(response.status, 403);
    Socket::open(gateway.socket().await?, "/mcp", &[("origin", "https://app.example")]).await?.close().await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_no_socket_for_mcp_is_refused() -> Result<()> {
    let fixture = Fixture::of(Era::Modern).await?;
    let gateway = serving(&fixture).await?;
    for protocols in [&[][..], &["chat"], &["mcp2", "x-mcp"]] {
        assert_eq!(refused(&gateway, "/mcp", &[], protocols).await?.0, 400, "{protocols:?}");
    }
    // A client may know others as well.
    let opened = shake(gateway.socket().await?, "/mcp", &[], &["mcp2", "mcp"]).await?;
    assert!(matches!(opened, Handshake::Open(_)), "{opened:?}");
    let socket = gateway.socket().await?;
    for method in [Method::GET, Method::POST] {
        let headers = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let response = once(socket, request(method.clone(), socket, "/mcp", &headers, "")?).await?;
        assert_eq!((response.status, response.header("upgrade")), (426, "websocket"), "{method}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn sockets_for_everybody_need_keys() -> Result<()> {
    let config = Config::new().gateway("webSocket", json!({ "listen": "0.0.0.0:0" }));
    let file = config.write("127.0.0.1:0".parse()?)?;
    let mut command = tokio::process::Command::new(gateway_binary());
    command.arg("serve").arg("-c").arg(&file).arg("--check").kill_on_drop(true);
    let output = within(SOON, "the check", command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("TC0104") && said.contains("WebSocket"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_frame_that_cannot_be_a_message_closes_the_socket() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let config = Config::plain("one", url_server(&fixture.url())).gateway("bodyBytesMax", json!(4096));
    let gateway = Gateway::start(&with_socket(config)).await?;
    let address = gateway.socket().await?;
    for (frame, code) in [(Message::binary(b"{}".to_vec()), 1003), (Message::text("x".repeat(5000)), 1009)] {
        let mut client = Socket::open(address, "/mcp", &[]).await?;
        client.send_frame(frame).await?;
        assert_eq!(client.closed().await?, Some(code));
    }
    // Broken JSON is a broken message and not a broken socket.
    let mut client = Socket::connect(address, json!({})).await?;
    client.send_frame(Message::text("{")).await?;
    let reply = client.receive().await?;
    assert_eq!((&reply["error"]["code"], &reply["id"]), (&json!(-32700), &Value::Null), "{reply}");
    assert_eq!(client.call("ping", json!({})).await?["result"], json!({}));
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn clients_on_sockets_never_hear_each_other() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let gateway = serving(&fixture).await?;
    let address = gateway.socket().await?;
    let talk = |who: &'static str| async move {
        let mut client = Socket::connect(address, full_capabilities()).await?;
        for round in 0..20 {
            // The same ids and tokens on every socket.
            let params = json!({
                "name": if round % 2 == 0 { "maybe_elicit" } else { "echo" },
                "arguments": { "who": who, "ask": true },
                "_meta": { "progressToken": 1 },
            });
            for message in client.call_hearing("tools/call", params).await? {
                ensure!(message.to_string().contains(who), "{who}, {round}: {message}");
            }
        }
        client.close().await
    };
    tokio::try_join!(talk("Ada"), talk("Bert"), talk("Cleo"))?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_session_ends_with_its_socket() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let gateway = serving(&fixture).await?;
    let mut client = Socket::connect(gateway.socket().await?, json!({})).await?;
    assert_eq!(metric(&gateway, "toolcrib_sessions").await, Some(1));
    let params = json!({ "name": "slow", "arguments": { "ms": 60_000, "steps": 1 }, "_meta": { "progressToken": 1 } });
    client.ask("tools/call", params).await?;
    let message = client.receive().await?;
    assert_eq!(message["method"], "notifications/progress", "{message}");
    client.close().await?;
    let cancelled = |entries: &[Value]| entries.iter().any(|entry| entry["what"] == "cancelled").then_some(());
    fixture.journal.until(SOON, "the server hears that the call was given up", cancelled).await?;
    let gone = || async { (metric(&gateway, "toolcrib_sessions").await == Some(0)).then_some(()) };
    eventually(SOON, "the session is gone", gone).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_gateway_closes_its_sockets() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let gateway = serving(&fixture).await?;
    let address = gateway.socket().await?;
    let mut legacy = Socket::connect(address, json!({})).await?;
    let mut modern = Socket::open(address, "/mcp", &[]).await?;
    let words = Modern::full(gateway.address);
    modern.send(&words.message("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))).await?;
    modern.receive().await?;
    let stopped = async { gateway.stop().await };
    let (code, one, other) = tokio::join!(stopped, legacy.closed(), modern.closed());
    assert_eq!((code?, one?, other?), (Some(0), Some(1001), Some(1001)));
    Ok(())
}
