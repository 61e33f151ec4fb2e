//! The bridge in front of servers that speak lines: what it adds, and what it leaves as it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Chunks, Revision};
use crib_transport::{ClientOptions, Endpoint, HttpClient};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::fixture::{Answer, options, target};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Sends one request; returns the status, the session where one is named, and the text.
async fn ask(url: &str, method: Method, session: Option<&str>, body: &str) -> (u16, Option<String>, String) {
    let http = HttpClient::new(ClientOptions::default()).expect("a client");
    let url: Endpoint = url.parse().expect("a URL");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
    if let Some(session) = session {
        headers.insert(SESSION, HeaderValue::from_str(session).expect("a header"));
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let received = http.send(&url, method, headers, Chunks::from(bytes::Bytes::from(body.to_owned())), deadline).await.expect("an answer");
    let named = received.headers.get(SESSION).map(|value| value.to_str().expect("text").to_owned());
    let text = received.body.collect(1024 * 1024).await.expect("a body");
    (received.status, named, String::from_utf8(text.to_vec()).expect("text"))
}

async fn post(url: &str, session: Option<&str>, body: &str) -> (u16, Option<String>, String) {
    ask(url, Method::POST, session, body).await
}

/// Answers everything with what it was asked, and notes it.
fn echo(seen: &Arc<Mutex<Vec<(String, Value)>>>) -> Answer {
    let seen = Arc::clone(seen);
    Arc::new(move |method, params| {
        seen.lock().push((method.to_owned(), params.clone()));
        if method == "nobody/knows" { Some(Err((-32601, "unknown".to_owned()))) } else { Some(Ok(json!({ "asked": method }))) }
    })
}

#[tokio::test]
async fn each_session_of_the_older_era_is_one_until_it_is_ended() {
    let seen = Arc::default();
    let bridge = crate::suite::bridge(&target(echo(&seen)), &options(), Revision::LATEST_LEGACY).await;
    let url = bridge.url();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    let (status, first, text) = post(url, None, hello).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((status, answer), (200, json!({ "jsonrpc": "2.0", "id": 1, "result": { "asked": "initialize" } })));
    let (_, second, _) = post(url, None, hello).await;
    let (first, second) = (first.expect("a session"), second.expect("a session"));
    assert_ne!(first, second);
    // A line break between tokens is none of the server's business.
    let (status, _, text) = post(url, Some(&first), "{\"jsonrpc\":\"2.0\",\n\"id\":\"a\",\"method\":\"nobody/knows\"}").await;
    assert!(status == 200 && text.contains("-32601") && text.contains(r#""id":"a""#), "{status} {text}");
    assert_eq!(post(url, Some(&first), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await.0, 202);
    assert_eq!(post(url, None, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await.0, 400, "which session?");
    assert_eq!(post(url, Some(&first), "[]").await.0, 400, "no message");
    assert_eq!(ask(url, Method::DELETE, Some(&first), "").await.0, 200);
    assert_eq!(post(url, Some(&first), r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await.0, 404);
    assert_eq!(post(url, Some(&second), r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await.0, 200);
    bridge.close().await;
}

#[tokio::test]
async fn in_the_newer_era_a_server_is_greeted_before_it_is_asked_and_errors_have_statuses() {
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let bridge = crate::suite::bridge(&target(echo(&seen)), &options(), Revision::LATEST).await;
    let url = bridge.url();
    let (status, session, text) = post(url, None, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#).await;
    assert_eq!((status, session), (200, None), "{text}");
    assert_eq!(post(url, None, r#"{"jsonrpc":"2.0","id":1,"method":"nobody/knows"}"#).await.0, 404);
    assert_eq!(ask(url, Method::DELETE, Some("x"), "").await.0, 405);
    let asked = seen.lock().clone();
    assert_eq!(asked.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>(), ["server/discover", "tools/list", "nobody/knows"]);
    let version = asked.first().and_then(|(_, params)| params.pointer("/_meta/io.modelcontextprotocol~1protocolVersion"));
    assert_eq!(version, Some(&json!("2026-07-28")), "a server of both eras goes by its first message");
    bridge.close().await;
}
