//! JSON-RPC messages: read from bytes in one strict pass, written around parts that are passed on as they are.

use bytes::Bytes;

use crate::error::{RpcError, code};
use crate::id::RequestId;
use crate::json::{Chunks, Payload, Pieces, string_at};
use crate::method::Method;
use crate::scan::{self, Kind, Member, Reason, ScanError, Scanned};

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub enum Message {
    Request(Request),
    Notification(Notification),
    Response(Response),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub id: RequestId,
    pub method: Method,
    pub params: Payload,
}

#[derive(Clone, Debug)]
pub struct Notification {
    pub method: Method,
    pub params: Payload,
}

/// An answer. `id` is absent only where the peer could not read the request.
#[derive(Clone, Debug)]
pub struct Response {
    pub id: Option<RequestId>,
    pub outcome: Result<Payload, RpcError>,
}

/// Why bytes are not a message: what to answer, and the id if one could be read.
#[derive(Clone, Debug)]
pub struct Malformed {
    pub id: Option<RequestId>,
    pub error: RpcError,
    /// The text was not acceptable JSON at all.
    pub is_syntax: bool,
}

impl Malformed {
    fn syntax(error: ScanError) -> Self {
        if error.reason == Reason::NotAnObject {
            return Self::shape(None, "a message must be a JSON object");
        }
        Self { id: None, error: RpcError::new(code::PARSE, format!("Parse error: {error}")), is_syntax: true }
    }

    fn shape(id: Option<RequestId>, why: &str) -> Self {
        Self { id, error: RpcError::new(code::INVALID_REQUEST, format!("Invalid Request: {why}")), is_syntax: false }
    }
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// `-32700` for text that is not acceptable JSON, `-32600` for JSON that is not a JSON-RPC 2.0 message.
    pub fn parse(text: &Bytes) -> Result<Self, Malformed> {
        let scanned = scan::message(text).map_err(Malformed::syntax)?;
        let Top { jsonrpc, id, method, params, result, error } = Top::find(text, &scanned);
        let string = |member: &Member| string_at(text, member.value());
        let has_id = id.is_some();
        let id = id.and_then(|id| RequestId::at(text, id));
        let is_2_0 = |member: &Member| member.value().of(text) == b"\"2.0\"" || string(member).as_deref() == Some("2.0");
        if !jsonrpc.is_some_and(is_2_0) {
            return Err(Malformed::shape(id, "`jsonrpc` must be \"2.0\""));
        }
        let kind = |member: Option<&Member>| member.map(|member| member.kind);
        let Some(method) = method else {
            let kinds = [kind(params), kind(result), kind(error)];
            return Self::response(Payload::new(text, scanned.below), id, kinds);
        };
        let Some(method) = string(method) else { return Err(Malformed::shape(id, "`method` must be a string")) };
        if result.is_some() || error.is_some() {
            return Err(Malformed::shape(id, "a request has no `result` or `error`"));
        }
        if !matches!(kind(params), None | Some(Kind::Object)) {
            return Err(Malformed::shape(id, "`params` must be an object"));
        }
        let method = Method::parse(&method);
        let params = Payload::new(text, scanned.below);
        match (has_id, id) {
            (false, _) => Ok(Self::Notification(Notification { method, params })),
            (true, Some(id)) => Ok(Self::Request(Request { id, method, params })),
            (true, None) => Err(Malformed::shape(None, "`id` must be a string or a number")),
        }
    }

    /// `kinds` are those of `params`, `result` and `error`. Some servers write the one that does not apply as null.
    fn response(payload: Payload, id: Option<RequestId>, kinds: [Option<Kind>; 3]) -> Result<Self, Malformed> {
        let outcome = match kinds.map(|kind| kind.filter(|kind| *kind != Kind::Null)) {
            [None, Some(Kind::Object), None] => Ok(payload),
            [None, None, Some(Kind::Object)] => Err(RpcError::from_payload(&payload)),
            _ => return Err(Malformed::shape(id, "a message has `method`, or an object under either `result` or `error`")),
        };
        if id.is_none() && outcome.is_ok() {
            return Err(Malformed::shape(id, "a result must have an `id`"));
        }
        Ok(Self::Response(Response { id, outcome }))
    }
}

/// The members of a message that JSON-RPC knows.
#[derive(Default)]
struct Top<'a> {
    jsonrpc: Option<&'a Member>,
    id: Option<&'a Member>,
    method: Option<&'a Member>,
    params: Option<&'a Member>,
    result: Option<&'a Member>,
    error: Option<&'a Member>,
}

impl<'a> Top<'a> {
    fn find(text: &[u8], scanned: &'a Scanned) -> Self {
        let mut top = Self::default();
        for member in &scanned.top {
            let place = match member.name_bytes(text).as_ref() {
                b"jsonrpc" => &mut top.jsonrpc,
                b"id" => &mut top.id,
                b"method" => &mut top.method,
                b"params" => &mut top.params,
                b"result" => &mut top.result,
                b"error" => &mut top.error,
                _ => continue,
            };
            *place = Some(member);
        }
        top
    }
}

/// Puts the one object that was noted under the message's top together with its text.
/// Tells whether a text is a batch: its first byte that is no space opens an array.
#[must_use]
pub fn is_batch(text: &[u8]) -> bool {
    text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[')
}

/// Splits a batch into the texts of its messages.
///
/// # Errors
/// The text is not an acceptable JSON array.
pub fn split_batch(text: &Bytes) -> Result<Vec<Bytes>, Malformed> {
    let elements = scan::array(text).map_err(Malformed::syntax)?;
    Ok(elements.into_iter().map(|(span, _)| text.slice(span.start..span.end)).collect())
}

/// Writes a request around finished parameters.
#[must_use]
pub fn request(id: &RequestId, method: &str, params: &Chunks) -> Chunks {
    // To the byte, so that the usual message is one allocation.
    let frame = r#"{"jsonrpc":"2.0","id":,"method":"","params":}"#.len();
    let mut out = Pieces::with_capacity(frame + id.as_json().bytes().len() + method.len() + params.len());
    out.text("{\"jsonrpc\":\"2.0\",\"id\":").json(id.as_json());
    out.text(",\"method\":").string(method);
    out.text(",\"params\":").chunks(params).text("}");
    out.finish()
}

/// Writes a notification; empty parameters are left out.
#[must_use]
pub fn notification(method: &str, params: &Chunks) -> Chunks {
    let mut out = Pieces::with_capacity(params.len() + method.len() + 64);
    out.text("{\"jsonrpc\":\"2.0\",\"method\":").string(method);
    if !params.is_empty() {
        out.text(",\"params\":").chunks(params);
    }
    out.text("}");
    out.finish()
}

/// Writes a successful response around a finished result object.
#[must_use]
pub fn result(id: &RequestId, result: &Chunks) -> Chunks {
    let frame = r#"{"jsonrpc":"2.0","id":,"result":}"#.len();
    let mut out = Pieces::with_capacity(frame + id.as_json().bytes().len() + result.len());
    out.text("{\"jsonrpc\":\"2.0\",\"id\":").json(id.as_json());
    out.text(",\"result\":").chunks(result).text("}");
    out.finish()
}

/// Writes an error response; without an id only where the request's could not be read.
///
/// The older revisions want `"id":null` there (JSON-RPC 2.0), 2026-07-28 wants it absent.
#[must_use]
pub fn error(id: Option<&RequestId>, error: &RpcError) -> Chunks {
    let mut out = Pieces::with_capacity(256);
    out.text("{\"jsonrpc\":\"2.0\",");
    if let Some(id) = id {
        out.text("\"id\":").json(id.as_json()).text(",");
    }
    out.text("\"error\":");
    error.write(&mut out);
    out.text("}");
    out.finish()
}
