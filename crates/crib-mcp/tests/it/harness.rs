//! What must hold for any input. The fuzz targets in `fuzz/` run these functions too.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use crib_mcp::header::decode_value;
use crib_mcp::ladder::{Era, Refusal, classify_http, classify_line};
use crib_mcp::line::LineDecoder;
use crib_mcp::sse::{SseDecoder, SseEvent, encode_event};
use crib_mcp::{Json, Message, Method, Payload, Pieces, Revision, message, translate};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Accepts what serde_json accepts, but no duplicate keys.
struct Strict;

struct StrictVisitor;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Strict, A::Error> {
        while elements.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<Strict>()?;
            if !seen.insert(name) {
                return Err(serde::de::Error::custom("duplicate key"));
            }
        }
        Ok(Strict)
    }
}

/// Both readers must agree, but for what is known: serde_json's number range and its own limit of depth.
#[track_caller]
pub(crate) fn agree(text: &[u8]) {
    let ours = Json::parse(&Bytes::copy_from_slice(text));
    match serde_json::from_slice::<Strict>(text) {
        Ok(Strict) => assert!(ours.is_ok(), "{:?}: {ours:?}", String::from_utf8_lossy(text)),
        Err(e) if e.to_string().contains("out of range") || e.to_string().contains("recursion limit") => {}
        Err(e) => assert!(ours.is_err(), "{:?}: {e}", String::from_utf8_lossy(text)),
    }
}

/// A message means the same to every reader, and after it was written again.
pub(crate) fn envelope(text: &[u8]) {
    agree(text);
    let text = Bytes::copy_from_slice(text);
    let Ok(found) = Message::parse(&text) else { return };
    let again = match &found {
        Message::Request(request) => message::request(&request.id, request.method.as_str(), &request.params.to_json().into()),
        Message::Notification(notification) => message::notification(notification.method.as_str(), &notification.params.to_json().into()),
        Message::Response(response) => match (&response.id, &response.outcome) {
            (Some(id), Ok(result)) => message::result(id, &result.to_json().into()),
            (id, Err(error)) => message::error(id.as_ref(), error),
            (None, Ok(_)) => panic!("a result without an id"),
        },
    };
    let again = Message::parse(&again.into_bytes()).unwrap();
    match (&found, &again) {
        (Message::Request(a), Message::Request(b)) => {
            assert_eq!((&a.id, &a.method, a.params.to_json()), (&b.id, &b.method, b.params.to_json()));
            dialects(&a.method, &a.params);
        }
        (Message::Notification(a), Message::Notification(b)) => {
            assert_eq!((&a.method, a.params.to_json()), (&b.method, b.params.to_json()));
            for to in Revision::ALL {
                if let Some(event) = translate::event(a, to) {
                    Json::parse(event.params.to_json().bytes()).unwrap();
                }
            }
        }
        (Message::Response(a), Message::Response(b)) => {
            assert_eq!(a.id, b.id);
            if let Ok(result) = &a.outcome {
                dialects(&Method::ToolsCall, result);
            }
        }
        _ => panic!("the kind of message changed"),
    }
}

/// Every translation of any object is acceptable JSON, and between equal revisions nothing changes.
fn dialects(method: &Method, payload: &Payload) {
    let whole = payload.to_json();
    for method in [method, &Method::ToolsCall, &Method::ToolsList, &Method::PromptsGet, &Method::ResourcesRead] {
        for from in Revision::ALL {
            for to in Revision::ALL {
                let out = translate::result(method, payload, from, to, None).into_bytes();
                assert!(from != to || to.is_modern() || out == whole.bytes());
                Json::parse(&out).unwrap();
            }
        }
    }
    for to in Revision::ALL {
        Json::parse(translate::list_item(&Method::ToolsList, &whole, to).bytes()).unwrap();
        Json::parse(translate::initialize_result(payload, to).bytes()).unwrap();
        for method in [Method::ElicitationCreate, Method::SamplingCreate] {
            if let Ok(down) = translate::input_request_down(&method, payload, to) {
                Json::parse(down.to_json().bytes()).unwrap();
            }
            Json::parse(translate::input_response_down(&method, &whole, to).bytes()).unwrap();
        }
    }
    Json::parse(translate::task_up(payload).to_json().bytes()).unwrap();
}

fn events(stream: &[u8], cut: usize, bytes_max: usize) -> (Vec<SseEvent>, bool) {
    let mut decoder = SseDecoder::new(bytes_max);
    let mut out = Vec::new();
    for chunk in stream.chunks(cut.max(1)) {
        let fits = decoder.push(&Bytes::copy_from_slice(chunk)).is_ok();
        out.extend(decoder.by_ref());
        if !fits {
            return (out, false);
        }
    }
    out.extend(decoder.finish());
    (out, true)
}

/// Events do not depend on the cut of the stream, and are the same after they were written again.
pub(crate) fn sse(stream: &[u8]) {
    for bytes_max in [24, 4096] {
        let (whole, fits) = events(stream, stream.len(), bytes_max);
        for cut in [1, 2, 7] {
            assert_eq!(events(stream, cut, bytes_max), (whole.clone(), fits));
        }
        for event in whole {
            let mut out = Pieces::default();
            encode_event(event.event.as_deref(), event.id.as_deref(), event.retry_ms, &event.data.clone().into(), &mut out);
            assert_eq!(events(&out.finish().into_bytes(), 3, 1 << 20), (vec![event], true));
        }
    }
}

/// Lines do not depend on the cut of the stream, are never too long and say something.
pub(crate) fn line(stream: &[u8]) {
    for bytes_max in [0, 8, 4096] {
        let read = |cut: usize| {
            let mut decoder = LineDecoder::new(bytes_max);
            let mut out = Vec::new();
            for chunk in stream.chunks(cut.max(1)) {
                decoder.push(chunk);
                out.extend(decoder.by_ref());
            }
            out.extend(decoder.finish());
            out
        };
        let whole = read(stream.len());
        for cut in [1, 2, 7] {
            assert_eq!(read(cut), whole);
        }
        for line in whole.into_iter().flatten() {
            assert!(line.len() <= bytes_max && !line.contains(&b'\n') && !line.trim_ascii().is_empty());
        }
    }
}

/// A request is let in only if its headers say what its body says. The input is header lines, an empty line, a body.
pub(crate) fn http_body(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let mut headers = HeaderMap::new();
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.get(1..).unwrap_or_default())) {
            headers.append(name, value);
        }
    }
    let Ok(message) = Message::parse(&Bytes::copy_from_slice(body)) else { return };
    let judge = |found: Result<Era, Refusal>| match found {
        Ok(Era::Modern(modern)) => Some(modern),
        Ok(Era::Legacy) => None,
        Err(refusal) => {
            assert!(matches!((refusal.status, refusal.error.code), (400, -32020 | -32022 | -32602 | -32600) | (404, -32601)));
            None
        }
    };
    judge(classify_line(&message));
    let Some(modern) = judge(classify_http(&message, &headers)) else { return };
    let Message::Request(request) = &message else { return };
    assert!(modern.revision.is_modern());
    let says = |name: &str, expected: &str| {
        let mut values = headers.get_all(name).into_iter().peekable();
        assert!(values.peek().is_some() && values.all(|value| decode_value(value.as_bytes()).is_some_and(|text| text == expected)));
    };
    says("mcp-protocol-version", modern.revision.as_str());
    if request.method.as_str().is_ascii() && !request.method.as_str().starts_with("=?") {
        says("mcp-method", request.method.as_str());
    }
    if let (Method::ToolsCall, Some(name)) = (&request.method, request.params.text("name")) {
        says("mcp-name", &name);
    }
}
