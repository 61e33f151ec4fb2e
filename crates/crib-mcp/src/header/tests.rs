use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{ParamHeaders, decode_value, encode_value};
use crate::error::code;
use crate::json::Json;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

fn read(property: &Value) -> Result<Option<ParamHeaders>, String> {
    ParamHeaders::from_schema(&Json::of(&json!({ "type": "object", "properties": { "a": property } })))
}

#[test]
fn values_are_encoded_as_the_specification_shows() {
    for (text, encoded) in [
        ("us-west1", "us-west1"),
        ("", ""),
        ("a b\tc", "a b\tc"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("\tx", "=?base64?CXg=?="),
        ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
    ] {
        assert_eq!(encode_value(text), encoded);
        assert_eq!(decode_value(encoded.as_bytes()).as_deref(), Some(text));
    }
}

#[test]
fn values_are_decoded_strictly() {
    for (value, text) in [
        ("  a \t", Some("a")),
        ("=?base64?SGVsbG8=?=", Some("Hello")),
        ("=?base64?SGVsbG8?=", None),
        ("=?base64?SGVs!!!bG8=?=", None),
        ("=?base64?/w==?=", None),
        ("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?=")),
        ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
        ("SGVsbG8=", Some("SGVsbG8=")),
        ("é", None),
        ("a\u{7f}", None),
    ] {
        assert_eq!(decode_value(value.as_bytes()).as_deref(), text, "{value}");
    }
}

#[test]
fn annotations_outside_the_rules_are_refused() {
    for kind in ["string", "integer", "boolean"] {
        assert!(read(&json!({ "type": kind, "x-mcp-header": "Region" })).unwrap().is_some());
    }
    assert!(read(&json!({ "type": ["string", "null"], "x-mcp-header": "Region" })).unwrap().is_some());
    for kind in [json!("number"), json!("object"), json!("array"), json!("null"), json!(["null"]), json!(["string", "number"]), json!(1)] {
        assert!(read(&json!({ "type": kind, "x-mcp-header": "Region" })).is_err(), "{kind}");
    }
    assert!(read(&json!({ "enum": ["a"], "x-mcp-header": "Region" })).is_err());
    for name in [json!(""), json!("a b"), json!("a:b"), json!("é"), json!("a\n"), json!(1), json!(null)] {
        assert!(read(&json!({ "type": "string", "x-mcp-header": name })).is_err(), "{name}");
    }
}

#[test]
fn annotations_are_found_only_along_properties() {
    let annotated = json!({ "type": "string", "x-mcp-header": "Region" });
    assert_eq!(read(&json!({ "type": "object", "properties": { "b": annotated } })).unwrap().unwrap().entries[0].path, ["a", "b"]);
    for around in ["items", "not", "if", "then", "else", "additionalProperties", "contains", "x-vendor"] {
        assert!(read(&json!({ "type": "object", around: annotated })).is_err(), "{around}");
    }
    for around in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        assert!(read(&json!({ around: [annotated] })).is_err(), "{around}");
    }
    for around in ["$defs", "patternProperties", "dependentSchemas"] {
        assert!(read(&json!({ around: { "b": annotated } })).is_err(), "{around}");
    }
    let in_defs = json!({ "type": "object", "$defs": { "a": { "type": "object", "properties": { "b": annotated } } } });
    assert!(ParamHeaders::from_schema(&Json::of(&in_defs)).is_err());
    assert!(ParamHeaders::from_schema(&Json::of(&annotated)).is_err());
    for data in ["default", "const", "examples"] {
        assert_eq!(read(&json!({ "type": "object", data: annotated })).unwrap(), None);
    }
    let named = json!({ "type": "object", "properties": { "x-mcp-header": { "type": "string" } } });
    assert_eq!(ParamHeaders::from_schema(&Json::of(&named)).unwrap(), None);
}

#[test]
fn annotations_are_unique_without_regard_to_case() {
    let schema = |second: &str| {
        let properties = json!({ "a": { "type": "string", "x-mcp-header": "Region" }, "b": { "type": "string", "x-mcp-header": second } });
        ParamHeaders::from_schema(&Json::of(&json!({ "type": "object", "properties": properties })))
    };
    assert_eq!(schema("Zone").unwrap().unwrap().entries.len(), 2);
    assert!(schema("Region").is_err());
    assert!(schema("REGION").is_err());
}

#[test]
fn an_escaped_annotation_is_an_annotation() {
    let schema = bytes::Bytes::from_static(br#"{"type":"object","properties":{"a":{"type":"string","x\u002dmcp-header":"Region"}}}"#);
    assert!(ParamHeaders::from_schema(&Json::parse(&schema).unwrap()).unwrap().is_some());
}

fn mirrored() -> ParamHeaders {
    let properties = json!({
        "region": { "type": "string", "x-mcp-header": "Region" },
        "deep": { "type": "object", "properties": { "count": { "type": "integer", "x-mcp-header": "Count" } } },
        "dry": { "type": "boolean", "x-mcp-header": "Dry" },
    });
    ParamHeaders::from_schema(&Json::of(&json!({ "type": "object", "properties": properties }))).unwrap().unwrap()
}

fn json(text: &str) -> Json {
    Json::parse(&bytes::Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn arguments_are_mirrored_and_null_is_left_out() {
    let values = |text: &str| {
        let mut values = mirrored().values(Some(&json(text)));
        values.sort();
        values
    };
    let pair = |name: &str, value: &str| (format!("Mcp-Param-{name}"), value.to_owned());
    assert_eq!(
        values(r#"{"region":" é","deep":{"count":1e3},"dry":true}"#),
        [pair("Count", "1000"), pair("Dry", "true"), pair("Region", "=?base64?IMOp?=")]
    );
    assert_eq!(values(r#"{"region":null,"deep":{"count":-7.0}}"#), [pair("Count", "-7")]);
    assert_eq!(values(r#"{"region":["a"],"deep":3}"#), []);
    assert_eq!(values(r#"{"deep":{"count":123456789012345678901234567890}}"#), [pair("Count", "123456789012345678901234567890")]);
    assert_eq!(mirrored().values(None), []);
}

#[test]
fn headers_must_say_what_the_arguments_say() {
    let check = |sent: &[(&str, &str)], arguments: &str| mirrored().check(&headers(sent), Some(&json(arguments))).map_err(|e| e.code);
    let mismatch = Err(code::HEADER_MISMATCH);
    assert_eq!(check(&[("mcp-param-REGION", " eu ")], r#"{"region":"eu"}"#), Ok(()));
    assert_eq!(check(&[("mcp-param-region", "=?base64?ZXU=?=")], r#"{"region":"eu"}"#), Ok(()));
    assert_eq!(check(&[("mcp-param-region", "=?base64?ZXU?=")], r#"{"region":"eu"}"#), mismatch);
    assert_eq!(check(&[("mcp-param-region", "EU")], r#"{"region":"eu"}"#), mismatch);
    assert_eq!(check(&[], r#"{"region":"eu"}"#), mismatch);
    assert_eq!(check(&[], r#"{"region":null}"#), Ok(()));
    assert_eq!(check(&[("mcp-param-region", "eu")], r"{}"), mismatch);
    assert_eq!(check(&[("mcp-param-region", "eu"), ("mcp-param-region", "us")], r#"{"region":"eu"}"#), mismatch);
    assert_eq!(check(&[("mcp-param-region", "eu"), ("mcp-param-region", "eu")], r#"{"region":"eu"}"#), Ok(()));
    for same in ["42", "42.0", "4.2e1", "420E-1", "=?base64?NDI=?="] {
        assert_eq!(check(&[("mcp-param-count", same)], r#"{"deep":{"count":42.0}}"#), Ok(()), "{same}");
    }
    for other in ["42.5", "0x2a", "", "+42", "forty-two"] {
        assert_eq!(check(&[("mcp-param-count", other)], r#"{"deep":{"count":42}}"#), mismatch, "{other}");
    }
    assert_eq!(check(&[("mcp-param-count", "9007199254740993")], r#"{"deep":{"count":9007199254740992}}"#), mismatch);
    assert_eq!(check(&[("mcp-param-region", "42.0")], r#"{"region":"42"}"#), mismatch);
    assert_eq!(check(&[("mcp-param-unknown", "x")], r"{}"), Ok(()));
}
