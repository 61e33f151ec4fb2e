//! The strict reader against serde_json, and edits against edits of a tree.

use std::collections::BTreeMap;

use bytes::Bytes;
use crib_mcp::{DEPTH_MAX, Json, Message, Method, Payload, Reason, RequestId, message};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::arbitrary;
use crate::harness::agree;

#[derive(Clone, Debug)]
enum Step {
    Set(String, Value),
    SetMissing(String, Value),
    Remove(String),
}

fn steps() -> impl Strategy<Value = Vec<(prop::sample::Index, Step)>> {
    let name = || prop_oneof!["[a-z]{1,3}", arbitrary::text()];
    let step = prop_oneof![
        (name(), arbitrary::value()).prop_map(|(name, value)| Step::Set(name, value)),
        (name(), arbitrary::value()).prop_map(|(name, value)| Step::SetMissing(name, value)),
        name().prop_map(Step::Remove),
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), step), 0..6)
}

/// Half of the steps name a member that is there.
fn aim(name: &str, index: prop::sample::Index, object: &Map<String, Value>) -> String {
    if object.is_empty() || name.len().is_multiple_of(2) {
        name.to_owned()
    } else {
        object.keys().nth(index.index(object.len())).unwrap().clone()
    }
}

fn written_object() -> impl Strategy<Value = (Map<String, Value>, String)> {
    arbitrary::object().prop_flat_map(|object| (Just(object.clone()), arbitrary::written(Value::Object(object))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_json_is_accepted_as_serde_json_accepts_it(text in arbitrary::value().prop_flat_map(arbitrary::written)) {
        serde_json::from_str::<Value>(&text).unwrap();
        agree(text.as_bytes());
    }

    #[test]
    fn damaged_json_is_judged_as_serde_json_judges_it(
        text in arbitrary::value().prop_flat_map(arbitrary::written),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut text = text.into_bytes();
        for (index, byte, how) in damage {
            let at = index.index(text.len() + 1);
            let byte = if how.is_multiple_of(2) { byte } else { b"{}[]\",:\\u0eE+-. \n"[usize::from(byte) % 17] };
            match how {
                0 | 1 => text.insert(at, byte),
                _ if text.is_empty() => {}
                2 => { text.remove(at.min(text.len() - 1)); }
                _ => { let at = at.min(text.len() - 1); text[at] = byte; }
            }
        }
        agree(&text);
    }

    #[test]
    fn members_are_found_where_serde_json_finds_them((object, text) in written_object()) {
        let payload = Payload::parse(&Bytes::from(text.clone())).unwrap();
        let raw: BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(raw.len(), payload.object.members().count());
        for (name, value) in payload.object.members() {
            prop_assert_eq!(raw[name.as_ref()].get(), value.as_str());
            prop_assert_eq!(payload.object.raw(&name), Some(value.bytes().as_ref()));
            let expected = object[name.as_ref()].as_str();
            let found = value.as_text();
            prop_assert_eq!(found.as_deref(), expected);
        }
        if let Some(Value::Object(meta)) = object.get("_meta") {
            for (name, value) in meta {
                let found: Value = payload.meta(name).unwrap().read().unwrap();
                prop_assert_eq!(&found, value);
            }
        }
    }

    #[test]
    fn edits_give_what_edits_of_a_tree_give((object, text) in written_object(), steps in steps()) {
        let payload = Payload::parse(&Bytes::from(text)).unwrap();
        let mut edit = payload.edit();
        let mut tree = object.clone();
        for (index, step) in steps {
            match step {
                Step::Set(name, value) => {
                    let name = aim(&name, index, &object);
                    edit.set(name.clone(), Json::of(&value));
                    tree.insert(name, value);
                }
                Step::SetMissing(name, value) if !object.contains_key(&name) => {
                    let name: &'static str = name.leak();
                    edit.set_missing(name, Json::of(&value));
                    tree.entry(name).or_insert(value);
                }
                Step::SetMissing(..) => {}
                Step::Remove(name) => {
                    let name = aim(&name, index, &object);
                    edit.remove(&name);
                    tree.remove(&name);
                }
            }
        }
        prop_assert_eq!(edit.leaves_nothing(), tree.is_empty());
        let out = edit.finish().into_bytes();
        let found: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(found, Value::Object(tree));
        Json::parse(&out).unwrap();
    }

    #[test]
    fn messages_survive_a_round_trip(
        id in prop_oneof![any::<i64>().prop_map(Value::from), arbitrary::text().prop_map(Value::from)],
        method in prop_oneof!["[a-z]{1,8}/[a-z]{1,8}", arbitrary::text(), Just("tools/call".to_owned())],
        params in arbitrary::object(),
    ) {
        let sent = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let Message::Request(request) = Message::parse(&Bytes::from(sent.to_string())).unwrap() else { panic!("{sent}") };
        prop_assert_eq!(request.method.as_str(), &method);
        prop_assert_eq!(request.id.as_json().as_str(), id.to_string());
        let out = message::request(&request.id, request.method.as_str(), &request.params.to_json().into());
        prop_assert_eq!(serde_json::from_slice::<Value>(&out.into_bytes()).unwrap(), sent);

        let out = message::result(&request.id, &request.params.to_json().into()).into_bytes();
        let Message::Response(response) = Message::parse(&out).unwrap() else { panic!("{out:?}") };
        prop_assert_eq!(response.id, Some(request.id));
        let result: Value = response.outcome.unwrap().to_json().read().unwrap();
        prop_assert_eq!(result, Value::Object(params));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        agree(&text);
        drop(Message::parse(&Bytes::from(text)));
    }
}

#[test]
fn long_strings_are_judged_to_the_last_byte() {
    for len in (0..100).chain([1000, 4095, 4096, 4097]) {
        for bad in
            [&b"\x01"[..], b"\"", b"\\", b"\\u12", b"\xff", b"\xe2\x82", b"\x7f", "é".as_bytes(), b"\\n", b"\\ud83d\\ude00", b"\\ud83d"]
        {
            for behind in [0, 1, 7, 8, 31, 40] {
                let text = [b"\"".as_slice(), &vec![b'a'; len], bad, &vec![b'b'; behind], b"\""].concat();
                agree(&text);
            }
        }
    }
}

#[test]
fn every_byte_is_judged_in_the_middle_of_a_long_run() {
    for around in [b' ', b'!', b'#', b'~'] {
        for byte in 0..=u8::MAX {
            for at in [0, 63, 64, 127, 128, 200, 271, 299] {
                let mut text = vec![around; 302];
                text[0] = b'"';
                text[301] = b'"';
                text[1 + at] = byte;
                agree(&text);
            }
        }
    }
}

#[test]
fn depth_is_limited_alike_in_every_place() {
    let nest = |depth: u32| "[".repeat(depth as usize) + &"]".repeat(depth as usize);
    let reason = |text: String| Json::parse(&Bytes::from(text)).err().map(|e| e.reason);
    assert_eq!(reason(format!("{{\"a\":{}}}", nest(DEPTH_MAX - 1))), None);
    assert_eq!(reason(format!("{{\"a\":{}}}", nest(DEPTH_MAX))), Some(Reason::TooDeep));
    let params = |depth| Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{"_meta":{{"a":{}}}}}}}"#, nest(depth)));
    assert!(Message::parse(&params(DEPTH_MAX - 3)).is_ok());
    assert!(Message::parse(&params(DEPTH_MAX - 2)).unwrap_err().is_syntax);
}

#[test]
fn methods_are_known_by_their_text() {
    for text in ["tools/call", "notifications/tasks", "initialize", "server/discover"] {
        assert_eq!(Method::parse(text).as_str(), text);
        assert!(!matches!(Method::parse(text), Method::Other(_)));
    }
    assert_eq!(Method::parse("Tools/Call"), Method::Other("Tools/Call".into()));
    assert_eq!(RequestId::number(7).as_u64(), Some(7));
}
