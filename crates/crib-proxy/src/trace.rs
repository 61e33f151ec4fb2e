//! The trace a client is in, as HTTP names it beside a message (W3C Trace Context, W3C Baggage).

use crib_mcp::{Json, Payload, meta};
use crib_model::TraceContext;
use http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Puts what the headers say where every transport carries it, into `_meta` (2026-07-28, "`_meta`", "OpenTelemetry trace
/// context"). What `_meta` says itself comes before the headers.
pub(crate) fn from_headers(params: Payload, headers: &HeaderMap) -> Payload {
    if !headers.contains_key(TRACEPARENT) && !headers.contains_key(BAGGAGE) {
        return params;
    }
    let parent = text(headers, &TRACEPARENT).filter(|text| params.meta(meta::TRACEPARENT).is_none() && TraceContext::parse(text).is_some());
    // The state belongs to the parent it came with.
    let state = parent.as_ref().and_then(|_| text(headers, &TRACESTATE));
    let baggage = text(headers, &BAGGAGE).filter(|_| params.meta(meta::BAGGAGE).is_none());
    let mut all = params.edit_meta();
    for (name, value) in [(meta::TRACEPARENT, parent), (meta::TRACESTATE, state), (meta::BAGGAGE, baggage)] {
        if let Some(value) = value {
            all.set(name, Json::string(&value));
        }
    }
    let mut edit = params.edit();
    if !all.is_unchanged() {
        edit.set("_meta", all.finish());
    }
    edit.to_payload()
}

/// Joins the values of a header that may stand several times.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(params: &'static str, headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let params = Payload::parse(&bytes::Bytes::from_static(params.as_bytes())).unwrap();
        from_headers(params, &map).to_json().as_str().to_owned()
    }

    #[test]
    fn what_headers_say_goes_into_meta() {
        let headers = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2"), ("baggage", "user=x")];
        let all = format!(r#"{{"traceparent":"{PARENT}","tracestate":"a=1,b=2","baggage":"user=x"}}"#);
        assert_eq!(read(r#"{"name":"t"}"#, &headers), format!(r#"{{"_meta":{all},"name":"t"}}"#));
        assert_eq!(read(r#"{"name":"t","_meta":{"k":1}}"#, &headers[3..]), r#"{"name":"t","_meta":{"baggage":"user=x","k":1}}"#);
    }

    #[test]
    fn what_meta_says_comes_first() {
        let params = r#"{"_meta":{"traceparent":"its own","baggage":"too"}}"#;
        assert_eq!(read(params, &[("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "user=x")]), params);
    }

    #[test]
    fn nothing_and_nonsense_change_nothing() {
        assert_eq!(read(r#"{"a": 1}"#, &[]), r#"{"a": 1}"#);
        assert_eq!(read(r#"{"a": 1}"#, &[("traceparent", "nonsense"), ("tracestate", "a=1")]), r#"{"a": 1}"#);
    }
}
