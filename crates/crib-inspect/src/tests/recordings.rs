//! Recordings: written, read, sent again, played.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Client, Decline, Ignored, Lens, Mask, Player, Recording, Tap, exchanges, recorder, replay};
use bytes::Bytes;
use crib_model::Code;
use serde_json::{Value, json};

use super::fixture::{Answer, good_tool, legacy, options, target};

/// A server that tells the time, and counts.
fn clock(year: &'static str) -> Answer {
    let calls = AtomicU64::new(0);
    let base = legacy(json!([good_tool("left")]));
    Arc::new(move |method, params| match method {
        "tools/call" => {
            let n = calls.fetch_add(1, Ordering::Relaxed);
            Some(Ok(json!({ "content": [{ "type": "text", "text": format!("call {n} at {year}-01-02T03:04:05Z") }] })))
        }
        _ => base(method, params),
    })
}

async fn recorded(answer: Answer, calls: usize) -> (tempfile::TempDir, Recording) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    let tap = Tap::new(vec![recorder(&path, "fixture", None).expect("a file")]);
    let client = Client::connect(&target(answer), &options(), &tap, Arc::new(Decline)).await.expect("it connects");
    client.list(crate::List::Tools).await.expect("a list");
    for _ in 0..calls {
        client.request("tools/call", json!({ "name": "left", "arguments": { "of": "tea" } })).await.expect("an answer");
    }
    client.close().await;
    let recording = Recording::read(&path).expect("a recording");
    (folder, recording)
}

async fn replayed(recording: &Recording, answer: Answer, ignored: &[&str]) -> crate::ReplayReport {
    let tap = Tap::new(Vec::new());
    replay(&target(answer), &options(), recording, &Lens { ignored: Ignored::new(ignored), mask: Mask::default() }, &tap)
        .await
        .expect("it is sent")
}

#[tokio::test]
async fn the_same_server_answers_alike_whatever_the_time() {
    let (_folder, recording) = recorded(clock("2026"), 2).await;
    let report = replayed(&recording, clock("2027"), &[]).await;
    assert!(report.is_same() && report.same == report.sent && report.sent == 4, "{report}");
}

#[tokio::test]
async fn another_answer_is_found_and_can_be_left_out() {
    let (_folder, recording) = recorded(clock("2026"), 2).await;
    let other = legacy(json!([good_tool("right")]));
    let report = replayed(&recording, Arc::clone(&other), &[]).await;
    assert!(!report.is_same());
    insta::assert_snapshot!(report.to_string());
    let report = replayed(&recording, other, &["/tools/*/name", "/content/0/text", "/structuredContent"]).await;
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
async fn a_recording_can_be_the_server() {
    let (_folder, recording) = recorded(clock("2026"), 2).await;
    let mut player = Player::new(&recording);
    let mut ask = |id: u64, method: &str, params: Value| {
        let text = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let answer = player.answer(&Bytes::from(text)).expect("an answer").into_bytes();
        serde_json::from_slice::<Value>(&answer).expect("JSON")
    };
    let hello = ask(1, "initialize", json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {} }));
    assert_eq!((&hello["id"], &hello["result"]["serverInfo"]["name"]), (&json!(1), &json!("fixture")));
    let call = json!({ "name": "left", "arguments": { "of": "tea" } });
    let texts: Vec<Value> = (2..5).map(|id| ask(id, "tools/call", call.clone())["result"]["content"][0]["text"].clone()).collect();
    assert_eq!(texts, ["call 0 at 2026-01-02T03:04:05Z", "call 1 at 2026-01-02T03:04:05Z", "call 1 at 2026-01-02T03:04:05Z"]);
    assert_eq!(ask(9, "tools/call", json!({ "name": "other" }))["error"]["code"], -32601);
}

#[tokio::test]
async fn every_request_of_a_recording_has_its_answer() {
    let (_folder, recording) = recorded(clock("2026"), 1).await;
    let methods: Vec<String> =
        exchanges(&recording).into_iter().map(|exchange| format!("{} {}", exchange.method, exchange.answer.is_some())).collect();
    assert_eq!(methods, ["server/discover true", "initialize true", "tools/list true", "tools/call true"]);
}

#[test]
fn what_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    for text in ["", "{}", "{\"schema\":\"other\",\"server\":\"\",\"toolcrib\":\"\"}", "nothing"] {
        std::fs::write(&path, text).expect("written");
        assert_eq!(Recording::read(&path).expect_err("no recording").code(), Code::RecordingInvalid, "{text}");
    }
    assert_eq!(Recording::read(&folder.path().join("gone")).expect_err("no file").code(), Code::RecordingUnusable);
    assert!(recorder(&folder.path().join("no/such/folder"), "x", None).is_err());
}

/// A server that answers with the credential it was called with.
fn teller() -> Answer {
    let base = legacy(json!([good_tool("left")]));
    Arc::new(move |method, params| match method {
        "tools/call" => {
            let told = format!("GITHUB_TOKEN=abcdefgh12 for {}", params["arguments"]["of"].as_str().unwrap_or_default());
            Some(Ok(json!({ "content": [{ "type": "text", "text": told }], "structuredContent": { "apiKey": "k", "n": 1 } })))
        }
        _ => base(method, params),
    })
}

#[tokio::test]
async fn secrets_are_not_recorded_and_the_recording_can_be_sent_again_where_they_are_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let (masked, whole) = (folder.path().join("masked"), folder.path().join("whole"));
    let mask = Mask::default().with("GH", "canary-value");
    let sinks = vec![recorder(&masked, "x", Some(mask.clone())).expect("a file"), recorder(&whole, "x", None).expect("a file")];
    let client = Client::connect(&target(teller()), &options(), &Tap::new(sinks), Arc::new(Decline)).await.expect("it connects");
    let call = json!({ "name": "left", "arguments": { "of": "canary-value" } });
    client.request("tools/call", call.clone()).await.expect("an answer");
    client.close().await;
    let text = std::fs::read_to_string(&masked).expect("a recording");
    for secret in ["canary-value", "abcdefgh12", r#""apiKey":"k""#] {
        assert!(!text.contains(secret), "{secret} is in {text}");
        assert!(std::fs::read_to_string(&whole).expect("a recording").contains(secret), "{secret}");
    }
    let recording = Recording::read(&masked).expect("a recording");
    for (mask, sent, unsent) in [(mask, 2, 0), (Mask::default(), 1, 1)] {
        let lens = Lens { ignored: Ignored::default(), mask };
        let report = replay(&target(teller()), &options(), &recording, &lens, &Tap::new(Vec::new())).await.expect("it is sent");
        assert!(report.is_same() && (report.sent, report.unsent) == (sent, unsent), "{report}");
    }
    let mut player = Player::new(&recording);
    let text = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call }).to_string();
    let answer = player.answer(&Bytes::from(text)).expect("an answer").into_bytes();
    assert!(String::from_utf8_lossy(&answer).contains("GITHUB_TOKEN=[secret] for ${secret:GH}"), "{answer:?}");
}
