//! What the front itself answers: requests that never become an inbound act.

use std::collections::BTreeMap;

use crib_mcp::{Json, RpcError, code, message};
use crib_model::Code;
use http::{HeaderValue, Response, StatusCode, header};

use super::outgoing::Outgoing;
use crate::whole::Whole;

/// The methods an MCP endpoint knows.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE, OPTIONS");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers with a JSON-RPC error that belongs to no request.
pub(crate) fn refusal(status: StatusCode, code: Option<Code>, text: String) -> Response<Outgoing> {
    let mut error = RpcError::new(code::INVALID_REQUEST, text);
    if let Some(code) = code {
        let data = [("code", code.as_str()), ("side", code.side().as_str()), ("retry", code.retry().as_str())];
        error = error.with_data(Json::of(&BTreeMap::from(data)));
    }
    let body = Whole::from(message::error(None, &error));
    let mut response = Response::new(Outgoing::Whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

pub(crate) fn method_not_allowed(text: &str) -> Response<Outgoing> {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, None, text.to_owned());
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

/// Closes the connection after the response: the rest of the request was not read.
pub(crate) fn closing(mut response: Response<Outgoing>) -> Response<Outgoing> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
