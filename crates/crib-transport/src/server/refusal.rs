//! What the front itself answers: requests that never become an inbound act.

use std::collections::BTreeMap;

use crib_mcp::{Chunks, Json, RpcError, code, message};
use crib_model::Code;
use http::{HeaderValue, Response, StatusCode, header};

use super::outgoing::Outgoing;
use crate::whole::Whole;

/// The methods an MCP endpoint knows.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE, OPTIONS");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a path speaks, and its refusals with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// JSON-RPC: the error belongs to no request.
    Rpc,
    /// Plain HTTP: an object `error`.
    Plain,
}

/// Answers what cannot be served.
pub(crate) fn refusal(speech: Speech, status: StatusCode, code: Option<Code>, text: String) -> Response<Outgoing> {
    let side = code.map(|code| [("side", code.side().as_str()), ("retry", code.retry().as_str())]);
    let body = match speech {
        Speech::Rpc => {
            let mut error = RpcError::new(code::INVALID_REQUEST, text);
            if let Some(code) = code {
                let data = side.into_iter().flatten().chain([("code", code.as_str())]);
                error = error.with_data(Json::of(&data.collect::<BTreeMap<_, _>>()));
            }
            Whole::from(message::error(None, &error))
        }
        Speech::Plain => {
            let code = code.map_or("bad_request", Code::as_str);
            let error = side.into_iter().flatten().chain([("code", code), ("message", text.as_str())]);
            let body = BTreeMap::from([("error", error.collect::<BTreeMap<_, _>>())]);
            Whole::from(Chunks::from(Json::of(&body)))
        }
    };
    let mut response = Response::new(Outgoing::Whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

pub(crate) fn method_not_allowed(text: &str) -> Response<Outgoing> {
    let mut response = refusal(Speech::Rpc, StatusCode::METHOD_NOT_ALLOWED, None, text.to_owned());
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

/// Closes the connection after the response: the rest of the request was not read.
pub(crate) fn closing(mut response: Response<Outgoing>) -> Response<Outgoing> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
