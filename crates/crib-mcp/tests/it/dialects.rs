//! Everything that goes down to an older revision is what that revision's schema says, and comes up as the newer one's.

use bytes::Bytes;
use crib_mcp::{Chunks, Json, Message, Method, Payload, Revision, translate};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary;
use crate::spec::{Spec, spec};

const MODERN: Revision = Revision::V2026_07_28;
const LEGACY: [Revision; 4] = [Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26, Revision::V2024_11_05];

const RESULTS: [(Method, &str); 7] = [
    (Method::ToolsCall, "CallToolResult"),
    (Method::ToolsList, "ListToolsResult"),
    (Method::ResourcesList, "ListResourcesResult"),
    (Method::ResourcesTemplatesList, "ListResourceTemplatesResult"),
    (Method::ResourcesRead, "ReadResourceResult"),
    (Method::PromptsList, "ListPromptsResult"),
    (Method::PromptsGet, "GetPromptResult"),
];

fn payload(value: &Value) -> Payload {
    Payload::parse(&Bytes::from(value.to_string())).unwrap()
}

fn read(chunks: Chunks) -> Value {
    let bytes = chunks.into_bytes();
    Json::parse(&bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn value(json: &Json) -> Value {
    serde_json::from_slice(json.bytes()).unwrap()
}

fn translated(method: &Method, result: &Value, from: Revision, to: Revision) -> Value {
    read(translate::result(method, &payload(result), from, to, None))
}

#[track_caller]
fn goes_down(spec: &Spec, method: &Method, name: &str, result: &Value) {
    for to in LEGACY {
        let down = translated(method, result, MODERN, to);
        spec.check(to, name, &down);
        assert!(down.get("resultType").is_none(), "{down}");
        assert_eq!(translated(method, &down, to, to), down);
        for older in LEGACY.into_iter().filter(|older| *older < to) {
            spec.check(older, name, &translated(method, &down, to, older));
        }
        spec.check(MODERN, name, &translated(method, &down, to, MODERN));
    }
}

#[test]
fn every_example_result_goes_down_to_every_revision_and_up_again() {
    let Some(spec) = spec() else { return };
    for (method, name) in RESULTS.into_iter().chain([(Method::Complete, "CompleteResult")]) {
        for example in spec.examples(name) {
            spec.check(MODERN, name, &example);
            assert_eq!(translated(&method, &example, MODERN, MODERN), example);
            goes_down(spec, &method, name, &example);
        }
    }
}

#[test]
fn every_example_discovery_becomes_an_initialization_and_back() {
    let Some(spec) = spec() else { return };
    for example in spec.examples("DiscoverResult") {
        for to in LEGACY {
            let initialize = translate::initialize_result(&payload(&example), to);
            spec.check(to, "InitializeResult", &value(&initialize));
            let back = translate::discover_result(&initialize.to_object().unwrap(), &Revision::MODERN);
            let back = value(&back.to_json());
            spec.check(MODERN, "DiscoverResult", &back);
            assert_eq!(back["_meta"], example["_meta"]);
            assert_eq!(back["instructions"], example["instructions"]);
        }
    }
}

#[test]
fn every_example_notification_goes_down_to_every_revision() {
    let Some(spec) = spec() else { return };
    let names = ["ProgressNotification", "LoggingMessageNotification", "ToolListChangedNotification", "PromptListChangedNotification"];
    for name in
        names.into_iter().chain(["ResourceListChangedNotification", "ResourceUpdatedNotification", "SubscriptionsAcknowledgedNotification"])
    {
        for example in spec.examples(name) {
            let Message::Notification(notification) = Message::parse(&Bytes::from(example.to_string())).unwrap() else {
                panic!("{example}")
            };
            for to in LEGACY {
                let Some(down) = translate::event(&notification, to) else {
                    assert!(!spec.has(to, name), "{to} has {name}");
                    continue;
                };
                let params = value(&down.params.to_json());
                assert!(params["_meta"].get("io.modelcontextprotocol/subscriptionId").is_none());
                spec.check(to, name, &json!({ "jsonrpc": "2.0", "method": down.method.as_str(), "params": params }));
            }
        }
    }
}

#[test]
fn every_example_question_goes_down_or_says_why_not() {
    let Some(spec) = spec() else { return };
    let requests = [
        (Method::ElicitationCreate, "ElicitRequest"),
        (Method::SamplingCreate, "CreateMessageRequest"),
        (Method::RootsList, "ListRootsRequest"),
    ];
    for (method, name) in requests {
        for example in spec.examples(name) {
            asks(spec, &method, name, &example.get("params").cloned().unwrap_or_else(|| json!({})));
        }
    }
    for example in spec.examples("ElicitRequestFormParams").iter().chain(&spec.examples("ElicitRequestURLParams")) {
        asks(spec, &Method::ElicitationCreate, "ElicitRequest", example);
    }
    for example in spec.examples("CreateMessageRequestParams") {
        asks(spec, &Method::SamplingCreate, "CreateMessageRequest", &example);
    }
}

#[track_caller]
fn asks(spec: &Spec, method: &Method, name: &str, params: &Value) {
    for to in LEGACY {
        match translate::input_request_down(method, &payload(params), to) {
            Ok(down) => {
                spec.check(to, name, &json!({ "jsonrpc": "2.0", "id": 1, "method": method.as_str(), "params": value(&down.to_json()) }));
                let up = translate::input_request_up(method, &down, to);
                spec.check(MODERN, name, &json!({ "method": method.as_str(), "params": value(&up.to_json()) }));
            }
            Err(why) => assert!(!why.is_empty() && to < Revision::V2025_11_25, "{to}: {why}"),
        }
    }
}

#[test]
fn every_example_answer_goes_down_to_every_revision() {
    let Some(spec) = spec() else { return };
    for (method, name) in [
        (Method::ElicitationCreate, "ElicitResult"),
        (Method::SamplingCreate, "CreateMessageResult"),
        (Method::RootsList, "ListRootsResult"),
    ] {
        for example in spec.examples(name) {
            for to in LEGACY.into_iter().filter(|to| spec.has(*to, name)) {
                let json = Json::of(&example);
                let down = translate::input_response_down(&method, &json, to);
                // What a tool-using model says only fits where sampling knows tools.
                if to.has_rich_input() || example["stopReason"] != "toolUse" {
                    spec.check(to, name, &value(&down));
                }
                let up = translate::input_response_up(&method, &down.to_object().unwrap(), to);
                spec.check(MODERN, name, &value(&up.to_json()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_call_result_goes_down_to_every_revision_and_up_again(result in arbitrary::call_result()) {
        let Some(spec) = spec() else { return Ok(()) };
        goes_down(spec, &Method::ToolsCall, "CallToolResult", &result);
        for to in LEGACY {
            let down = translated(&Method::ToolsCall, &result, MODERN, to);
            prop_assert_eq!(&down["vendor"], &result["vendor"]);
            prop_assert_eq!(&down["isError"], &result["isError"]);
        }
    }

    #[test]
    fn any_prompt_goes_down_to_every_revision(blocks in proptest::collection::vec(arbitrary::block(), 0..5)) {
        let Some(spec) = spec() else { return Ok(()) };
        let messages: Vec<Value> = blocks.into_iter().map(|block| json!({ "role": "user", "content": block, "x": 1 })).collect();
        goes_down(spec, &Method::PromptsGet, "GetPromptResult", &json!({ "resultType": "complete", "messages": messages }));
    }

    #[test]
    fn any_tool_is_listed_in_every_revision(tools in proptest::collection::vec(arbitrary::tool(), 0..4)) {
        let Some(spec) = spec() else { return Ok(()) };
        for to in LEGACY {
            for tool in &tools {
                spec.check(to, "Tool", &value(&translate::list_item(&Method::ToolsList, &Json::of(tool), to)));
            }
        }
        let list = json!({ "resultType": "complete", "tools": tools, "ttlMs": 5, "cacheScope": "public", "nextCursor": "" });
        goes_down(spec, &Method::ToolsList, "ListToolsResult", &list);
    }

    #[test]
    fn any_question_goes_down_or_says_why_not(form in arbitrary::elicitation(), sampling in arbitrary::sampling()) {
        let Some(spec) = spec() else { return Ok(()) };
        spec.check(MODERN, "ElicitRequestParams", &form);
        spec.check(MODERN, "CreateMessageRequestParams", &sampling);
        asks(spec, &Method::ElicitationCreate, "ElicitRequest", &form);
        asks(spec, &Method::SamplingCreate, "CreateMessageRequest", &sampling);
    }

    #[test]
    fn any_sample_goes_down_to_every_revision(sample in arbitrary::sample()) {
        let Some(spec) = spec() else { return Ok(()) };
        spec.check(MODERN, "CreateMessageResult", &sample);
        for to in LEGACY {
            let down = translate::input_response_down(&Method::SamplingCreate, &Json::of(&sample), to);
            spec.check(to, "CreateMessageResult", &value(&down));
        }
    }
}
