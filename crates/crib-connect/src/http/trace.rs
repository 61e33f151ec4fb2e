//! The trace of a call as HTTP headers beside the message, which carries it in `_meta` (W3C Trace Context).

use crib_mcp::{Json, meta};
use crib_model::Forward;
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static(meta::TRACEPARENT);
const TRACESTATE: HeaderName = HeaderName::from_static(meta::TRACESTATE);
const BAGGAGE: HeaderName = HeaderName::from_static(meta::BAGGAGE);

/// Adds the headers for the trace a call is in: the gateway's own span, or what the client named.
pub(crate) fn put(headers: &mut HeaderMap, forward: &Forward) {
    if let Some(trace) = forward.trace
        && let Ok(value) = HeaderValue::from_str(&trace.to_traceparent())
    {
        headers.insert(TRACEPARENT, value);
    }
    if forward.params.meta.is_none() {
        return;
    }
    for name in [TRACEPARENT, TRACESTATE, BAGGAGE] {
        let said = forward.params.meta(name.as_str());
        let value = said.as_ref().and_then(Json::as_text).and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(value) = value
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
}

/// Returns these headers alone, where there are any.
pub(crate) fn of(forward: &Forward) -> Option<Box<HeaderMap>> {
    if forward.trace.is_none() && forward.params.meta.is_none() {
        return None;
    }
    let mut headers = HeaderMap::new();
    put(&mut headers, forward);
    (!headers.is_empty()).then(|| Box::new(headers))
}
