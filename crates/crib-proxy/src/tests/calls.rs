use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Method, Payload, RpcError, code};
use crib_model::{Code, Ending, Gateway, InputResponse, Outcome, ParkId, Reply, State};
use crib_policy::RuleSpec;
use crib_registry::NameStyle;
use serde_json::{Value, json};

use super::rig::{Fake, Handler, Rig, complete, echo, rpc_error, tool};

#[tokio::test]
async fn a_call_goes_to_its_server_under_the_servers_own_name() {
    let (one, two) = (Fake::new(vec![tool("get")], echo()), Fake::new(vec![tool("get")], echo()));
    let rig = Rig::new(&[("one", &one), ("two", &two)]);
    let got = rig.alice().call("two__get", json!({ "x": 1e3 })).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.last()["result"]["content"][0]["text"], "get {\"x\":1000.0}");
    assert_eq!((one.count(&Method::ToolsCall), two.count(&Method::ToolsCall)), (0, 1));
}

#[tokio::test]
async fn what_a_key_may_not_use_looks_like_what_does_not_exist() {
    let fake = Fake::new(vec![tool("read"), tool("delete_all")], echo());
    let deny = RuleSpec { allow: vec![], deny: vec!["*.delete_*".to_owned()] };
    let rig = Rig::with(&[("fs", &fake)], NameStyle::default(), 100, &deny);
    let denied = rig.bob().call("fs__delete_all", json!({})).await;
    let absent = rig.bob().call("fs__delete_xyz", json!({})).await;
    let text = |got: &super::rig::Got, name: &str| got.last()["error"].to_string().replace(name, "NAME");
    assert_eq!(text(&denied, "fs__delete_all"), text(&absent, "fs__delete_xyz"));
    assert_eq!(denied.status, absent.status);
    assert_eq!(fake.count(&Method::ToolsCall), 0);
    assert_eq!(rig.alice().call("fs__delete_all", json!({})).await.last()["error"], Value::Null);
    let listed = rig.bob().send("tools/list", json!({})).await;
    assert_eq!(listed.last()["result"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(listed.last()["result"]["cacheScope"], "private");
    assert_eq!(rig.alice().send("tools/list", json!({})).await.last()["result"]["cacheScope"], "public");
}

#[tokio::test]
async fn every_call_is_written_down_once_however_it_ends() {
    let handler: Handler = Arc::new(|forward| {
        let name = forward.target_name().unwrap_or_default().into_owned();
        Box::pin(async move {
            match name.as_str() {
                "fails" => rpc_error("no"),
                "hangs" => std::future::pending().await,
                "says_error" => complete(&json!({ "resultType": "complete", "content": [], "isError": true })),
                _ => complete(&json!({ "resultType": "complete", "content": [] })),
            }
        })
    });
    let fake = Fake::new(vec![tool("works"), tool("fails"), tool("hangs"), tool("says_error")], handler);
    let rig = Rig::new(&[("s", &fake)]);
    let alice = rig.alice();
    for name in ["s__works", "s__fails", "s__says_error", "s__none"] {
        alice.call(name, json!({})).await;
    }
    let gone = tokio::time::timeout(Duration::from_millis(50), alice.call("s__hangs", json!({}))).await;
    assert!(gone.is_err());
    let endings: Vec<Ending> = rig.book.0.lock().iter().map(|entry| entry.ending).collect();
    let expected = [Ending::Ok, Ending::UpstreamError(-32603), Ending::ToolError, Ending::Failed(Code::UnknownTarget), Ending::Abandoned];
    assert_eq!(endings, expected);
}

/// A server that asks once, by parking, and then says what it was told.
fn parks() -> Handler {
    Arc::new(|forward| {
        Box::pin(async move {
            match forward.inputs {
                None => Ok(Reply::Done(Outcome::InputRequired {
                    requests: Payload::of(&json!({ "k": { "method": "elicitation/create", "params": { "message": "?" } } })),
                    state: Some(State::Parked(ParkId(7))),
                    meta: None,
                })),
                Some(inputs) => {
                    assert!(matches!(inputs.state, Some(State::Parked(ParkId(7)))));
                    let said: Vec<String> = inputs
                        .responses
                        .iter()
                        .map(|(key, response)| match response {
                            InputResponse::Result(json) => format!("{key}={json}"),
                            InputResponse::Refused(error) => format!("{key} refused {}", error.code),
                        })
                        .collect();
                    complete(&json!({ "resultType": "complete", "content": [{ "type": "text", "text": said.join(" ") }] }))
                }
            }
        })
    })
}

#[tokio::test]
async fn a_state_works_for_its_caller_its_arguments_and_its_time_only() {
    let fake = Fake::new(vec![tool("ask")], parks());
    let rig = Rig::new(&[("s", &fake)]);
    let alice = rig.alice().can(json!({ "elicitation": {} }));
    let first = alice.call("s__ask", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(first.last()["result"]["resultType"], "input_required");
    let state = first.last()["result"]["requestState"].as_str().unwrap().to_owned();
    let retry = |state: &str, arguments: Value| json!({ "name": "s__ask", "arguments": arguments, "requestState": state, "inputResponses": { "k": { "action": "accept" } } });
    let mut flipped = state.clone().into_bytes();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let refused = [
        alice.send("tools/call", retry(&flipped, json!({ "a": 1, "b": 2 }))).await,
        alice.send("tools/call", retry(&state, json!({ "a": 1, "b": 3 }))).await,
        rig.bob().can(json!({ "elicitation": {} })).send("tools/call", retry(&state, json!({ "a": 1, "b": 2 }))).await,
    ];
    for got in refused {
        assert_eq!(got.error_code(), code::INVALID_PARAMS, "{got:?}");
    }
    // Written in another order, they are the same arguments.
    let done = alice.send("tools/call", retry(&state, json!({ "b": 2, "a": 1 }))).await;
    assert_eq!(done.last()["result"]["content"][0]["text"], "k={\"action\":\"accept\"}");
    rig.clock.advance(Duration::from_secs(24 * 3600));
    let late = alice.send("tools/call", retry(&state, json!({ "a": 1, "b": 2 }))).await;
    assert_eq!(late.error_code(), code::INVALID_PARAMS);
}

#[tokio::test]
async fn wrong_arguments_are_a_tool_error_the_model_can_read() {
    let tools =
        vec![json!({ "name": "add", "inputSchema": { "type": "object", "properties": { "a": { "type": "number" } }, "required": ["a"] } })];
    let fake = Fake::new(tools, echo());
    let rig = Rig::new(&[("s", &fake)]);
    let got = rig.alice().call("s__add", json!({ "a": "x" })).await;
    assert_eq!(got.last()["result"]["isError"], true);
    assert!(got.last()["result"]["content"][0]["text"].as_str().unwrap().contains("a: expected number"));
    assert_eq!(fake.count(&Method::ToolsCall), 0);
}

#[tokio::test]
async fn an_upstreams_header_mismatch_costs_one_new_list_and_one_retry() {
    let handler: Handler = Arc::new(|_| {
        Box::pin(async { Ok(Reply::Done(Outcome::Error(RpcError::new(code::HEADER_MISMATCH, "stale"), crib_mcp::Revision::LATEST))) })
    });
    let fake = Fake::new(vec![tool("t")], handler);
    let rig = Rig::new(&[("s", &fake)]);
    rig.alice().send("tools/list", json!({})).await;
    let lists = fake.count(&Method::ToolsList);
    let got = rig.alice().call("s__t", json!({})).await;
    assert_eq!(got.error_code(), code::INTERNAL, "the mismatch is the gateway's own: {got:?}");
    assert_eq!(fake.count(&Method::ToolsCall), 2);
    assert_eq!(fake.count(&Method::ToolsList), lists + 1);
}

#[tokio::test]
async fn without_a_key_nothing_is_said_but_how_to_get_in() {
    let fake = Fake::new(vec![tool("t")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    let mut inbound = rig.alice().request("tools/list", json!({}));
    inbound.headers.remove("authorization");
    let got = super::rig::read(rig.plane.receive(inbound).await).await;
    assert_eq!(got.status, 401);
    assert!(got.headers["www-authenticate"].to_str().unwrap().contains("resource_metadata="));
    assert!(fake.asked.lock().is_empty());
    let endings: Vec<Ending> = rig.book.0.lock().iter().map(|entry| entry.ending).collect();
    assert_eq!(endings, [Ending::Failed(Code::Unauthenticated)], "a refusal counts too");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_holds_up_nobody_elses_first_call() {
    let (quick, silent) = (Fake::new(vec![tool("t")], echo()), Fake::silent());
    let rig = Rig::new(&[("quick", &quick), ("silent", &silent)]);
    let begin = tokio::time::Instant::now();
    let got = rig.alice().call("quick__t", json!({})).await;
    assert_eq!(got.last()["error"], Value::Null);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let listed = rig.alice().send("tools/list", json!({})).await;
    assert_eq!(listed.last()["result"]["tools"].as_array().unwrap().len(), 1);
    assert!(begin.elapsed() >= Duration::from_secs(5), "a list waits for servers that are still starting");
}

#[tokio::test]
async fn an_entry_names_the_clients_trace_and_does_not_stand_in_its_way() {
    let fake = Fake::new(vec![tool("t")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    rig.book.1.store(true, std::sync::atomic::Ordering::Relaxed);
    rig.alice().call("s__t", json!({})).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut request = rig.alice().request("tools/call", json!({ "name": "s__t", "arguments": {} }));
    request.headers.insert("traceparent", http::HeaderValue::from_static(parent));
    super::rig::read(rig.plane.receive(request).await).await;
    let entries = rig.book.0.lock().clone();
    let ids: Vec<u128> = entries.iter().filter_map(|entry| entry.trace).map(|trace| trace.trace_id).collect();
    assert_eq!((ids.len(), ids[1]), (2, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c));
    let asked = fake.asked.lock();
    let told: Vec<_> = asked.iter().filter(|forward| forward.method == Method::ToolsCall).map(|forward| forward.trace).collect();
    assert_eq!((told[0].map(|trace| trace.trace_id), told[1].is_none()), (Some(ids[0]), true));
    let last = asked.iter().rfind(|forward| forward.method == Method::ToolsCall).unwrap();
    assert_eq!(last.params.meta("traceparent").unwrap().as_str(), format!("\"{parent}\""));
}

#[tokio::test]
async fn a_task_nobody_can_follow_is_a_broken_promise() {
    let handler: Handler = Arc::new(|_| {
        let task = Payload::of(&json!({ "resultType": "task", "taskId": "t1", "status": "working" }));
        Box::pin(async move { Ok(Reply::Done(Outcome::Task(task, crib_mcp::Revision::LATEST))) })
    });
    let fake = Fake::new(vec![tool("t")], handler);
    let rig = Rig::new(&[("s", &fake)]);
    let got = rig.alice().call("s__t", json!({})).await;
    assert_eq!(got.last()["error"]["data"]["code"], "TC0207", "{got:?}");
    let able = rig.alice().can(json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }));
    assert_eq!(able.call("s__t", json!({})).await.last()["result"]["resultType"], "task");
    let endings: Vec<Ending> = rig.book.0.lock().iter().map(|entry| entry.ending).collect();
    assert_eq!(endings, [Ending::Failed(Code::ProtocolBroken), Ending::Task]);
}

#[tokio::test]
async fn a_resource_that_is_not_there_is_named_in_the_error() {
    let (one, two) = (Fake::new(Vec::new(), echo()), Fake::new(Vec::new(), echo()));
    let rig = Rig::new(&[("one", &one), ("two", &two)]);
    let got = rig.alice().send("resources/read", json!({ "uri": "x+file:///a" })).await;
    assert_eq!((got.error_code(), &got.last()["error"]["data"]), (code::INVALID_PARAMS, &json!({ "uri": "x+file:///a" })));
}
