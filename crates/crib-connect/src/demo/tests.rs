use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{ClientCaps, Json, Method, Payload, Revision, code};
use crib_model::{Client, Clock, Forward, InputResponse, Inputs, Outcome, Principal, Reply, State, Step, Upstream};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{Demo, demo};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn unix(&self) -> Duration {
        Duration::from_secs(1_785_240_245)
    }
}

fn forward(method: Method, params: &Value, caps: &str) -> Forward {
    let caps = ClientCaps::read(Json::parse(&Bytes::copy_from_slice(caps.as_bytes())).unwrap());
    Forward {
        method,
        params: Payload::of(params),
        target: None,
        param_headers: None,
        client: Arc::new(Client::new(Revision::LATEST, caps, None)),
        principal: Arc::new(Principal::anonymous()),
        log_level: None,
        progress_token: None,
        inputs: None,
        trace: None,
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

fn tool(name: &str, arguments: &Value) -> Forward {
    forward(Method::ToolsCall, &json!({ "name": name, "arguments": arguments }), "{}")
}

async fn outcome(forward: Forward) -> Outcome {
    match demo().call(Arc::new(forward)).await.unwrap() {
        Reply::Done(outcome) => outcome,
        Reply::Stream(_) => panic!("a stream"),
    }
}

async fn result(forward: Forward) -> Value {
    match outcome(forward).await {
        Outcome::Complete(payload, _) => payload.to_json().read().unwrap(),
        other @ (Outcome::Error(..) | Outcome::InputRequired { .. } | Outcome::Task(..)) => panic!("{other:?}"),
    }
}

async fn error(forward: Forward) -> crib_mcp::RpcError {
    match outcome(forward).await {
        Outcome::Error(error, _) => error,
        other @ (Outcome::Complete(..) | Outcome::InputRequired { .. } | Outcome::Task(..)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn numbers_are_added_and_subtracted() {
    assert_eq!(result(tool("add", &json!({ "a": 88, "b": 22 }))).await["content"][0]["text"], "110");
    assert_eq!(result(tool("subtract", &json!({ "a": 88, "b": 22.5 }))).await["content"][0]["text"], "65.5");
    let statistics = result(tool("statistics", &json!({ "numbers": [1, 2, 6] }))).await;
    assert_eq!(statistics["structuredContent"], json!({ "count": 3, "min": 1.0, "max": 6.0, "mean": 3.0 }));
}

#[tokio::test]
async fn every_tool_of_the_list_has_a_schema_and_can_be_called() {
    let list = result(forward(Method::ToolsList, &json!({}), "{}")).await;
    assert_eq!(list["resultType"], "complete");
    assert_eq!(list["cacheScope"], "public");
    let tools = list["tools"].as_array().unwrap();
    assert!(tools.len() >= 13);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["inputSchema"].get("title").is_none());
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        let name = tool["name"].as_str().unwrap();
        match outcome(self::tool(name, &json!({ "steps": 1, "delayMs": 0 }))).await {
            Outcome::Complete(..) => {}
            Outcome::Error(error, _) => assert_eq!(error.code, code::MISSING_CAPABILITY, "{name}"),
            other @ (Outcome::InputRequired { .. } | Outcome::Task(..)) => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn wrong_arguments_are_an_error_the_model_can_read() {
    let result = result(tool("add", &json!({ "a": 1 }))).await;
    assert_eq!(result["isError"], true);
    assert!(result["content"][0]["text"].as_str().unwrap().contains("missing field `b`"));
    assert_eq!(error(tool("no_such", &json!({}))).await.code, code::INVALID_PARAMS);
}

#[tokio::test]
async fn the_time_comes_from_the_clock() {
    let reply = Demo::new(Arc::new(FixedClock)).call(Arc::new(tool("now", &json!({})))).await.unwrap();
    let Reply::Done(Outcome::Complete(payload, _)) = reply else { panic!("not complete") };
    assert!(payload.to_json().as_str().contains("2026-07-28T12:04:05Z"));
}

#[tokio::test]
async fn a_count_reports_progress_under_the_clients_token_and_logs_at_the_wanted_level() {
    let mut call = tool("count", &json!({ "steps": 3, "delayMs": 1 }));
    call.progress_token = Some(Json::from_static("9007199254740993"));
    call.log_level = Some(Json::from_static("\"info\""));
    let Reply::Stream(steps) = demo().call(Arc::new(call)).await.unwrap() else { panic!("not a stream") };
    let steps: Vec<Step> = steps.collect().await;
    let mut progress = 0;
    let mut lines = 0;
    for step in &steps {
        match step {
            Step::Event(event) if event.0.method == Method::Progress => {
                progress += 1;
                assert_eq!(event.0.params.object.raw("progressToken"), Some(b"9007199254740993".as_slice()));
            }
            Step::Event(event) => {
                lines += 1;
                assert_eq!(event.0.params.text("level").as_deref(), Some("info"));
            }
            Step::Done(done) => assert!(matches!(done, Ok(Outcome::Complete(..)))),
        }
    }
    assert_eq!((progress, lines, steps.len()), (3, 2, 6));
}

#[tokio::test]
async fn a_tool_that_asks_names_the_missing_capability_or_asks() {
    let refused = error(tool("ask_name", &json!({}))).await;
    assert_eq!(refused.code, code::MISSING_CAPABILITY);
    assert_eq!(refused.data.unwrap().as_str(), r#"{"requiredCapabilities":{"elicitation":{"form":{}}}}"#);

    let call = || forward(Method::ToolsCall, &json!({ "name": "ask_name" }), r#"{"elicitation":{}}"#);
    let Outcome::InputRequired { requests, state, .. } = outcome(call()).await else { panic!("did not ask") };
    assert!(requests.get("name").unwrap().as_str().contains("elicitation/create"));

    let answer = |json: &'static str, state: Option<State>| {
        let responses = vec![("name".to_owned(), InputResponse::Result(Json::from_static(json)))];
        Forward { inputs: Some(Inputs { responses, state }), ..call() }
    };
    let accepted = result(answer(r#"{"action":"accept","content":{"name":"Ada"}}"#, state.clone())).await;
    assert_eq!(accepted["content"][0]["text"], "Hello, Ada!");
    let declined = result(answer(r#"{"action":"decline"}"#, state.clone())).await;
    assert_eq!(declined["content"][0]["text"], "The user did not want to tell.");
    let forged = Some(State::Upstream(Json::from_static("\"summarize/1\"")));
    assert_eq!(error(answer(r#"{"action":"accept"}"#, forged)).await.code, code::INVALID_PARAMS);

    // Without the answer it asks again.
    let again = Forward { inputs: Some(Inputs { responses: vec![], state }), ..call() };
    assert!(matches!(outcome(again).await, Outcome::InputRequired { .. }));
}

#[tokio::test]
async fn resources_prompts_and_completions_are_there() {
    let read = |uri: &str| forward(Method::ResourcesRead, &json!({ "uri": uri }), "{}");
    assert!(result(read("demo://readme")).await["contents"][0]["text"].as_str().unwrap().contains("Toolcrib"));
    assert!(result(read("demo://logo.png")).await["contents"][0]["blob"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    assert_eq!(result(read("demo://greeting/chinese")).await["contents"][0]["text"], "你好");
    let missing = error(read("demo://nothing")).await;
    assert_eq!((missing.code, missing.data.unwrap().as_str()), (code::INVALID_PARAMS, r#"{"uri":"demo://nothing"}"#));

    let get = |params: Value| forward(Method::PromptsGet, &params, "{}");
    let greet = result(get(json!({ "name": "greet", "arguments": { "name": "Ada", "language": "french" } }))).await;
    assert_eq!(greet["messages"][0]["content"]["text"], "Greet Ada warmly, in french.");
    assert_eq!(error(get(json!({ "name": "greet" }))).await.code, code::INVALID_PARAMS);

    let params = json!({
        "ref": { "type": "ref/resource", "uri": "demo://greeting/{language}" },
        "argument": { "name": "language", "value": "E" },
    });
    let completed = result(forward(Method::Complete, &params, "{}")).await;
    assert_eq!(completed["completion"]["values"], json!(["english", "esperanto"]));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_acknowledged_first_and_ticks_only_when_wanted() {
    let listen = |uris: Value| {
        forward(Method::Listen, &json!({ "notifications": { "toolsListChanged": true, "resourceSubscriptions": uris } }), "{}")
    };
    let first_two = async |uris: Value| {
        let Reply::Stream(mut steps) = demo().call(Arc::new(listen(uris))).await.unwrap() else { panic!("not a stream") };
        let Some(Step::Event(first)) = steps.next().await else { panic!("no first event") };
        let second = tokio::time::timeout(Duration::from_secs(5), steps.next()).await.ok().flatten();
        (first.0, second)
    };
    let (first, second) = first_two(json!(["demo://clock", "demo://nothing"])).await;
    assert_eq!(first.method, Method::Acknowledged);
    assert_eq!(first.params.to_json().as_str(), r#"{"notifications":{"resourceSubscriptions":["demo://clock"]}}"#);
    assert!(matches!(second, Some(Step::Event(event)) if event.0.method == Method::ResourceUpdated));
    let (first, second) = first_two(json!([])).await;
    assert_eq!(first.params.to_json().as_str(), r#"{"notifications":{}}"#);
    assert!(second.is_none());
}
