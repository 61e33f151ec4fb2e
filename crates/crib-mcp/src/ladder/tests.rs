use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Era, Refusal, classify_http, classify_line, is_modern_method};
use crate::error::code;
use crate::message::Message;
use crate::method::Method;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPS: &str = "io.modelcontextprotocol/clientCapabilities";

fn meta(version: &str) -> Value {
    json!({ VERSION: version, CAPS: {} })
}

fn message(method: &str, params: &Value) -> Message {
    Message::parse(&Bytes::from(json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string())).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

/// How a message was judged: its era, or the status and code of the refusal.
fn verdict(found: Result<Era, Refusal>) -> Result<&'static str, (u16, i64)> {
    match found {
        Ok(Era::Modern(_)) => Ok("modern"),
        Ok(Era::Legacy) => Ok("legacy"),
        Err(refusal) => Err((refusal.status, refusal.error.code)),
    }
}

#[track_caller]
fn http(method: &str, params: &Value, sent: &[(&str, &str)], expected: Result<&'static str, (u16, i64)>) {
    let found = classify_http(&message(method, params), &headers(sent));
    if let Err(refusal) = &found {
        assert_eq!(refusal.id.as_ref().map(|id| id.as_json().as_str()), Some("7"));
    }
    assert_eq!(verdict(found), expected, "{method} {params} {sent:?}");
}

const MODERN: [(&str, &str); 2] = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")];
const MISMATCH: Result<&str, (u16, i64)> = Err((400, code::HEADER_MISMATCH));
const INVALID: Result<&str, (u16, i64)> = Err((400, code::INVALID_PARAMS));
const UNSUPPORTED: Result<&str, (u16, i64)> = Err((400, code::UNSUPPORTED_VERSION));
const NOT_FOUND: Result<&str, (u16, i64)> = Err((404, code::METHOD_NOT_FOUND));

#[test]
fn a_claim_with_its_headers_is_modern_and_no_claim_is_legacy() {
    let claim = json!({ "_meta": meta("2026-07-28") });
    http("tools/list", &claim, &MODERN, Ok("modern"));
    http("tools/list", &claim, &[("mcp-protocol-version", " 2026-07-28 "), ("MCP-METHOD", "\ttools/list")], Ok("modern"));
    http("tools/list", &json!({}), &[], Ok("legacy"));
    http("tools/list", &json!({}), &[("mcp-protocol-version", "2025-11-25"), ("mcp-method", "x")], Ok("legacy"));
    http("tools/list", &json!({ "_meta": { "progressToken": 1, "traceparent": "x" } }), &[], Ok("legacy"));
    http("x/unknown", &claim, &[MODERN[0], ("mcp-method", "x/unknown")], Ok("modern"));
}

#[test]
fn initialize_is_legacy_unless_it_claims_to_be_modern() {
    let plain = json!({ "protocolVersion": "2026-07-28", "capabilities": {}, "clientInfo": {} });
    http("initialize", &plain, &[], Ok("legacy"));
    http("initialize", &plain, &[("mcp-protocol-version", "2025-11-25")], Ok("legacy"));
    http("initialize", &plain, &MODERN[..1], INVALID);
    http("initialize", &json!({ "_meta": meta("2026-07-28") }), &[MODERN[0], ("mcp-method", "initialize")], NOT_FOUND);
    http("initialize", &json!({ "_meta": meta("2025-11-25") }), &[("mcp-protocol-version", "2025-11-25")], Ok("legacy"));
}

#[test]
fn a_modern_header_without_an_envelope_lacks_parameters() {
    for params in [json!({}), json!({ "_meta": {} }), json!({ "_meta": { CAPS: {} } }), json!({ "_meta": { VERSION: "2026-07-28" } })] {
        http("tools/list", &params, &MODERN, INVALID);
    }
    http("tools/list", &json!({ "_meta": { VERSION: 1, CAPS: {} } }), &MODERN, INVALID);
    http("tools/list", &json!({ "_meta": { VERSION: "2026-07-28", CAPS: [] } }), &MODERN, INVALID);
    for (key, value) in [
        ("io.modelcontextprotocol/clientInfo", json!("x")),
        ("io.modelcontextprotocol/logLevel", json!("loud")),
        ("progressToken", json!(true)),
    ] {
        http("tools/list", &json!({ "_meta": { VERSION: "2026-07-28", CAPS: {}, key: value } }), &MODERN, INVALID);
    }
    let refusal = classify_http(&message("tools/list", &json!({})), &headers(&MODERN)).unwrap_err();
    assert_eq!(refusal.error.data.unwrap().as_str(), format!(r#"{{"missing":["{VERSION}","{CAPS}"]}}"#));
}

#[test]
fn headers_that_contradict_the_body_are_refused() {
    let claim = json!({ "_meta": meta("2026-07-28") });
    http("tools/list", &claim, &[("mcp-protocol-version", "2025-11-25"), MODERN[1]], MISMATCH);
    http("tools/list", &claim, &[MODERN[0], ("mcp-protocol-version", "2025-11-25"), MODERN[1]], MISMATCH);
    http("tools/list", &claim, &[MODERN[0], ("mcp-method", "TOOLS/LIST")], MISMATCH);
    http("tools/list", &claim, &[MODERN[0], ("mcp-method", "prompts/list")], MISMATCH);
    http("tools/list", &claim, &MODERN[..1], MISMATCH);
    http("tools/list", &claim, &MODERN[1..], MISMATCH);
    http("tools/list", &claim, &[], MISMATCH);
}

#[test]
fn versions_that_are_not_served_are_refused_with_those_that_are() {
    for version in ["v999.0.0", "2025-11-25", "2024-11-05", ""] {
        let claim = json!({ "_meta": meta(version) });
        http("server/discover", &claim, &[("mcp-protocol-version", version), ("mcp-method", "server/discover")], UNSUPPORTED);
        http("server/discover", &claim, &[("mcp-protocol-version", version)], UNSUPPORTED);
    }
    let refusal = classify_line(&message("server/discover", &json!({ "_meta": meta("1900-01-01") }))).unwrap_err();
    assert_eq!(refusal.error.data.unwrap().as_str(), r#"{"requested":"1900-01-01","supported":["2026-07-28"]}"#);
}

#[test]
fn the_name_header_must_be_the_target() {
    let call = |name: Value| json!({ "name": name, "_meta": meta("2026-07-28") });
    let sent = |name| [MODERN[0], ("mcp-method", "tools/call"), ("mcp-name", name)];
    http("tools/call", &call(json!("search")), &sent("  search "), Ok("modern"));
    http("tools/call", &call(json!("searché")), &sent("=?base64?c2VhcmNow6k=?="), Ok("modern"));
    http("tools/call", &call(json!("search")), &sent("Search"), MISMATCH);
    http("tools/call", &call(json!("search")), &sent("=?base64?c2Vhcm?="), MISMATCH);
    http("tools/call", &call(json!("search")), &sent("search")[..2], MISMATCH);
    http("tools/call", &call(json!(null)), &sent("search"), MISMATCH);
    http("tools/call", &call(json!(null)), &sent("search")[..2], Ok("modern"));
    let task = json!({ "taskId": "t1", "_meta": meta("2026-07-28") });
    http("tasks/get", &task, &[MODERN[0], ("mcp-method", "tasks/get"), ("mcp-name", "t2")], MISMATCH);
    http("tasks/get", &task, &[MODERN[0], ("mcp-method", "tasks/get")], Ok("modern"));
    let uri = json!({ "uri": "file:///a", "_meta": meta("2026-07-28") });
    http("resources/read", &uri, &[MODERN[0], ("mcp-method", "resources/read"), ("mcp-name", "file:///a")], Ok("modern"));
}

#[test]
fn removed_methods_are_not_found() {
    let claim = json!({ "_meta": meta("2026-07-28") });
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
        "notifications/initialized",
        "sampling/createMessage",
        "roots/list",
        "elicitation/create",
    ] {
        http(method, &claim, &[MODERN[0], ("mcp-method", method)], NOT_FOUND);
        assert_eq!(verdict(classify_line(&message(method, &claim))), NOT_FOUND);
        assert!(!is_modern_method(&Method::parse(method)));
    }
}

#[test]
fn notifications_and_responses_follow_the_header() {
    let parse = |value: Value| Message::parse(&Bytes::from(value.to_string())).unwrap();
    let notify = |method: &str| parse(json!({ "jsonrpc": "2.0", "method": method }));
    let modern = headers(&MODERN[..1]);
    assert_eq!(verdict(classify_http(&notify("notifications/initialized"), &HeaderMap::new())), Ok("legacy"));
    assert_eq!(verdict(classify_http(&notify("notifications/initialized"), &modern)), NOT_FOUND);
    assert_eq!(verdict(classify_http(&notify("notifications/cancelled"), &modern)), Ok("modern"));
    let claiming = parse(json!({ "jsonrpc": "2.0", "method": "notifications/x", "params": { "_meta": { VERSION: "2026-07-28" } } }));
    assert_eq!(verdict(classify_http(&claiming, &headers(&[("mcp-protocol-version", "2025-11-25")]))), MISMATCH);
    let response = parse(json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    assert_eq!(verdict(classify_http(&response, &HeaderMap::new())), Ok("legacy"));
    assert_eq!(verdict(classify_http(&response, &modern)), Err((400, code::INVALID_REQUEST)));
    assert_eq!(verdict(classify_line(&response)), Ok("legacy"));
}

#[test]
fn lines_need_an_envelope_but_no_headers() {
    assert_eq!(verdict(classify_line(&message("tools/list", &json!({ "_meta": meta("2026-07-28") })))), Ok("modern"));
    assert_eq!(verdict(classify_line(&message("tools/list", &json!({ "_meta": { VERSION: "2026-07-28" } })))), INVALID);
    assert_eq!(verdict(classify_line(&message("initialize", &json!({ "protocolVersion": "2026-07-28" })))), Ok("legacy"));
}

#[test]
fn the_envelope_is_kept_to_the_byte() {
    let text = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{ "a" : 1e3 },"progressToken": 9007199254740993,"io.modelcontextprotocol/logLevel":"info"}}}"#;
    let message = Message::parse(&Bytes::from(text)).unwrap();
    let Era::Modern(modern) = classify_line(&message).unwrap() else { panic!("not modern") };
    assert_eq!(modern.caps.as_str(), r#"{ "a" : 1e3 }"#);
    assert_eq!(modern.progress_token.unwrap().as_str(), "9007199254740993");
    assert_eq!(modern.log_level.unwrap().as_str(), r#""info""#);
    assert!(modern.info.is_none());
}
