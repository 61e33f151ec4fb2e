use bytes::Bytes;

use crate::{Json, Message, Payload, Pieces, Reason, RpcError, message};

fn reason(text: &str) -> Option<Reason> {
    Json::parse(&Bytes::copy_from_slice(text.as_bytes())).err().map(|e| e.reason)
}

#[test]
fn duplicate_keys_are_refused_at_any_depth_and_through_escapes() {
    assert_eq!(reason(r#"{"a":1,"a":2}"#), Some(Reason::DuplicateKey));
    assert_eq!(reason(r#"[{"x":[{"a":1,"b":2,"a":3}]}]"#), Some(Reason::DuplicateKey));
    assert_eq!(reason(r#"{"a":1,"\u0061":2}"#), Some(Reason::DuplicateKey));
    let many: Vec<String> = (0..40).map(|i| format!("\"k{i}\":{i}")).collect();
    assert_eq!(reason(&format!("{{{}}}", many.join(","))), None);
    assert_eq!(reason(&format!("{{{},\"k7\":0}}", many.join(","))), Some(Reason::DuplicateKey));
    assert_eq!(reason(r#"{"a":{"b":1},"b":{"a":1}}"#), None);
}

#[test]
fn depth_bom_trailing_and_surrogates_are_refused() {
    assert_eq!(reason(&format!("{}{}", "[".repeat(128), "]".repeat(128))), None);
    assert_eq!(reason(&format!("{}{}", "[".repeat(129), "]".repeat(129))), Some(Reason::TooDeep));
    assert_eq!(reason("\u{feff}{}"), Some(Reason::ByteOrderMark));
    assert_eq!(reason("{} {}"), Some(Reason::Trailing));
    assert_eq!(reason(r#""\ud800""#), Some(Reason::Escape));
    assert_eq!(reason(r#""\ud83d\ude00""#), None);
    assert_eq!(reason("01"), Some(Reason::Trailing));
    assert_eq!(reason("-"), Some(Reason::Number));
    assert_eq!(reason("\"a\u{1}\""), Some(Reason::Control));
    assert_eq!(Json::parse(&Bytes::from_static(b"\"\xff\"")).err().map(|e| e.reason), Some(Reason::Utf8));
}

#[test]
fn an_edit_changes_only_what_it_names() {
    let payload = Payload::parse(&Bytes::from_static(br#"{ "name": "x__a",  "arguments":{"n":1e3}, "_meta":{"a":1,"b":2} }"#)).unwrap();
    let mut meta = payload.edit_meta();
    meta.remove("a").set("c", Json::from_static("3"));
    let mut edit = payload.edit();
    edit.set("name", Json::of("a")).set("_meta", meta.finish());
    let text = edit.finish().into_bytes();
    assert_eq!(text, br#"{"name": "a","arguments":{"n":1e3},"_meta":{"c":3,"b":2}}"#.as_slice());
    assert!(payload.edit_meta().remove("a").remove("b").leaves_nothing());
}

#[test]
fn ids_keep_their_text() {
    for id in ["1", "\"1\"", "9007199254740993", "18446744073709551615", "\"\\u00e9\"", "1.5"] {
        let text = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        let Message::Request(request) = Message::parse(&text).unwrap() else { panic!("not a request") };
        assert_eq!(request.id.as_json().as_str(), id);
        let out = message::result(&request.id, &Json::from_static("{}").into()).into_bytes();
        assert_eq!(out, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).as_bytes());
    }
}

#[test]
fn a_message_is_exactly_one_kind() {
    let parse = |text: &'static str| Message::parse(&Bytes::from_static(text.as_bytes()));
    let code = |text| parse(text).unwrap_err().error.code;
    assert!(matches!(parse(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#), Ok(Message::Response(r)) if r.outcome.is_ok()));
    assert!(
        matches!(parse(r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":""}}"#), Ok(Message::Response(r)) if r.outcome.is_err())
    );
    assert!(matches!(parse(r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#), Ok(Message::Response(r)) if r.id.is_none()));
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{"a":1},"result":{"b":2}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":null}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
        r#"{"id":1,"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        "[]",
        "1",
    ] {
        assert_eq!(code(text), crate::code::INVALID_REQUEST, "{text}");
    }
    assert_eq!(code("{"), crate::code::PARSE);
    assert_eq!(parse(r#"{"jsonrpc":"2.0","id":"7","method":1}"#).unwrap_err().id.unwrap().as_json().as_str(), r#""7""#);
}

#[test]
fn a_batch_is_cut_into_its_messages() {
    let text = Bytes::from_static(b" [ {\"a\":1} , 2,[] ] ");
    assert!(message::is_batch(&text));
    assert_eq!(message::split_batch(&text).unwrap(), [&b"{\"a\":1}"[..], b"2", b"[]"]);
    assert!(message::split_batch(&Bytes::from_static(b"[1,]")).is_err());
    assert!(!message::is_batch(b"{}"));
}

#[test]
fn a_relayed_error_keeps_what_nobody_knows() {
    let read = |text: &'static str| {
        let Ok(Message::Response(response)) = Message::parse(&Bytes::from_static(text.as_bytes())) else { panic!("{text}") };
        response.outcome.unwrap_err()
    };
    let written = |error: &RpcError| {
        let mut out = Pieces::default();
        error.write(&mut out);
        String::from_utf8(out.finish().into_bytes().to_vec()).unwrap()
    };
    let error = read(r#"{"jsonrpc":"2.0","id":1,"error":{ "code":-32002,"x":1e3,"message":"\u006eo","data":{"uri":"a:b"} }}"#);
    assert_eq!((error.code, error.message.as_ref()), (-32002, "no"));
    assert_eq!(written(&error), r#"{ "code":-32002,"x":1e3,"message":"\u006eo","data":{"uri":"a:b"} }"#);
    assert_eq!(written(&error.clone().with_code(-32602)), r#"{"code":-32602,"x":1e3,"message":"\u006eo","data":{"uri":"a:b"}}"#);
    assert_eq!(written(&error.with_data(Json::from_static("[]"))), r#"{"code":-32002,"x":1e3,"message":"\u006eo","data":[]}"#);
    let broken = read(r#"{"jsonrpc":"2.0","id":1,"error":{"code":"E1"}}"#);
    assert_eq!(written(&broken), r#"{"code":-32603,"message":"the server sent a malformed error","data":{"code":"E1"}}"#);
}
