use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::header::{ParamHeader, ParamHeaders};
use crib_mcp::{Chunks, Json, Method, Revision, code};
use crib_model::limits::ERA_TTL;
use crib_model::{Answer, BoxFuture, Code, Connection, Forward, Frame, Gateway, Inbound, Outcome, Reply, Slug, Step, Upstream, Verb};
use crib_transport::{Endpoint, NoRoutes, ServerOptions, bind};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::connect;
use crate::options::{ConnectorOptions, Source};
use crate::testing::{ELICIT, TestClock, asked, done, forward, retry, shared, text_of, tool};

/// One request as the server saw it.
#[derive(Clone)]
struct Seen {
    verb: Verb,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
    fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
    fn is_modern(&self) -> bool {
        self.header("mcp-protocol-version") == Some("2026-07-28")
    }
}

type Behaviour = Box<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// A server whose behaviour is a function.
struct Fake {
    behave: Behaviour,
    seen: Mutex<Vec<Seen>>,
}

impl Gateway for Fake {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer> {
        let body = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let seen = Seen { verb: inbound.verb, headers: inbound.headers, body };
        let answer = (self.behave)(&seen);
        self.seen.lock().push(seen);
        Box::pin(std::future::ready(answer))
    }
    fn closed(&self, _: Connection) {}
}

struct Bench {
    upstream: Arc<dyn Upstream>,
    fake: Arc<Fake>,
    clock: Arc<TestClock>,
    _serving: DropGuard,
}

impl Bench {
    async fn new(behave: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(behave, |options| ConnectorOptions { processes_max: 2, ..options }).await
    }

    async fn with(
        behave: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
        change: impl FnOnce(ConnectorOptions) -> ConnectorOptions,
    ) -> Self {
        let server = bind(ServerOptions { listen: vec!["127.0.0.1:0".parse().unwrap()], ..ServerOptions::default() }).await.unwrap();
        let url = Endpoint::parse(&format!("http://{}/mcp", server.local_addrs()[0])).unwrap();
        let fake = Arc::new(Fake { behave: Box::new(behave), seen: Mutex::default() });
        let (shared, clock) = shared();
        let shutdown = CancellationToken::new();
        shared.tracker.spawn(server.run(Arc::clone(&fake) as Arc<dyn Gateway>, Arc::new(NoRoutes), shutdown.clone()));
        let headers = vec![("Authorization".to_owned(), "Bearer secret".to_owned())];
        let options = ConnectorOptions::new(Slug::from_name("web"), Source::Http { url, headers });
        let options = change(options);
        Self { upstream: connect(options, shared), fake, clock, _serving: shutdown.drop_guard() }
    }

    async fn call(&self, forward: Forward) -> Outcome {
        done(self.upstream.call(Arc::new(forward)).await)
    }

    fn seen(&self, method: &str) -> Vec<Seen> {
        self.fake.seen.lock().iter().filter(|seen| seen.method() == method).cloned().collect()
    }

    async fn until_seen(&self, method: &str, count: usize) -> Vec<Seen> {
        for _ in 0..500 {
            let seen = self.seen(method);
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} times `{method}` were not seen");
    }
}

fn ok(seen: &Seen, result: &Value) -> Answer {
    json_answer(200, &json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result }))
}

fn text(seen: &Seen, text: &str) -> Answer {
    ok(seen, &json!({ "content": [{ "type": "text", "text": text }] }))
}

#[expect(clippy::needless_pass_by_value, reason = "tests read better so")]
fn refuse(seen: &Seen, status: u16, code: i64, data: Value) -> Answer {
    json_answer(status, &json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": { "code": code, "message": "no", "data": data } }))
}

fn json_answer(status: u16, message: &Value) -> Answer {
    Answer::json(status, Chunks::from(Bytes::from(message.to_string())))
}

fn frame(message: &Value) -> Frame {
    Frame::message(Chunks::from(Bytes::from(message.to_string())))
}

fn events(frames: Vec<Frame>) -> Answer {
    Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::iter(frames)) }
}

fn discovered(seen: &Seen) -> Answer {
    ok(seen, &json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {} }))
}

/// A modern server with one more behaviour.
fn modern(more: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    move |seen| if seen.method() == "server/discover" { discovered(seen) } else { more(seen) }
}

/// A server of 2025-06-18 that gives each client a session, with one more behaviour inside it.
fn legacy(more: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    move |seen| match (seen.verb, seen.method()) {
        (Verb::Get, _) => Answer::empty(405),
        (Verb::Delete, _) | (_, "notifications/initialized" | "notifications/cancelled") => Answer::empty(202),
        (_, "initialize") => {
            let result =
                json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": { "name": "f", "version": "1" } });
            let Answer::Message { body, .. } = ok(seen, &result) else { panic!("not a message") };
            let mut headers = HeaderMap::new();
            headers.insert("mcp-session-id", "s1".parse().unwrap());
            Answer::Message { status: 200, headers, body }
        }
        _ if seen.header("mcp-session-id").is_none() => {
            json_answer(400, &json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "Bad Request: no session" } }))
        }
        _ => more(seen),
    }
}

#[tokio::test]
async fn a_modern_call_says_in_its_headers_what_it_is() {
    let bench = Bench::new(modern(|seen| text(seen, "ok"))).await;
    let params = json!({ "name": "gh__suché", "arguments": { "region": "東京", "n": 1e3 }, "_meta": { "x/y": 1, "progressToken": "p" } });
    let mut call = forward(Method::ToolsCall, &params, ELICIT);
    call.target = Some("suché".into());
    call.param_headers =
        Some(Arc::new(ParamHeaders { entries: vec![ParamHeader { path: vec!["region".to_owned()], name: "Region".to_owned() }] }));
    let mut client = (*call.client).clone();
    client.revision = Revision::V2025_06_18;
    client.info = Some(Json::from_static(r#"{"name":"old","version":"1"}"#));
    call.client = Arc::new(client);
    assert_eq!(text_of(&bench.call(call).await), "ok");

    let seen = &bench.seen("tools/call")[0];
    assert_eq!(seen.header("mcp-method"), Some("tools/call"));
    assert_eq!(seen.header("mcp-name"), Some("=?base64?c3VjaMOp?="));
    assert_eq!(seen.header("mcp-param-region"), Some("=?base64?5p2x5Lqs?="));
    assert_eq!(seen.header("authorization"), Some("Bearer secret"));
    assert!(seen.is_modern());
    let expected = json!({
        "name": "suché", "arguments": { "region": "東京", "n": 1e3 },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
            "io.modelcontextprotocol/clientInfo": { "name": "old", "version": "1" },
            "x/y": 1,
        },
    });
    assert_eq!(seen.body["params"], expected);
    assert!(bench.seen("initialize").is_empty());
}

#[tokio::test]
async fn the_bytes_of_a_modern_client_go_on_as_they_are() {
    let bench = Bench::new(modern(|seen| text(seen, "ok"))).await;
    let raw = r#"{"name":"a",  "arguments":{"n":1e3,"big":123456789012345678901234567890},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
    let params = crib_mcp::Payload::parse(&Bytes::from_static(raw.as_bytes())).unwrap();
    let call = Forward { params, ..tool("a", "{}") };
    assert_eq!(crate::params::modern(&call, None).into_bytes(), raw.as_bytes());
    bench.call(call).await;
}

#[tokio::test]
async fn events_come_before_the_answer_and_a_reader_that_leaves_closes_the_stream() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let bench = Bench::new(modern(move |seen| {
        let token = seen.body["params"]["_meta"]["progressToken"].clone();
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 1 } });
        let id = seen.body["id"].clone();
        let answer =
            json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete", "content": [{ "type": "text", "text": "ok" }] } });
        if seen.body["params"]["name"] == "quick" {
            return events(vec![frame(&progress), frame(&answer)]);
        }
        let guard = left.clone();
        let endless = stream::iter([frame(&progress)]).chain(stream::pending()).map(move |frame| {
            let _kept = &guard;
            frame
        });
        Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(endless) }
    }))
    .await;
    let call = |name: &str| Forward { progress_token: Some(Json::from_static("18446744073709551615")), ..tool(name, "{}") };
    let Reply::Stream(steps) = bench.upstream.call(Arc::new(call("quick"))).await.unwrap() else { panic!("not a stream") };
    let steps: Vec<Step> = steps.collect().await;
    assert_eq!(steps.len(), 2);
    assert!(matches!(&steps[0], Step::Event(event) if event.0.params.object.raw("progressToken") == Some(b"18446744073709551615")));
    assert!(matches!(&steps[1], Step::Done(Ok(Outcome::Complete(..)))));

    let Reply::Stream(steps) = bench.upstream.call(Arc::new(call("slow"))).await.unwrap() else { panic!("not a stream") };
    drop(steps);
    // The last sender lives in the behaviour itself, so the end shows as the stream's own copy being dropped.
    let gone = tokio::time::timeout(Duration::from_secs(2), async {
        while leaving.sender_strong_count() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(gone.await.is_ok());
    leaving.close();
}

#[tokio::test]
async fn errors_of_the_server_are_answers_and_refusals_are_faults() {
    let bench = Bench::new(modern(|seen| match seen.body["params"]["name"].as_str().unwrap() {
        "caps" => refuse(seen, 400, code::MISSING_CAPABILITY, json!({ "requiredCapabilities": { "elicitation": {} } })),
        "header" => refuse(seen, 400, code::HEADER_MISMATCH, Value::Null),
        "gone" => refuse(seen, 404, code::METHOD_NOT_FOUND, Value::Null),
        "key" => Answer::empty(401),
        "busy" => Answer::empty(503),
        "other" => ok(&Seen { body: json!({ "id": 4711 }), ..seen.clone() }, &json!({})),
        "type" => ok(seen, &json!({ "resultType": "riddle" })),
        _ => Answer::empty(200),
    }))
    .await;
    for (name, expected) in [("caps", code::MISSING_CAPABILITY), ("header", code::HEADER_MISMATCH), ("gone", code::METHOD_NOT_FOUND)] {
        let Outcome::Error(error, _) = bench.call(tool(name, "{}")).await else { panic!("{name} is no error") };
        assert_eq!(error.code, expected);
    }
    for (name, expected) in [
        ("key", Code::UpstreamUnauthorized),
        ("busy", Code::UpstreamStatus),
        ("other", Code::ProtocolBroken),
        ("type", Code::ProtocolBroken),
        ("empty", Code::ProtocolBroken),
    ] {
        assert_eq!(bench.upstream.call(Arc::new(tool(name, "{}"))).await.unwrap_err().code(), expected, "{name}");
    }
    assert_eq!(bench.seen("tools/call").len(), 8, "nothing was called twice");
    assert_eq!(bench.seen("server/discover").len(), 2, "once at first, and once for the method that was not found");
}

#[tokio::test]
async fn missing_credentials_and_trouble_are_no_evidence_of_an_era() {
    let answers = Mutex::new(VecDeque::from([401, 503]));
    let bench = Bench::new(modern(|seen| text(seen, "ok"))).await;
    let early = Bench::new(move |seen| match answers.lock().pop_front() {
        Some(status) => Answer::empty(status),
        None if seen.method() == "server/discover" => discovered(seen),
        None => text(seen, "ok"),
    })
    .await;
    assert_eq!(early.upstream.call(Arc::new(tool("a", "{}"))).await.unwrap_err().code(), Code::UpstreamUnauthorized);
    assert_eq!(early.upstream.call(Arc::new(tool("a", "{}"))).await.unwrap_err().code(), Code::UpstreamStatus);
    assert_eq!(early.upstream.health().state, "failed");
    assert_eq!(text_of(&early.call(tool("a", "{}")).await), "ok");
    assert!(early.seen("initialize").is_empty());

    let stranger = Bench::new(|seen| refuse(seen, 400, code::UNSUPPORTED_VERSION, json!({ "supported": ["2031-01-01"] }))).await;
    assert_eq!(stranger.upstream.call(Arc::new(tool("a", "{}"))).await.unwrap_err().code(), Code::ProtocolBroken);
    assert!(stranger.seen("initialize").is_empty());
    drop(bench);
}

#[tokio::test]
async fn a_legacy_server_gets_a_handshake_and_its_session_on_every_request() {
    for status in [400, 404, 405, 200] {
        let inner = legacy(|seen| text(seen, "ok"));
        let bench = Bench::new(move |seen| match seen.method() {
            "server/discover" if status == 200 => refuse(seen, 200, -32601, Value::Null),
            "server/discover" => Answer::empty(status),
            _ => inner(seen),
        })
        .await;
        assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "ok", "{status}");
        assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "ok");
        let calls = bench.seen("tools/call");
        assert!(calls.iter().all(|seen| seen.header("mcp-session-id") == Some("s1")));
        assert!(calls.iter().all(|seen| seen.header("mcp-protocol-version") == Some("2025-06-18")));
        assert_eq!(bench.seen("initialize").len(), 1);
        assert_eq!(bench.seen("server/discover").len(), 1);
        bench.upstream.close().await;
        assert!(bench.fake.seen.lock().iter().any(|seen| seen.verb == Verb::Delete));
    }
}

#[tokio::test]
async fn a_forgotten_session_is_opened_again_and_the_refused_call_made_once_more() {
    let lost = Mutex::new(false);
    let bench = Bench::new(legacy(move |seen| match seen.method() {
        "tools/call" if seen.body["params"]["name"] == "lose" && !std::mem::replace(&mut *lost.lock(), true) => Answer::empty(404),
        _ => text(seen, "ok"),
    }))
    .await;
    assert_eq!(text_of(&bench.call(tool("lose", "{}")).await), "ok");
    assert_eq!(bench.seen("initialize").len(), 2);
    assert_eq!(bench.seen("tools/call").len(), 2);
}

#[tokio::test]
async fn a_question_on_the_stream_of_a_call_parks_it_there() {
    let (to_stream, from_client) = mpsc::channel::<Value>(8);
    let from_client = Arc::new(Mutex::new(Some(from_client)));
    let bench = Bench::new(legacy(move |seen| {
        if seen.body.get("method").is_none() {
            to_stream.try_send(seen.body.clone()).unwrap();
            return Answer::empty(202);
        }
        let question = json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": { "message": "?", "requestedSchema": { "type": "object", "properties": {} } } });
        let id = seen.body["id"].clone();
        let answers = from_client.lock().take().unwrap();
        let rest = stream::unfold((answers, id), async |(mut answers, id)| {
            let answer = answers.recv().await?;
            let said = answer["result"]["action"].clone();
            let done = json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [{ "type": "text", "text": said }] } });
            Some((frame(&done), (answers, id)))
        });
        Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::iter([frame(&question)]).chain(rest)) }
    }))
    .await;
    let (keys, state) = asked(bench.call(tool("ask", ELICIT)).await);
    assert_eq!(bench.upstream.health().parked, 1);
    let answered = bench.call(retry(tool("ask", ELICIT), &[(&keys[0].0, json!({ "action": "decline" }))], state)).await;
    assert_eq!(text_of(&answered), "decline");
    assert_eq!(bench.seen("tools/call").len(), 1);
}

#[tokio::test]
async fn a_dropped_legacy_call_is_cancelled_by_name() {
    let bench = Bench::new(legacy(|_| Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::pending()) })).await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), bench.upstream.call(Arc::new(tool("slow", "{}")))).await;
    assert!(waiting.is_err());
    let cancelled = &bench.until_seen("notifications/cancelled", 1).await[0];
    assert_eq!(cancelled.body["params"]["requestId"], bench.seen("tools/call")[0].body["id"]);
}

#[tokio::test]
async fn a_stream_that_is_closed_early_is_taken_up_where_it_ended() {
    let waiting = Arc::new(Mutex::new(None::<Value>));
    let held = Arc::clone(&waiting);
    let inner = legacy(move |seen| {
        *held.lock() = Some(seen.body["id"].clone());
        events(vec![Frame { id: Some("e7".to_owned()), retry_ms: Some(20), ..Frame::default() }])
    });
    let bench = Bench::new(move |seen| {
        if seen.verb == Verb::Get && seen.header("last-event-id") == Some("e7") {
            let id = waiting.lock().clone();
            return events(vec![frame(
                &json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [{ "type": "text", "text": "late" }] } }),
            )]);
        }
        inner(seen)
    })
    .await;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "late");
    assert_eq!(bench.seen("tools/call").len(), 1);
}

#[tokio::test]
async fn where_nobody_takes_a_post_the_older_transport_is_tried() {
    let (down, stream_down) = mpsc::channel::<Frame>(16);
    let stream_down = Mutex::new(Some(stream_down));
    let bench = Bench::new(move |seen| match seen.verb {
        Verb::Get => {
            let endpoint = Frame { event: Some("endpoint"), ..Frame::message(Chunks::from(Bytes::from_static(b"/mcp?sessionId=1"))) };
            let receiver = stream_down.lock().take().unwrap();
            let rest = stream::unfold(receiver, async |mut receiver| receiver.recv().await.map(|frame| (frame, receiver)));
            Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::iter([endpoint]).chain(rest)) }
        }
        Verb::Delete => Answer::empty(405),
        Verb::Post if seen.is_modern() => Answer::empty(405),
        // The first handshake is that of Streamable HTTP, at the URL of the stream.
        Verb::Post if stream_down.lock().is_some() => Answer::empty(405),
        Verb::Post => {
            let result = match seen.method() {
                "initialize" => json!({ "protocolVersion": "2024-11-05", "capabilities": { "tools": {} }, "serverInfo": { "name": "f", "version": "1" } }),
                _ => json!({ "content": [{ "type": "text", "text": "down here" }] }),
            };
            if !seen.body["id"].is_null() {
                down.try_send(frame(&json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result }))).unwrap();
            }
            Answer::empty(202)
        }
    })
    .await;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "down here");
    assert_eq!(bench.upstream.health().revision, Some(Revision::V2024_11_05));
}

#[tokio::test]
async fn an_upgraded_server_is_noticed_and_a_downgraded_one_too() {
    let is_new = Arc::new(Mutex::new(false));
    let held = Arc::clone(&is_new);
    let old = legacy(|seen| text(seen, "old"));
    let bench = Bench::new(move |seen| match (*held.lock(), seen.method()) {
        (true, "server/discover") => discovered(seen),
        (true, "tools/call") if seen.is_modern() => text(seen, "new"),
        (false, _) if seen.is_modern() => Answer::empty(400),
        _ => old(seen),
    })
    .await;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old");
    *is_new.lock() = true;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old", "the verdict holds for a while");
    bench.clock.advance(ERA_TTL + Duration::from_secs(1));
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "new");
    *is_new.lock() = false;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old");
}

#[tokio::test]
async fn a_verdict_is_believed_as_long_as_it_was_told_to() {
    let is_new = Arc::new(Mutex::new(false));
    let held = Arc::clone(&is_new);
    let old = legacy(|seen| text(seen, "old"));
    let both = move |seen: &Seen| match (*held.lock(), seen.is_modern(), seen.method()) {
        (true, true, "server/discover") => discovered(seen),
        (true, true, _) => text(seen, "new"),
        (false, true, _) => Answer::empty(400),
        (_, false, _) => old(seen),
    };
    let bench = Bench::with(both, |options| ConnectorOptions { era_ttl: Duration::from_secs(5), ..options }).await;
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old");
    *is_new.lock() = true;
    bench.clock.advance(Duration::from_secs(4));
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old");
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "new");
}

/// A server of one era after the other, and how it refuses what belongs to the era it left.
async fn changing(is_modern: bool, refusal: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Bench, Arc<Mutex<bool>>) {
    let era = Arc::new(Mutex::new(is_modern));
    let held = Arc::clone(&era);
    let old = legacy(|seen| text(seen, "old"));
    let bench = Bench::new(move |seen| match (*held.lock(), seen.is_modern()) {
        (true, true) if seen.method() == "server/discover" => discovered(seen),
        (true, true) => text(seen, "new"),
        (false, true) if seen.method() == "server/discover" => refuse(seen, 200, -32601, Value::Null),
        (false, false) => old(seen),
        (true, false) | (false, true) => refusal(seen),
    });
    (bench.await, era)
}

#[tokio::test]
async fn a_server_that_became_modern_is_met_again_by_the_call_it_refused() {
    for error in [code::HEADER_MISMATCH, code::UNSUPPORTED_VERSION] {
        let (bench, is_modern) = changing(false, move |seen| refuse(seen, 400, error, Value::Null)).await;
        assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "old");
        *is_modern.lock() = true;
        let calls = futures_util::future::join_all((0..8).map(|_| bench.call(tool("a", "{}")))).await;
        assert!(calls.iter().all(|outcome| text_of(outcome) == "new"), "{error}");
        assert_eq!(bench.seen("initialize").len(), 1, "a modern server is sent no handshake");
        assert_eq!(bench.seen("server/discover").len(), 2, "many refusals are one doubt");
    }
}

#[tokio::test]
async fn a_server_that_became_legacy_is_met_again_by_the_call_it_refused() {
    for (status, error) in [(200, code::METHOD_NOT_FOUND), (400, code::INVALID_REQUEST), (404, code::METHOD_NOT_FOUND)] {
        let (bench, is_modern) = changing(true, move |seen| refuse(seen, status, error, Value::Null)).await;
        assert_eq!(text_of(&bench.call(tool("a", "{}")).await), "new");
        *is_modern.lock() = false;
        let calls = futures_util::future::join_all((0..8).map(|_| bench.call(tool("a", "{}")))).await;
        assert!(calls.iter().all(|outcome| text_of(outcome) == "old"), "{error}");
        assert_eq!(bench.seen("initialize").len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_of_a_server_that_has_not_changed_is_an_answer_and_nothing_is_made_again() {
    let bench = Bench::new(legacy(|seen| refuse(seen, 400, code::HEADER_MISMATCH, Value::Null))).await;
    for calls in 1..4 {
        let Outcome::Error(error, _) = bench.call(tool("a", "{}")).await else { panic!("no error") };
        assert_eq!(error.code, code::HEADER_MISMATCH);
        assert_eq!(bench.seen("tools/call").len(), calls);
    }
    assert_eq!(bench.seen("server/discover").len(), 2, "it is not probed for each of them");
}

#[tokio::test]
async fn changes_are_heard_on_the_stream_that_belongs_to_no_request() {
    let change = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    let inner = legacy(|seen| text(seen, "ok"));
    let bench = Bench::new(move |seen| match (seen.verb, seen.method()) {
        (Verb::Get, _) => {
            let later = stream::once(async { tokio::time::sleep(Duration::from_millis(50)).await });
            let change = change.clone();
            Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(later.map(move |()| frame(&change)).chain(stream::pending())) }
        }
        (_, "initialize") => {
            let result = json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": { "listChanged": true } }, "serverInfo": { "name": "f", "version": "1" } });
            ok(seen, &result)
        }
        (_, "server/discover") => Answer::empty(404),
        _ => inner(seen),
    })
    .await;
    let listen = forward(Method::Listen, &json!({ "notifications": { "toolsListChanged": true } }), "{}");
    let Reply::Stream(mut steps) = bench.upstream.call(Arc::new(listen)).await.unwrap() else { panic!("not a stream") };
    assert!(matches!(steps.next().await, Some(Step::Event(event)) if event.0.method == Method::Acknowledged));
    assert!(matches!(steps.next().await, Some(Step::Event(event)) if event.0.method == Method::ToolsChanged));
}

#[tokio::test]
async fn a_redirection_to_the_same_origin_is_followed_once_and_remembered() {
    let first = Mutex::new(true);
    let inner = modern(|seen| text(seen, "ok"));
    let moved = Bench::new(move |seen| {
        if !std::mem::take(&mut *first.lock()) {
            return inner(seen);
        }
        let mut headers = HeaderMap::new();
        headers.insert("location", "/mcp/".parse().unwrap());
        Answer::Message { status: 307, headers, body: Chunks::default() }
    })
    .await;
    assert_eq!(text_of(&moved.call(tool("a", "{}")).await), "ok");
    assert_eq!(moved.seen("server/discover").len(), 2);
    assert_eq!(moved.seen("tools/call").len(), 1);
}

#[tokio::test]
async fn the_trace_of_a_call_stands_in_the_headers_too() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let old = Bench::new(legacy(|seen| text(seen, "ok"))).await;
    let new = Bench::new(modern(|seen| text(seen, "ok"))).await;
    for bench in [old, new] {
        let said = json!({ "name": "a", "_meta": { "traceparent": PARENT, "tracestate": "a=1", "baggage": "user=x" } });
        bench.call(forward(Method::ToolsCall, &said, "{}")).await;
        let own = crib_model::TraceContext { trace_id: 1, span_id: 2, is_sampled: false };
        bench.call(Forward { trace: Some(own), ..tool("a", "{}") }).await;
        bench.call(tool("a", "{}")).await;
        let seen = bench.seen("tools/call");
        let named = |seen: &Seen| ["traceparent", "tracestate", "baggage"].map(|name| seen.header(name).map(str::to_owned));
        assert_eq!(named(&seen[0]), [Some(PARENT.to_owned()), Some("a=1".to_owned()), Some("user=x".to_owned())]);
        assert_eq!(named(&seen[1]), [Some(own.to_traceparent()), None, None]);
        assert_eq!(seen[1].body["params"]["_meta"]["traceparent"], own.to_traceparent());
        assert_eq!(named(&seen[2]), [None, None, None]);
    }
}
