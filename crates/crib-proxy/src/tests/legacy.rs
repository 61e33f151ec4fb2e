use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Method, Notification, Payload};
use crib_model::{Answer, Event, Gateway, Outcome, Reply, State, Step, Verb};
use futures_util::stream;
use serde_json::{Value, json};

use super::rig::{ALICE, BOB, Fake, Got, Handler, Rig, complete, echo, frames, inbound, next, read, tool};

/// A client of a revision with a handshake.
struct Legacy<'a> {
    rig: &'a Rig,
    key: &'static str,
    session: String,
    version: &'static str,
}

impl<'a> Legacy<'a> {
    async fn new(rig: &'a Rig, key: &'static str, version: &'static str, caps: Value) -> Self {
        let params = json!({ "protocolVersion": version, "capabilities": caps, "clientInfo": { "name": "t", "version": "1" } });
        let bearer = format!("Bearer {key}");
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let got = read(rig.plane.receive(inbound(Verb::Post, &[("authorization", &bearer)], &body)).await).await;
        assert_eq!(got.last()["result"]["protocolVersion"], version);
        let session = got.headers["mcp-session-id"].to_str().unwrap().to_owned();
        Self { rig, key, session, version }
    }

    async fn act(&self, verb: Verb, extra: &[(&str, &str)], body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("mcp-session-id", self.session.as_str()),
            ("mcp-protocol-version", self.version),
            ("accept", "application/json, text/event-stream"),
        ];
        headers.extend_from_slice(extra);
        self.rig.plane.receive(inbound(verb, &headers, body)).await
    }

    async fn open(&self, id: Value, method: &str, params: Value) -> Answer {
        self.act(Verb::Post, &[], &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await
    }

    async fn send(&self, method: &str, params: Value) -> Got {
        read(self.open(json!(1), method, params).await).await
    }
}

/// A modern server that asks for three things at once.
fn asks_three() -> Handler {
    Arc::new(|forward| {
        Box::pin(async move {
            match forward.inputs {
                None => Ok(Reply::Done(Outcome::InputRequired {
                    requests: Payload::of(&json!({
                        "e": { "method": "elicitation/create", "params": { "mode": "form", "message": "name?", "requestedSchema": { "type": "object", "properties": {} } } },
                        "s": { "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 5 } },
                        "r": { "method": "roots/list", "params": {} },
                    })),
                    state: Some(State::Upstream(crib_mcp::Json::from_static("\"opaque \\u00e9\""))),
                    meta: None,
                })),
                Some(inputs) => {
                    let Some(State::Upstream(state)) = &inputs.state else { panic!("no state") };
                    assert_eq!(state.as_str(), "\"opaque \\u00e9\"");
                    let mut keys: Vec<&str> = inputs.responses.iter().map(|(key, _)| key.as_str()).collect();
                    keys.sort_unstable();
                    complete(&json!({ "resultType": "complete", "content": [{ "type": "text", "text": keys.join(",") }] }))
                }
            }
        })
    })
}

#[tokio::test]
async fn a_legacy_client_is_asked_for_real_on_the_stream_of_its_request() {
    let fake = Fake::new(vec![tool("ask")], asks_three());
    let rig = Rig::new(&[("s", &fake)]);
    let client = Legacy::new(&rig, ALICE, "2025-11-25", json!({ "elicitation": {}, "sampling": {}, "roots": {} })).await;
    let mut stream = frames(client.open(json!("call"), "tools/call", json!({ "name": "s__ask", "arguments": {} })).await);
    for _ in 0..3 {
        let question = next(&mut stream).await;
        let result = match question["method"].as_str().unwrap() {
            "elicitation/create" => json!({ "action": "accept", "content": {} }),
            "sampling/createMessage" => json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "hi" } }),
            "roots/list" => json!({ "roots": [] }),
            other => panic!("{other}"),
        };
        let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        assert_eq!(read(client.act(Verb::Post, &[], &answer).await).await.status, 202);
    }
    let done = next(&mut stream).await;
    assert_eq!(done["id"], "call");
    assert_eq!(done["result"]["content"][0]["text"], "e,r,s");
    assert_eq!(done["result"]["resultType"], Value::Null);
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_gets_words_and_no_wait() {
    let fake = Fake::new(vec![tool("ask")], asks_three());
    let rig = Rig::new(&[("s", &fake)]);
    let client = Legacy::new(&rig, ALICE, "2025-06-18", json!({})).await;
    let got = tokio::time::timeout(Duration::from_secs(1), client.send("tools/call", json!({ "name": "s__ask" }))).await.unwrap();
    assert_eq!(got.last()["result"]["isError"], true);
}

/// Says something, waits for a signal, and answers.
fn slow(signal: Arc<tokio::sync::Notify>, dropped: Arc<std::sync::atomic::AtomicBool>) -> Handler {
    struct Guard(Arc<std::sync::atomic::AtomicBool>, bool);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(!self.1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    Arc::new(move |_| {
        let (signal, dropped) = (Arc::clone(&signal), Arc::clone(&dropped));
        Box::pin(async move {
            let progress = Notification { method: Method::Progress, params: Payload::of(&json!({ "progressToken": 1, "progress": 1 })) };
            let first = stream::once(async { Step::Event(Event(progress)) });
            let mut guard = Guard(dropped, false);
            let last = stream::once(async move {
                signal.notified().await;
                guard.1 = true;
                drop(guard);
                let outcome =
                    Outcome::Complete(Payload::of(&json!({ "resultType": "complete", "content": [] })), crib_mcp::Revision::LATEST);
                Step::Done(Ok(outcome))
            });
            Ok(Reply::Stream(Box::pin(futures_util::StreamExt::chain(first, last))))
        })
    })
}

#[tokio::test]
async fn a_lost_stream_cancels_nothing_and_its_end_is_delivered_once() {
    let (signal, dropped) = (Arc::new(tokio::sync::Notify::new()), Arc::default());
    let fake = Fake::new(vec![tool("t")], slow(Arc::clone(&signal), Arc::clone(&dropped)));
    let rig = Rig::new(&[("s", &fake)]);
    let client = Legacy::new(&rig, ALICE, "2025-11-25", json!({})).await;
    let Answer::Stream { mut frames, .. } = client.open(json!(9), "tools/call", json!({ "name": "s__t" })).await else {
        panic!("no stream")
    };
    let mut last = String::new();
    while let Some(frame) = futures_util::StreamExt::next(&mut frames).await {
        last = frame.id.clone().unwrap();
        if !super::rig::value(frame).is_null() {
            break;
        }
    }
    drop(frames);
    signal.notify_one();
    let mut rest = super::rig::frames(client.act(Verb::Get, &[("last-event-id", &last)], &Value::Null).await);
    let done = next(&mut rest).await;
    assert_eq!(done["id"], 9);
    assert!(futures_util::StreamExt::next(&mut rest).await.is_none(), "the stream ends with the response");
    assert!(!dropped.load(std::sync::atomic::Ordering::SeqCst), "the call was not cancelled");
}

#[tokio::test]
async fn a_cancelled_request_is_dropped_and_not_answered() {
    let dropped = Arc::default();
    let fake = Fake::new(vec![tool("t")], slow(Arc::new(tokio::sync::Notify::new()), Arc::clone(&dropped)));
    let rig = Rig::new(&[("s", &fake)]);
    let client = Legacy::new(&rig, ALICE, "2025-06-18", json!({})).await;
    let mut stream = frames(client.open(json!(4), "tools/call", json!({ "name": "s__t" })).await);
    next(&mut stream).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 4 } });
    assert_eq!(read(client.act(Verb::Post, &[], &cancel).await).await.status, 202);
    let end = tokio::time::timeout(Duration::from_secs(1), futures_util::StreamExt::next(&mut stream)).await.unwrap();
    assert!(end.is_none());
    assert!(dropped.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn a_session_belongs_to_its_caller_and_ends_with_delete() {
    let fake = Fake::new(vec![tool("t")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    let mut client = Legacy::new(&rig, ALICE, "2025-11-25", json!({})).await;
    assert_eq!(client.send("ping", json!({})).await.last()["result"], json!({}));
    assert_eq!(client.send("nope", json!({})).await.status, 200);
    client.key = BOB;
    assert_eq!(client.send("ping", json!({})).await.status, 404);
    client.key = ALICE;
    assert_eq!(read(client.act(Verb::Delete, &[], &Value::Null).await).await.status, 200);
    assert_eq!(client.send("ping", json!({})).await.status, 404);
}

#[tokio::test]
async fn only_the_revision_that_has_batches_takes_them() {
    let fake = Fake::new(vec![tool("t")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    let ping = |id: u64| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let old = Legacy::new(&rig, ALICE, "2025-03-26", json!({})).await;
    let got =
        read(old.act(Verb::Post, &[], &json!([ping(1), { "jsonrpc": "2.0", "method": "notifications/initialized" }, ping(2)])).await).await;
    assert_eq!(got.last().as_array().unwrap().len(), 2);
    let with_initialize = json!([{ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {} }]);
    assert_eq!(read(old.act(Verb::Post, &[], &with_initialize).await).await.error_code(), -32600);
    let newer = Legacy::new(&rig, ALICE, "2025-06-18", json!({})).await;
    let got = read(newer.act(Verb::Post, &[], &json!([ping(1)])).await).await;
    assert_eq!((got.status, got.error_code()), (400, -32600));
}

#[tokio::test]
async fn a_resource_that_is_not_there_has_the_code_of_the_revision() {
    let (one, two) = (Fake::new(Vec::new(), echo()), Fake::new(Vec::new(), echo()));
    let rig = Rig::new(&[("one", &one), ("two", &two)]);
    let got = Legacy::new(&rig, ALICE, "2025-06-18", json!({})).await.send("resources/read", json!({ "uri": "x+file:///a" })).await;
    assert_eq!((got.error_code(), &got.last()["error"]["data"]), (-32002, &json!({ "uri": "x+file:///a" })));
}

#[tokio::test]
async fn a_request_of_a_version_nobody_has_is_refused_under_its_id() {
    let fake = Fake::new(vec![tool("t")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    let client = Legacy::new(&rig, ALICE, "2025-06-18", json!({})).await;
    let strange = Legacy { version: "1999-01-01", ..client };
    let got = strange.send("tools/list", json!({})).await;
    assert_eq!((got.status, &got.last()["id"]), (400, &json!(1)));
}
