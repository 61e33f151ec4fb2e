//! JSON-RPC errors and the codes of the protocol.

use std::borrow::Cow;

use crate::json::{Json, Payload, Pieces};

/// Error codes of JSON-RPC 2.0 and of the protocol's revisions.
pub mod code {
    pub const PARSE: i64 = -32700;
    pub const INVALID_REQUEST: i64 = -32600;
    pub const METHOD_NOT_FOUND: i64 = -32601;
    pub const INVALID_PARAMS: i64 = -32602;
    pub const INTERNAL: i64 = -32603;
    /// 2025-11-25 and earlier; never sent to a modern client.
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// 2025-11-25 only; never sent to a modern client.
    pub const URL_ELICITATION_REQUIRED: i64 = -32042;
    pub const HEADER_MISMATCH: i64 = -32020;
    pub const MISSING_CAPABILITY: i64 = -32021;
    pub const UNSUPPORTED_VERSION: i64 = -32022;
    /// A legacy client's refusal of a sampling request.
    pub const USER_REJECTED: i64 = -1;
}

/// A JSON-RPC error object. What a peer sent is written as it came, but for what [`RpcError::with_code`] and
/// [`RpcError::with_data`] change.
#[derive(Clone, Debug)]
pub struct RpcError {
    pub code: i64,
    pub message: Cow<'static, str>,
    pub data: Option<Json>,
    /// Boxed to keep errors small: only relayed ones have it.
    raw: Option<Box<Json>>,
}

impl RpcError {
    #[must_use]
    pub fn new(code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None, raw: None }
    }

    /// Gives the error other data; members that nobody knows stay.
    #[must_use]
    pub fn with_data(mut self, data: Json) -> Self {
        self.splice("data", data.clone());
        self.data = Some(data);
        self
    }

    /// Gives the error another code; everything else stays.
    #[must_use]
    pub fn with_code(mut self, code: i64) -> Self {
        self.splice("code", Json::of(&code));
        self.code = code;
        self
    }

    fn splice(&mut self, name: &str, value: Json) {
        let Some(raw) = self.raw.take() else { return };
        self.raw = raw.to_object().ok().map(|raw| Box::new(Json::trusted(raw.edit().set(name, value).finish().into_bytes())));
    }

    /// Reads the `error` object of a response; a malformed one becomes an internal error that quotes it.
    #[must_use]
    pub fn from_payload(error: &Payload) -> Self {
        let code = error.object.raw("code").and_then(|raw| std::str::from_utf8(raw).ok()?.parse().ok());
        let (Some(code), Some(message)) = (code, error.text("message")) else {
            return Self::new(code::INTERNAL, "the server sent a malformed error").with_data(error.to_json());
        };
        let message = Cow::Owned(message.into_owned());
        Self { code, message, data: error.get("data"), raw: Some(Box::new(error.to_json())) }
    }

    /// Writes the error object.
    pub fn write(&self, out: &mut Pieces) {
        if let Some(raw) = &self.raw {
            out.json(raw);
            return;
        }
        out.text("{\"code\":").text(itoa::Buffer::new().format(self.code));
        out.text(",\"message\":").json(&Json::of(self.message.as_ref()));
        if let Some(data) = &self.data {
            out.text(",\"data\":").json(data);
        }
        out.text("}");
    }
}
