use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Json, Method, Revision, code};
use crib_model::{Code, Event, Fault, Forward, Outcome, Reply, Step};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::call::{call, resume};
use super::legacy::Session;
use super::memory::{Memory, TaskSupport};
use super::park::Lot;
use crate::testing::{Counting, ELICIT, FakeServer, asked, caps, done, forward, principal, retry, text_of, tool};

struct Bench {
    server: FakeServer,
    session: Arc<Session>,
    lot: Arc<Lot>,
    tracker: TaskTracker,
}

impl Bench {
    /// Shakes hands with a fake server of a revision.
    async fn new(client: &str, revision: &str, offers: Value) -> Self {
        Self::with(client, revision, offers, Arc::default()).await
    }

    /// The same, of an upstream that is known.
    async fn with(client: &str, revision: &str, offers: Value, memory: Arc<Memory>) -> Self {
        let mut server = FakeServer::new(client);
        let (link, client) = (Arc::clone(&server.link), caps(client));
        let opening = tokio::task::spawn_local(async move { Session::open(link, &client, &memory, Duration::from_secs(5)).await });
        let hello = server.expect("initialize").await;
        assert_eq!(hello["params"]["protocolVersion"], "2025-11-25");
        server
            .answer(&hello, json!({ "protocolVersion": revision, "capabilities": offers, "serverInfo": { "name": "f", "version": "1" } }));
        server.expect("notifications/initialized").await;
        let session = opening.await.unwrap().unwrap();
        let tracker = TaskTracker::new();
        let lot = Lot::new(Arc::new(Counting::default()), tracker.clone(), Duration::from_secs(600));
        Self { server, session, lot, tracker }
    }

    async fn legacy(client: &str) -> Self {
        Self::new(client, "2025-06-18", json!({ "tools": {}, "logging": {} })).await
    }

    fn call(&self, forward: Forward) -> JoinHandle<Result<Reply, Fault>> {
        tokio::task::spawn_local(call(Arc::clone(&self.session), None, Arc::clone(&self.lot), Arc::new(forward)))
    }

    fn resume(&self, forward: Forward) -> JoinHandle<Result<Reply, Fault>> {
        tokio::task::spawn_local(resume(Arc::clone(&self.lot), Arc::new(forward)))
    }
}

fn elicit(id: &str, message: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { "x": { "type": "string" } } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": { "message": message, "requestedSchema": schema } })
}

async fn local<F: Future<Output = ()>>(test: F) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn answers_find_their_calls_whatever_order_they_come_in() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let (a, b) = (bench.call(tool("a", "{}")), bench.call(tool("b", "{}")));
        let first = bench.server.expect("tools/call").await;
        let second = bench.server.expect("tools/call").await;
        assert_ne!(first["id"], second["id"]);
        assert!(first["params"].get("_meta").is_none());
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": "7", "result": {} }));
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": 4711, "result": {} }));
        bench.server.answer_text(&second, "for b");
        bench.server.answer_text(&second, "again");
        bench.server.answer_text(&first, "for a");
        assert_eq!(text_of(&done(a.await.unwrap())), "for a");
        assert_eq!(text_of(&done(b.await.unwrap())), "for b");
    })
    .await;
}

#[tokio::test]
async fn the_callers_identity_stays_here_and_its_trace_goes_on() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/logLevel": "debug", "progressToken": "theirs", "tracestate": "k=v", "x/vendor": 1,
        });
        let mut forward = forward(Method::ToolsCall, &json!({ "name": "srv__a", "arguments": { "n": 1 }, "_meta": meta }), "{}");
        forward.target = Some("a".into());
        forward.trace = crib_model::TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let call = bench.call(forward);
        let sent = bench.server.expect("tools/call").await;
        let expected = json!({
            "name": "a", "arguments": { "n": 1 },
            "_meta": { "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "k=v", "x/vendor": 1 },
        });
        assert_eq!(sent["params"], expected);
        bench.server.answer_text(&sent, "ok");
        done(call.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn progress_comes_back_under_the_clients_own_token() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let mut forward = tool("a", "{}");
        forward.progress_token = Some(Json::from_static("\"\\u00e9\""));
        let call = bench.call(forward);
        let sent = bench.server.expect("tools/call").await;
        let token = sent["params"]["_meta"]["progressToken"].clone();
        assert!(token.is_u64());
        bench
            .server
            .say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 1 } }));
        bench
            .server
            .say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 99, "progress": 2 } }));
        let Reply::Stream(mut steps) = call.await.unwrap().unwrap() else { panic!("not a stream") };
        bench.server.answer_text(&sent, "ok");
        bench
            .server
            .say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 3 } }));
        let Some(Step::Event(Event(progress))) = steps.next().await else { panic!("no event") };
        assert_eq!(progress.params.object.raw("progressToken"), Some(br#""\u00e9""#.as_slice()));
        assert!(matches!(steps.next().await, Some(Step::Done(Ok(Outcome::Complete(_, Revision::V2025_06_18))))));
        assert!(steps.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn an_elicitation_parks_the_call_and_the_tool_runs_once() {
    local(async {
        let mut bench = Bench::legacy(ELICIT).await;
        let call = bench.call(tool("ask", ELICIT));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&elicit("e1", "first?"));
        let (keys, state) = asked(done(call.await.unwrap()));
        assert_eq!(keys.len(), 1);
        assert_eq!(bench.lot.len(), 1);

        let again = bench.resume(retry(
            tool("ask", ELICIT),
            &[(&keys[0].0, json!({ "action": "accept", "content": { "x": "1" } }))],
            state.clone(),
        ));
        let reply = bench.server.next().await;
        assert_eq!((&reply["id"], &reply["result"]["action"]), (&json!("e1"), &json!("accept")));
        bench.server.say(&elicit("e2", "second?"));
        let (more, second) = asked(done(again.await.unwrap()));
        assert_ne!(more[0].0, keys[0].0);

        // The first handle was used; using it again answers nobody.
        let twice = bench.resume(retry(tool("ask", ELICIT), &[(&more[0].0, json!({ "action": "accept" }))], state)).await.unwrap();
        assert_eq!(twice.unwrap_err().code(), Code::InputLost);
        // Nor does somebody else's.
        let theirs = Forward {
            principal: principal("eve"),
            ..retry(tool("ask", ELICIT), &[(&more[0].0, json!({ "action": "accept" }))], second.clone())
        };
        assert_eq!(bench.resume(theirs).await.unwrap().unwrap_err().code(), Code::InputLost);
        assert!(bench.server.is_quiet());

        let last = bench.resume(retry(tool("ask", ELICIT), &[(&more[0].0, json!({ "action": "decline" }))], second));
        assert_eq!(bench.server.next().await["result"]["action"], "decline");
        bench.server.answer_text(&sent, "done");
        assert_eq!(text_of(&done(last.await.unwrap())), "done");
        assert!(bench.server.is_quiet());
        assert_eq!(bench.lot.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn questions_asked_together_are_one_round_and_missing_answers_are_asked_for_again() {
    local(async {
        let client = r#"{"elicitation":{},"sampling":{},"roots":{}}"#;
        let mut bench = Bench::legacy(client).await;
        let call = bench.call(tool("ask", client));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&elicit("e1", "name?"));
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": 5, "method": "roots/list" }));
        let (mut keys, state) = asked(done(call.await.unwrap()));
        keys.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(keys.iter().map(|(_, method)| method.as_str()).collect::<Vec<_>>(), ["elicitation/create", "roots/list"]);

        let again = bench.resume(retry(tool("ask", client), &[(&keys[1].0, json!({ "roots": [] }))], state));
        assert_eq!(bench.server.next().await["id"], 5);
        let (open, state) = asked(done(again.await.unwrap()));
        assert_eq!(open, keys[..1]);
        let last = bench.resume(retry(tool("ask", client), &[(&keys[0].0, json!({ "action": "cancel" }))], state));
        assert_eq!(bench.server.next().await["id"], "e1");
        bench.server.answer_text(&sent, "done");
        assert_eq!(text_of(&done(last.await.unwrap())), "done");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_comes_back_cancels_the_call() {
    local(async {
        let mut bench = Bench::legacy(ELICIT).await;
        let call = bench.call(tool("ask", ELICIT));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&elicit("e1", "?"));
        let (keys, state) = asked(done(call.await.unwrap()));
        tokio::time::sleep(Duration::from_secs(601)).await;
        assert_eq!(bench.server.next().await["result"]["action"], "cancel");
        let cancelled = bench.server.expect("notifications/cancelled").await;
        assert_eq!(cancelled["params"]["requestId"], sent["id"]);
        let late = bench.resume(retry(tool("ask", ELICIT), &[(&keys[0].0, json!({ "action": "accept" }))], state)).await.unwrap();
        assert_eq!(late.unwrap_err().code(), Code::InputLost);
        bench.tracker.close();
        bench.tracker.wait().await;
    })
    .await;
}

#[tokio::test]
async fn questions_outside_a_call_or_beyond_the_clients_abilities_are_refused_at_once() {
    local(async {
        let client = r#"{"roots":{},"elicitation":{}}"#;
        let mut bench = Bench::legacy(client).await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" }));
        assert_eq!(bench.server.next().await["result"], json!({ "roots": [] }));
        bench.server.say(&elicit("x", "?"));
        assert_eq!(bench.server.next().await["error"]["code"], code::METHOD_NOT_FOUND);
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }));
        assert_eq!(bench.server.next().await, json!({ "jsonrpc": "2.0", "id": 3, "result": {} }));

        let call = bench.call(tool("a", client));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": 4, "method": "sampling/createMessage", "params": { "messages": [] } }));
        assert_eq!(bench.server.next().await["error"]["code"], code::METHOD_NOT_FOUND);
        // Without it the call cannot go on: it ends with the error that says what is missing.
        assert_eq!(bench.server.next().await["method"], "notifications/cancelled");
        let Outcome::Error(error, _) = done(call.await.unwrap()) else { panic!("went on") };
        assert_eq!(error.code, code::MISSING_CAPABILITY);
        bench.server.answer_text(&sent, "too late");
        // With two calls in flight nobody knows whose question it is.
        let call = bench.call(tool("a", client));
        let sent = bench.server.expect("tools/call").await;
        let other = bench.call(tool("b", client));
        let second = bench.server.expect("tools/call").await;
        bench.server.say(&elicit("y", "?"));
        assert_eq!(bench.server.next().await["error"]["code"], code::METHOD_NOT_FOUND);
        bench.server.answer_text(&sent, "a");
        bench.server.answer_text(&second, "b");
        done(call.await.unwrap());
        done(other.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_its_late_answer_discarded() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let call = bench.call(tool("slow", "{}"));
        let sent = bench.server.expect("tools/call").await;
        call.abort();
        let cancelled = bench.server.expect("notifications/cancelled").await;
        assert_eq!(cancelled["params"]["requestId"], sent["id"]);
        bench.server.answer_text(&sent, "late");
        let next = bench.call(tool("a", "{}"));
        let sent = bench.server.expect("tools/call").await;
        bench.server.answer_text(&sent, "fresh");
        assert_eq!(text_of(&done(next.await.unwrap())), "fresh");
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_channel_answers_everything_in_flight() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let (a, b) = (bench.call(tool("a", "{}")), bench.call(tool("b", "{}")));
        bench.server.expect("tools/call").await;
        bench.server.expect("tools/call").await;
        bench.server.link.fail(&Fault::new(Code::ServerGone, "`fake` stopped"));
        assert_eq!(a.await.unwrap().unwrap_err().code(), Code::ServerGone);
        assert_eq!(b.await.unwrap().unwrap_err().code(), Code::ServerGone);
        assert_eq!(bench.call(tool("c", "{}")).await.unwrap().unwrap_err().code(), Code::ServerGone);
    })
    .await;
}

#[tokio::test]
async fn log_lines_reach_only_a_call_that_wants_them_and_caused_them() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let line =
            |level: &str| json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": level, "data": level } });
        let mut wanting = tool("a", "{}");
        wanting.log_level = Some(Json::from_static("\"warning\""));
        let call = bench.call(wanting);
        let level = bench.server.expect("logging/setLevel").await;
        assert_eq!(level["params"]["level"], "warning");
        bench.server.answer(&level, json!({}));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&line("info"));
        bench.server.say(&line("error"));
        let Reply::Stream(steps) = call.await.unwrap().unwrap() else { panic!("not a stream") };
        let quiet = bench.call(tool("b", "{}"));
        let second = bench.server.expect("tools/call").await;
        // Two calls run: the line could be of either.
        bench.server.say(&line("critical"));
        bench.server.answer_text(&sent, "a");
        // Now it is of the call that wants none.
        bench.server.say(&line("alert"));
        bench.server.answer_text(&second, "b");
        let heard: Vec<Step> = steps.collect().await;
        assert_eq!(heard.len(), 2);
        assert!(matches!(&heard[0], Step::Event(event) if event.0.params.text("data").as_deref() == Some("error")));
        done(quiet.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_page_to_visit_becomes_a_round_and_the_retry_a_plain_call() {
    local(async {
        let client = r#"{"elicitation":{"url":{}}}"#;
        let mut bench = Bench::new(client, "2025-11-25", json!({ "tools": {} })).await;
        let error = json!({ "code": -32042, "message": "visit", "data": { "elicitations": [
            { "mode": "url", "elicitationId": "1", "url": "https://example.com/", "message": "please" }] } });
        let call = bench.call(tool("a", client));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": sent["id"], "error": error }));
        let Outcome::InputRequired { requests, state: None, .. } = done(call.await.unwrap()) else { panic!("did not ask") };
        let text = requests.to_json().as_str().to_owned();
        assert!(text.contains("https://example.com/") && !text.contains("elicitationId"), "{text}");

        let unable = bench.call(tool("a", "{}"));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": sent["id"], "error": error }));
        let Outcome::Error(error, _) = done(unable.await.unwrap()) else { panic!("not an error") };
        assert_eq!(error.code, code::MISSING_CAPABILITY);
    })
    .await;
}

#[tokio::test]
async fn a_subscription_is_acknowledged_with_what_the_server_agreed_to() {
    local(async {
        let offers = json!({ "tools": { "listChanged": true }, "resources": { "subscribe": true } });
        let mut bench = Bench::new("{}", "2025-06-18", offers).await;
        let filter = json!({ "toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["a://1", "a://no"] });
        let opening = bench.call(forward(Method::Listen, &json!({ "notifications": filter }), "{}"));
        let first = bench.server.expect("resources/subscribe").await;
        bench.server.answer(&first, json!({}));
        let second = bench.server.expect("resources/subscribe").await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": second["id"], "error": { "code": -32602, "message": "no" } }));
        let Reply::Stream(mut steps) = opening.await.unwrap().unwrap() else { panic!("not a stream") };
        let Some(Step::Event(Event(ack))) = steps.next().await else { panic!("no acknowledgement") };
        assert_eq!(ack.method, Method::Acknowledged);
        assert_eq!(ack.params.to_json().as_str(), r#"{"notifications":{"resourceSubscriptions":["a://1"],"toolsListChanged":true}}"#);

        bench.server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/prompts/list_changed" }));
        bench.server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
        bench.server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": "a://1/part" } }));
        assert!(matches!(steps.next().await, Some(Step::Event(event)) if event.0.method == Method::ToolsChanged));
        assert!(matches!(steps.next().await, Some(Step::Event(event)) if event.0.method == Method::ResourceUpdated));

        // A second listener shares the subscription; only the last one ends it.
        let more = bench.call(forward(Method::Listen, &json!({ "notifications": { "resourceSubscriptions": ["a://1"] } }), "{}"));
        let Reply::Stream(other) = more.await.unwrap().unwrap() else { panic!("not a stream") };
        drop(steps);
        assert!(bench.server.is_quiet());
        drop(other);
        assert_eq!(bench.server.expect("resources/unsubscribe").await["params"]["uri"], "a://1");
    })
    .await;
}

#[tokio::test]
async fn a_server_is_described_in_the_words_of_today() {
    local(async {
        let offers = json!({ "tools": {}, "tasks": { "requests": { "tools": { "call": {} } } } });
        let bench = Bench::new("{}", "2025-11-25", offers).await;
        let Outcome::Complete(result, Revision::V2026_07_28) = done(bench.call(forward(Method::Discover, &json!({}), "{}")).await.unwrap())
        else {
            panic!("not discovered")
        };
        let value: Value = result.to_json().read().unwrap();
        assert_eq!(value["supportedVersions"], json!(["2026-07-28"]));
        assert!(value["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object());
        assert!(value["capabilities"].get("tasks").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_tool_that_runs_only_as_a_task_is_waited_for_or_handed_out() {
    local(async {
        let offers = json!({ "tools": {}, "tasks": { "requests": { "tools": { "call": {} } } } });
        let mut bench = Bench::new("{}", "2025-11-25", offers).await;
        let listing = bench.call(forward(Method::ToolsList, &json!({}), "{}"));
        let sent = bench.server.expect("tools/list").await;
        bench.server.answer(&sent, json!({ "tools": [{ "name": "long", "inputSchema": {}, "execution": { "taskSupport": "required" } }] }));
        done(listing.await.unwrap());
        let task = |status: &str| json!({ "taskId": "t1", "status": status, "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttl": 1000, "pollInterval": 50 });

        let blocking = bench.call(tool("long", "{}"));
        let sent = bench.server.expect("tools/call").await;
        assert!(sent["params"]["task"]["ttl"].is_u64());
        bench.server.answer(&sent, json!({ "task": task("working") }));
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("completed"));
        let get = bench.server.expect("tasks/result").await;
        bench.server.answer_text(&get, "finished");
        assert_eq!(text_of(&done(blocking.await.unwrap())), "finished");

        let client = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        let handed = bench.call(tool("long", client));
        let sent = bench.server.expect("tools/call").await;
        bench.server.answer(&sent, json!({ "task": task("working") }));
        let Outcome::Task(created, Revision::V2026_07_28) = done(handed.await.unwrap()) else { panic!("no task") };
        assert_eq!(created.text("taskId").as_deref(), Some("t1"));
        let getting = bench.call(forward(Method::TasksGet, &json!({ "taskId": "t1" }), client));
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("completed"));
        let get = bench.server.expect("tasks/result").await;
        bench.server.answer_text(&get, "finished");
        let Outcome::Complete(state, _) = done(getting.await.unwrap()) else { panic!("no state") };
        let state: Value = state.to_json().read().unwrap();
        assert_eq!((&state["status"], &state["ttlMs"]), (&json!("completed"), &json!(1000)));
        assert_eq!(state["result"]["content"][0]["text"], "finished");
    })
    .await;
}

#[tokio::test]
async fn who_listens_to_a_task_hears_how_it_ended_whatever_session_it_runs_in() {
    local(async {
        let offers = json!({ "tools": {}, "tasks": { "requests": { "tools": { "call": {} } } } });
        let client = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        let mut bench = Bench::new("{}", "2025-11-25", offers.clone()).await;
        let mut other = Bench::with("{}", "2025-11-25", offers, Arc::clone(&bench.session.memory)).await;
        let task = |status: &str| json!({ "taskId": "t1", "status": status, "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttl": 1000, "pollInterval": 5000 });
        bench.session.memory.note_tool("long", Some(TaskSupport::Optional));
        let handed = bench.call(tool("long", client));
        let sent = bench.server.expect("tools/call").await;
        bench.server.answer(&sent, json!({ "task": task("working") }));
        done(handed.await.unwrap());

        let filter = json!({ "notifications": { "taskIds": ["t1", "unknown"] } });
        let Reply::Stream(mut steps) = other.call(forward(Method::Listen, &filter, client)).await.unwrap().unwrap() else { panic!("no stream") };
        let Some(Step::Event(Event(ack))) = steps.next().await else { panic!("no acknowledgement") };
        assert_eq!(ack.params.get("notifications").unwrap().as_str(), r#"{"taskIds":["t1"]}"#, "nobody can tell of the other");
        let hearing = tokio::task::spawn_local(async move { (steps.next().await, steps) });
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("working"));
        bench.server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("completed") }));
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("completed"));
        let get = bench.server.expect("tasks/result").await;
        bench.server.answer_text(&get, "finished");
        let (Some(Step::Event(Event(status))), _steps) = hearing.await.unwrap() else { panic!("no status") };
        assert_eq!(status.method, Method::TaskStatus);
        let status: Value = status.params.to_json().read().unwrap();
        assert_eq!((&status["taskId"], &status["status"], &status["ttlMs"]), (&json!("t1"), &json!("completed"), &json!(1000)));
        assert_eq!(status["result"]["content"][0]["text"], "finished");
        assert!(status.get("resultType").is_none());
        assert!(other.server.is_quiet(), "the other session knows nothing of the task");
    })
    .await;
}

#[tokio::test]
async fn a_batch_from_the_server_is_taken_apart() {
    local(async {
        let mut bench = Bench::new("{}", "2025-03-26", json!({ "tools": {} })).await;
        let (a, b) = (bench.call(tool("a", "{}")), bench.call(tool("b", "{}")));
        let (first, second) = (bench.server.next().await, bench.server.next().await);
        let answer = |request: &Value, text: &str| json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "content": [{ "type": "text", "text": text }] } });
        bench.server.say(&json!([answer(&second, "b"), answer(&first, "a")]));
        assert_eq!(text_of(&done(a.await.unwrap())), "a");
        assert_eq!(text_of(&done(b.await.unwrap())), "b");
    })
    .await;
}

#[tokio::test]
async fn garbage_meant_as_an_answer_ends_the_call_and_other_noise_does_not() {
    local(async {
        let mut bench = Bench::legacy("{}").await;
        let call = bench.call(tool("a", "{}"));
        bench.server.expect("tools/call").await;
        bench.server.link.deliver(&bytes::Bytes::from_static(b"Server listening on port 3000"), super::link::Origin::Shared);
        tokio::task::yield_now().await;
        assert!(!call.is_finished());
        bench
            .server
            .link
            .deliver(&bytes::Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"id":2,"result":{}}"#), super::link::Origin::Shared);
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::ProtocolBroken);
    })
    .await;
}

#[tokio::test]
async fn a_task_that_asks_shows_its_questions_and_takes_the_answers() {
    local(async {
        let offers = json!({ "tools": {}, "tasks": { "requests": { "tools": { "call": {} } } } });
        let client = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        let mut bench = Bench::new(client, "2025-11-25", offers).await;
        let task = |status: &str| json!({ "taskId": "t1", "status": status, "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttl": null });
        let about = |method: Method, more: Value| {
            let mut params = json!({ "taskId": "t1" });
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            forward(method, &params, client)
        };
        let getting = bench.call(about(Method::TasksGet, json!({})));
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("input_required"));
        let stream = bench.server.expect("tasks/result").await;
        // A call that runs beside it is not confused with the task.
        let beside = bench.call(tool("plain", client));
        let plain = bench.server.expect("tools/call").await;
        let mut question = elicit("e1", "from the task?");
        question["params"]["_meta"] = json!({ "io.modelcontextprotocol/related-task": { "taskId": "t1" } });
        bench.server.say(&question);
        let Outcome::Complete(state, _) = done(getting.await.unwrap()) else { panic!("no state") };
        let state: Value = state.to_json().read().unwrap();
        assert_eq!(state["status"], "input_required");
        assert_eq!(state["inputRequests"]["e1"]["method"], "elicitation/create");

        let updating = bench.call(about(Method::TasksUpdate, json!({ "inputResponses": { "e1": { "action": "decline" } } })));
        let reply = bench.server.next().await;
        assert_eq!((&reply["id"], &reply["result"]["action"]), (&json!("e1"), &json!("decline")));
        assert!(matches!(done(updating.await.unwrap()), Outcome::Complete(..)));
        bench.server.answer_text(&plain, "plain");
        assert_eq!(text_of(&done(beside.await.unwrap())), "plain");

        bench.server.answer_text(&stream, "finished");
        let getting = bench.call(about(Method::TasksGet, json!({})));
        let get = bench.server.expect("tasks/get").await;
        bench.server.answer(&get, task("completed"));
        let get = bench.server.expect("tasks/result").await;
        bench.server.answer_text(&get, "finished");
        let Outcome::Complete(state, _) = done(getting.await.unwrap()) else { panic!("no state") };
        assert!(state.to_json().as_str().contains("finished"));
    })
    .await;
}

#[tokio::test]
async fn a_question_given_to_the_client_as_a_task_is_kept_for_the_server() {
    local(async {
        let client = r#"{"elicitation":{},"tasks":{"requests":{"elicitation":{"create":{}}}}}"#;
        let mut bench = Bench::new(client, "2025-11-25", json!({ "tools": {} })).await;
        let call = bench.call(tool("a", client));
        let sent = bench.server.expect("tools/call").await;
        let mut question = elicit("e1", "?");
        question["params"]["task"] = json!({ "ttl": 1000 });
        bench.server.say(&question);
        let created = bench.server.next().await;
        assert_eq!(created["id"], "e1");
        let task = created["result"]["task"]["taskId"].clone();
        let Outcome::InputRequired { requests, state, .. } = done(call.await.unwrap()) else { panic!("did not ask") };
        assert!(!requests.to_json().as_str().contains("ttl"));

        let about = |id: u32, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": { "taskId": task } });
        bench.server.say(&about(1, "tasks/get"));
        assert_eq!(bench.server.next().await["result"]["status"], "working");
        bench.server.say(&about(2, "tasks/result"));
        let last = bench.resume(retry(tool("a", client), &[("e1", json!({ "action": "accept", "content": { "x": "1" } }))], state));
        let given = bench.server.next().await;
        assert_eq!((&given["id"], &given["result"]["content"]["x"]), (&json!(2), &json!("1")));
        bench.server.say(&about(3, "tasks/get"));
        assert_eq!(bench.server.next().await["result"]["status"], "completed");
        bench.server.answer_text(&sent, "done");
        assert_eq!(text_of(&done(last.await.unwrap())), "done");
    })
    .await;
}

#[tokio::test]
async fn a_task_that_asks_parks_the_call_of_a_client_that_knows_no_tasks() {
    local(async {
        let offers = json!({ "tools": {}, "tasks": { "requests": { "tools": { "call": {} } } } });
        let mut bench = Bench::new(ELICIT, "2025-11-25", offers).await;
        let call = bench.call(tool("long", ELICIT));
        let sent = bench.server.expect("tools/call").await;
        bench.server.say(&json!({ "jsonrpc": "2.0", "id": sent["id"], "error": { "code": -32601, "message": "requires task" } }));
        let sent = bench.server.expect("tools/call").await;
        let task = json!({ "taskId": "t1", "status": "input_required", "createdAt": "", "lastUpdatedAt": "", "ttl": null });
        bench.server.answer(&sent, json!({ "task": task }));
        let stream = bench.server.expect("tasks/result").await;
        let mut question = elicit("e1", "?");
        question["params"]["_meta"] = json!({ "io.modelcontextprotocol/related-task": { "taskId": "t1" } });
        bench.server.say(&question);
        let (keys, state) = asked(done(call.await.unwrap()));
        let last = bench.resume(retry(tool("long", ELICIT), &[(&keys[0].0, json!({ "action": "decline" }))], state));
        assert_eq!(bench.server.next().await["id"], "e1");
        bench.server.answer_text(&stream, "finished");
        assert_eq!(text_of(&done(last.await.unwrap())), "finished");
    })
    .await;
}
