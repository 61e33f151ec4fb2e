use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Inlined, discover_result, error, event, initialize_result, input_request_down, input_request_up, input_response_down, list_item,
    result, task_get_up, task_up,
};
use crate::error::{RpcError, code};
use crate::json::{Json, Payload};
use crate::message::{Message, Notification};
use crate::method::Method;
use crate::revision::Revision::{self, V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};

fn payload(text: &str) -> Payload {
    Payload::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[track_caller]
fn check(method: &Method, text: &str, from: Revision, to: Revision, expected: &str) {
    let out = result(method, &payload(text), from, to, None).into_bytes();
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected, "{from} to {to}");
}

/// Texts that a typed reader damages: long numbers, unknown members, odd spacing, an explicit null.
const LOSSLESS: [&str; 5] = [
    r#"{ "resultType":"complete","content":[{"type":"text","text":"\u00e9","x":1e3}],"structuredContent":123456789012345678901234567890 }"#,
    r#"{"content":[],"structuredContent":null,"resultType":"complete","z":{"a":[1.0,1.50]},"a":0}"#,
    r#"{"resultType":"complete","content":[{"type":"vendor/thing","deep":{"$schema":"https://json-schema.org/draft/2020-12/schema","$anchor":"a"}}]}"#,
    r#"{"_meta":{"x.example/y":{"b":1,"a":2}},"resultType":"vendor","isError":false}"#,
    r#"{"resultType":"complete","structuredContent":[1,2],"content":[{"type":"text","text":"[1,2]"}]}"#,
];

#[test]
fn between_equal_revisions_results_keep_their_bytes() {
    for text in LOSSLESS {
        for revision in Revision::ALL {
            check(&Method::ToolsCall, text, revision, revision, text);
        }
    }
    let whole = payload(LOSSLESS[0]);
    let out = result(&Method::ToolsCall, &whole, V2026_07_28, V2026_07_28, None).into_bytes();
    assert_eq!(out.as_ptr(), whole.to_json().bytes().as_ptr());
}

#[test]
fn what_only_modern_clients_know_is_added_and_stripped() {
    let list = r#"{"resources":[ ],"nextCursor":"","x":1}"#;
    let modern = r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","resources":[ ],"nextCursor":"","x":1}"#;
    check(&Method::ResourcesList, list, V2025_06_18, V2026_07_28, modern);
    check(&Method::ResourcesList, modern, V2026_07_28, V2025_06_18, list);
    // A legacy server's own member of that name is not the protocol's.
    check(
        &Method::ToolsCall,
        r#"{"content":[],"resultType":"input_required"}"#,
        V2025_06_18,
        V2026_07_28,
        r#"{"content":[],"resultType":"complete"}"#,
    );
    // A modern server that forgot them is helped, but not on results that are not complete.
    check(
        &Method::ResourcesRead,
        r#"{"resultType":"complete","contents":[],"ttlMs":9}"#,
        V2026_07_28,
        V2026_07_28,
        r#"{"cacheScope":"private","resultType":"complete","contents":[],"ttlMs":9}"#,
    );
    check(&Method::ResourcesRead, r#"{"resultType":"input_required"}"#, V2026_07_28, V2026_07_28, r#"{"resultType":"input_required"}"#);
}

#[test]
fn servers_are_introduced_to_modern_clients_only() {
    let info = Json::from_static(r#"{"name":"gw","version":"1"}"#);
    let introduced = |text: &str, from, to| {
        let out = result(&Method::Complete, &payload(text), from, to, Some(&info)).into_bytes();
        String::from_utf8(out.to_vec()).unwrap()
    };
    let own = r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"own","version":"2"}}}"#;
    assert_eq!(introduced(own, V2026_07_28, V2026_07_28), own);
    assert_eq!(introduced(own, V2026_07_28, V2025_11_25), "{}");
    assert_eq!(
        introduced(r#"{"_meta":{"a":1}}"#, V2025_11_25, V2026_07_28),
        r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"gw","version":"1"},"a":1}}"#
    );
    assert_eq!(introduced(r#"{"_meta":{"a":1}}"#, V2025_11_25, V2025_06_18), r#"{"_meta":{"a":1}}"#);
}

#[test]
fn structured_content_an_old_client_cannot_have_is_said_in_text() {
    let call = |to, text: &str, expected: &str| check(&Method::ToolsCall, text, V2026_07_28, to, expected);
    let object = r#"{"content":[],"structuredContent":{"a":1e3}}"#;
    let said = r#"{"content":[{"type":"text","text":"{\"a\":1e3}"}]}"#;
    call(V2025_06_18, object, object);
    call(V2025_03_26, object, said);
    call(
        V2024_11_05,
        r#"{"content":[{"type":"text","text":"x"}],"structuredContent":{"a":1}}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
    );
    for value in ["[1]", "null", "3", "\"a\""] {
        let text = format!(r#"{{"structuredContent":{value},"content":[]}}"#);
        let expected = json!({ "content": [{ "type": "text", "text": value }] });
        let out = result(&Method::ToolsCall, &payload(&text), V2026_07_28, V2025_11_25, None).into_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    }
    call(V2025_11_25, r#"{"structuredContent":{}}"#, r#"{"content":[],"structuredContent":{}}"#);
}

#[test]
fn blocks_an_old_client_cannot_have_become_the_nearest_thing() {
    let link = r#"{"content":[ {"type":"text","text":"a"}, {"type":"resource_link","uri":"file:///a","name":"n","title":"T","annotations":{"priority":1}} ],"isError":true}"#;
    check(&Method::ToolsCall, link, V2026_07_28, V2025_06_18, link);
    check(
        &Method::ToolsCall,
        link,
        V2025_06_18,
        V2025_03_26,
        r#"{"content":[{"type":"text","text":"a"},{"text":"T (file:///a)","type":"text","annotations":{"priority":1}}],"isError":true}"#,
    );
    let audio = r#"{"messages":[{"role":"user","content":{"type":"audio","data":"aGk=","mimeType":"audio/wav"}}]}"#;
    check(&Method::PromptsGet, audio, V2025_11_25, V2025_03_26, audio);
    check(
        &Method::PromptsGet,
        audio,
        V2025_11_25,
        V2024_11_05,
        r#"{"messages":[{"role":"user","content":{"resource":{"uri":"urn:toolcrib:audio","mimeType":"audio/wav","blob":"aGk="},"type":"resource"}}]}"#,
    );
}

#[test]
fn a_tool_is_listed_with_its_bytes_except_what_the_revision_refuses() {
    let plain = Json::from_static(r#"{"name":"a","inputSchema":{"type":"object", "$defs":{"n":{"multipleOf":1e-30}}},"x":1}"#);
    for to in Revision::ALL {
        assert_eq!(list_item(&Method::ToolsList, &plain, to), plain);
    }
    let rich = Json::from_static(
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"b":true,"c":false,"d":{}}},"outputSchema":{"type":"array"},"icons":[]}"#,
    );
    assert_eq!(list_item(&Method::ToolsList, &rich, V2026_07_28), rich);
    assert_eq!(
        list_item(&Method::ToolsList, &rich, V2025_11_25).as_str(),
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"b":{},"c":{"not":{}},"d":{}}},"icons":[]}"#
    );
}

#[test]
fn errors_carry_the_codes_of_the_clients_revision() {
    let missing = |number| RpcError::new(number, "no").with_data(Json::from_static(r#"{"uri":"file:///a"}"#));
    let translated = |method: &Method, number, from, to| error(method, &missing(number), from, to).code;
    let read = &Method::ResourcesRead;
    assert_eq!(translated(read, code::INVALID_PARAMS, V2026_07_28, V2025_11_25), code::RESOURCE_NOT_FOUND);
    assert_eq!(translated(read, code::RESOURCE_NOT_FOUND, V2025_11_25, V2026_07_28), code::INVALID_PARAMS);
    assert_eq!(translated(read, code::RESOURCE_NOT_FOUND, V2025_11_25, V2024_11_05), code::RESOURCE_NOT_FOUND);
    assert_eq!(translated(&Method::ToolsCall, code::INVALID_PARAMS, V2026_07_28, V2025_11_25), code::INVALID_PARAMS);
    let bare = RpcError::new(code::INVALID_PARAMS, "no");
    assert_eq!(error(read, &bare, V2026_07_28, V2025_11_25).code, code::INVALID_PARAMS);
    for ours in [code::HEADER_MISMATCH, code::UNSUPPORTED_VERSION, -32050] {
        assert_eq!(translated(read, ours, V2026_07_28, V2026_07_28), code::INTERNAL);
        assert_eq!(translated(read, ours, V2025_11_25, V2026_07_28), code::INTERNAL);
        assert_eq!(translated(read, ours, V2025_11_25, V2025_06_18), ours);
    }
    assert_eq!(translated(read, code::MISSING_CAPABILITY, V2026_07_28, V2026_07_28), code::MISSING_CAPABILITY);
    assert_eq!(translated(read, code::MISSING_CAPABILITY, V2026_07_28, V2025_11_25), code::INTERNAL);
    assert_eq!(translated(read, code::URL_ELICITATION_REQUIRED, V2025_11_25, V2026_07_28), code::INTERNAL);
    assert_eq!(translated(read, code::URL_ELICITATION_REQUIRED, V2025_11_25, V2025_11_25), code::URL_ELICITATION_REQUIRED);
    assert_eq!(translated(read, -32000, V2025_11_25, V2026_07_28), -32000);
}

fn notification(text: &str) -> Notification {
    let Ok(Message::Notification(notification)) = Message::parse(&Bytes::copy_from_slice(text.as_bytes())) else { panic!("{text}") };
    notification
}

#[test]
fn notifications_lose_what_the_revision_does_not_know() {
    let seen = |text: &str, to| event(&notification(text), to).map(|event| event.params.to_json().as_str().to_owned());
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"1","progress":0.50,"message":"m"}}"#;
    assert_eq!(seen(progress, V2025_03_26).unwrap(), r#"{"progressToken":"1","progress":0.50,"message":"m"}"#);
    assert_eq!(seen(progress, V2024_11_05).unwrap(), r#"{"progressToken":"1","progress":0.50}"#);
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#;
    assert_eq!(seen(updated, V2025_11_25).unwrap(), r#"{"uri":"a:b"}"#);
    assert!(seen(updated, V2026_07_28).unwrap().contains("subscriptionId"));
    let complete = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"1"}}"#;
    assert_eq!((seen(complete, V2026_07_28), seen(complete, V2025_06_18)), (None, None));
    assert!(seen(complete, V2025_11_25).is_some());
    let status = |status: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{{"taskId":"1","status":"{status}","ttl":5}}}}"#)
    };
    assert_eq!(seen(&status("working"), V2026_07_28).unwrap(), r#"{"ttlMs":5,"taskId":"1","status":"working"}"#);
    assert_eq!(seen(&status("completed"), V2026_07_28), None);
    assert_eq!(seen(r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#, V2025_11_25), None);
}

#[test]
fn forms_are_flattened_for_2025_06_18_or_declared_impossible() {
    let ask = |schema: &str, to| {
        let params =
            payload(&format!(r#"{{"mode":"form","message":"m","requestedSchema":{{"type":"object","properties":{{"a":{schema}}}}}}}"#));
        input_request_down(&Method::ElicitationCreate, &params, to).map(|down| down.to_json().as_str().to_owned())
    };
    let titled = r#"{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"g","title":"Green"}],"default":"r"}"#;
    assert_eq!(
        ask(titled, V2025_06_18).unwrap(),
        r#"{"message":"m","requestedSchema":{"type":"object","properties":{"a":{"enum":["r","g"],"enumNames":["Red","Green"],"type":"string"}}}}"#
    );
    assert!(ask(titled, V2025_11_25).unwrap().contains(titled));
    let flag = r#"{"type":"boolean","default":true}"#;
    assert!(ask(flag, V2025_06_18).unwrap().contains(flag));
    assert!(!ask(r#"{"type":"number","default":1}"#, V2025_06_18).unwrap().contains("default"));
    assert!(ask(r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#, V2025_06_18).is_err());
    assert!(ask(flag, V2025_03_26).is_err());
    let url = payload(r#"{"mode":"url","message":"m","url":"https://x.example"}"#);
    assert!(input_request_down(&Method::ElicitationCreate, &url, V2025_06_18).is_err());
    let down = input_request_down(&Method::ElicitationCreate, &url, V2025_11_25).unwrap();
    assert!(down.text("elicitationId").is_some());
    assert_eq!(input_request_up(&Method::ElicitationCreate, &down, V2025_11_25).to_json(), url.to_json());
    assert!(input_request_down(&Method::ToolsCall, &url, V2025_11_25).is_err());
}

#[test]
fn sampling_is_split_into_what_old_clients_read() {
    let ask = |message: &str, more: &str, to| {
        let params = payload(&format!(r#"{{"messages":[{message}],"maxTokens":5{more}}}"#));
        input_request_down(&Method::SamplingCreate, &params, to).map(|down| down.to_json().as_str().to_owned())
    };
    let two = r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","data":"","mimeType":"image/png"}]}"#;
    assert_eq!(
        ask(two, "", V2025_06_18).unwrap(),
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"a"}},{"role":"user","content":{"type":"image","data":"","mimeType":"image/png"}}],"maxTokens":5}"#
    );
    let audio = r#"{"role":"user","content":{"type":"audio","data":"","mimeType":"audio/wav"}}"#;
    assert!(ask(audio, "", V2025_03_26).is_ok());
    assert!(ask(audio, "", V2024_11_05).is_err());
    assert!(ask(two, r#","tools":[]"#, V2025_06_18).is_err());
    assert!(ask(two, r#","tools":[]"#, V2025_11_25).is_ok());
    let answer = |content: &str, to| {
        let json = Json::parse(&Bytes::from(format!(r#"{{"role":"assistant","model":"m","content":{content}}}"#))).unwrap();
        input_response_down(&Method::SamplingCreate, &json, to).to_object().unwrap().get("content").unwrap().as_str().to_owned()
    };
    let text = r#"{"type":"text","text":"a"}"#;
    assert_eq!(answer(text, V2024_11_05), text);
    assert_eq!(answer(&format!("[{text}]"), V2024_11_05), text);
    assert_eq!(answer(&format!("[{text},{text}]"), V2025_06_18), r#"{"type":"text","text":"a\na"}"#);
    assert_eq!(answer(&format!("[{text},{text}]"), V2025_11_25), format!("[{text},{text}]"));
}

#[test]
fn tasks_are_flat_and_in_milliseconds() {
    let created = payload(
        r#"{"task":{"taskId":"1","status":"working","createdAt":"c","lastUpdatedAt":"l","ttl":null,"pollInterval":5},"_meta":{"a":1,"io.modelcontextprotocol/related-task":{"taskId":"1"}}}"#,
    );
    assert_eq!(
        task_up(&created).to_json().as_str(),
        r#"{"ttlMs":null,"pollIntervalMs":5,"resultType":"task","_meta":{"a":1},"taskId":"1","status":"working","createdAt":"c","lastUpdatedAt":"l"}"#
    );
    let task = |status: &str| payload(&format!(r#"{{"taskId":"1","status":"{status}","ttl":9}}"#));
    let shown = |status: &str, inlined| task_get_up(&task(status), inlined).to_json().as_str().to_owned();
    assert_eq!(shown("cancelled", Inlined::Nothing), r#"{"ttlMs":9,"resultType":"complete","taskId":"1","status":"cancelled"}"#);
    assert!(shown("completed", Inlined::Nothing).contains(r#""status":"working""#));
    assert!(shown("completed", Inlined::Result(Json::from_static("{}").into())).contains(r#""result":{}"#));
    assert!(shown("failed", Inlined::Error(RpcError::new(-1, "x"))).contains(r#""error":{"code":-1,"message":"x"}"#));
    assert!(shown("input_required", Inlined::InputRequests(Json::from_static(r#"{"k":{}}"#))).contains(r#""inputRequests":{"k":{}}"#));
}

#[test]
fn handshakes_are_made_from_discoveries_and_back() {
    let discover = payload(
        r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{ },"completions":{},"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{}},"vendor":1e3},"ttlMs":5,"cacheScope":"public","instructions":"i","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}"#,
    );
    let initialize = initialize_result(&discover, V2024_11_05);
    assert_eq!(
        initialize.as_str(),
        r#"{"protocolVersion":"2024-11-05","serverInfo":{"name":"s","version":"1"},"capabilities":{"tools":{ },"extensions":{"io.modelcontextprotocol/ui":{}},"vendor":1e3},"instructions":"i"}"#
    );
    let legacy =
        payload(r#"{"protocolVersion":"2025-11-25","capabilities":{"tasks":{},"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#);
    assert_eq!(
        discover_result(&legacy, &[V2026_07_28]).to_json().as_str(),
        r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}},"capabilities":{"tools":{}}}"#
    );
}
