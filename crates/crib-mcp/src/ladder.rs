//! The inbound ladder: which era a request belongs to, and whether its envelope and headers hold together.
//!
//! The body decides, the headers are checked against it; what came before on the same connection does not count.
//!
//! | the message | is |
//! |---|---|
//! | a request or notification with a claim: `protocolVersion` or `clientCapabilities` in `_meta` | judged by that claim |
//! | no claim, but an `MCP-Protocol-Version` header that names a modern revision | a request that lacks its envelope: `-32602` |
//! | no claim otherwise, `initialize` included whatever version it asks for | legacy |
//! | `initialize` whose claim names a legacy revision | legacy: a handshake with a label on it |
//!
//! A claim is judged in this order, and the first failure answers: the version is there (`-32602`), the version header
//! agrees (`-32020`), the version is served (`-32022`), the rest of the envelope is well-formed (`-32602`), `Mcp-Method`
//! agrees (`-32020`), the method exists in the revision (`-32601`, HTTP 404), no standard header is missing and
//! `Mcp-Name` agrees (`-32020`). The version comes before what depends on it. A claim of a legacy revision is refused
//! like that of an unknown one: such a revision is spoken after `initialize`, so the versions offered in the refusal,
//! and in `server/discover`, are the modern ones only. Methods the protocol never had are left to the router.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::error::{RpcError, code};
use crate::header::{self, decode_value, mismatch};
use crate::id::RequestId;
use crate::json::{Json, Object, Payload};
use crate::message::{Message, Request};
use crate::meta;
use crate::method::Method;
use crate::revision::Revision;
use crate::scan::Kind;

/// The severities of `notifications/message` (RFC 5424), least severe first.
pub const LOG_LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Whether a message explains itself or belongs to a session.
#[derive(Clone, Debug)]
pub enum Era {
    Modern(Modern),
    Legacy,
}

/// What a modern request says about itself.
#[derive(Clone, Debug)]
pub struct Modern {
    pub revision: Revision,
    /// `ClientCapabilities` of this request.
    pub caps: Json,
    /// `Implementation` of the client.
    pub info: Option<Json>,
    pub log_level: Option<Json>,
    pub progress_token: Option<Json>,
}

/// Why a request is not let in: the HTTP status and the JSON-RPC error to answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub error: RpcError,
    pub id: Option<RequestId>,
}

/// Decides the era of one HTTP request from its body and checks the standard headers against it.
///
/// # Errors
/// The answer to a modern request that is malformed or contradicts its headers.
pub fn classify_http(message: &Message, headers: &HeaderMap) -> Result<Era, Refusal> {
    Ladder { headers: Some(headers) }.classify(message)
}

/// Decides the era of one line on stdio, where there are no headers.
///
/// # Errors
/// The answer to a modern request that is malformed.
pub fn classify_line(message: &Message) -> Result<Era, Refusal> {
    Ladder { headers: None }.classify(message)
}

/// Tells whether 2026-07-28 or one of its extensions has this as a request of a client.
#[must_use]
pub fn is_modern_method(method: &Method) -> bool {
    matches!(
        method,
        Method::Discover
            | Method::ToolsList
            | Method::ToolsCall
            | Method::ResourcesList
            | Method::ResourcesTemplatesList
            | Method::ResourcesRead
            | Method::ResourcesDirectoryRead
            | Method::PromptsList
            | Method::PromptsGet
            | Method::Complete
            | Method::Listen
            | Method::TasksGet
            | Method::TasksUpdate
            | Method::TasksCancel
            | Method::SkillsList
            | Method::SkillsGet
    )
}

struct Ladder<'a> {
    headers: Option<&'a HeaderMap>,
}

// === impl Ladder ===

impl Ladder<'_> {
    fn classify(&self, message: &Message) -> Result<Era, Refusal> {
        match message {
            Message::Request(request) => {
                self.request(request).map_err(|refused| Refusal { id: Some(request.id.clone()), ..Refusal::from(refused) })
            }
            Message::Notification(notification) => self.notification(&notification.method, &notification.params).map_err(Refusal::from),
            Message::Response(_) if self.names_modern() => {
                Err(Refused::bad(RpcError::new(code::INVALID_REQUEST, "Invalid Request: a client sends no responses in this revision"))
                    .into())
            }
            Message::Response(_) => Ok(Era::Legacy),
        }
    }

    fn request(&self, request: &Request) -> Result<Era, Refused> {
        let Some(claim) = claim(&request.params) else {
            return if self.names_modern() { Err(Refused::missing(None)) } else { Ok(Era::Legacy) };
        };
        let is_handshake = request.method == Method::Initialize;
        if is_handshake && !self.names_modern() && claimed_revision(claim).is_some_and(|revision| !revision.is_modern()) {
            return Ok(Era::Legacy);
        }
        let revision = self.version(claim)?;
        let modern = envelope(claim, revision)?;
        self.method_agrees(&request.method)?;
        if !is_modern_method(&request.method) && !matches!(request.method, Method::Other(_)) {
            return Err(Refused::no_method(&request.method, revision));
        }
        self.nothing_missing()?;
        self.name_agrees(request)?;
        Ok(Era::Modern(modern))
    }

    /// A notification needs no envelope; where it has none, the version header decides.
    fn notification(&self, method: &Method, params: &Payload) -> Result<Era, Refused> {
        let claim = params.meta.as_ref().filter(|meta| meta.has(meta::PROTOCOL_VERSION));
        let revision = match claim {
            Some(claim) => self.version(claim)?,
            None if self.names_modern() => Revision::LATEST,
            None => return Ok(Era::Legacy),
        };
        self.method_agrees(method)?;
        if !matches!(method, Method::Cancelled | Method::Other(_)) {
            return Err(Refused::no_method(method, revision));
        }
        let caps = claim.and_then(|meta| meta.get(meta::CLIENT_CAPABILITIES)).unwrap_or(Json::from_static("{}"));
        let info = claim.and_then(|meta| meta.get(meta::CLIENT_INFO));
        Ok(Era::Modern(Modern { revision, caps, info, log_level: None, progress_token: None }))
    }

    fn version(&self, claim: &Object) -> Result<Revision, Refused> {
        let Some(claimed) = claim.text(meta::PROTOCOL_VERSION) else {
            return Err(Refused::missing(Some(claim)));
        };
        self.agrees(&header::PROTOCOL_VERSION, &claimed)?;
        Revision::parse(&claimed).filter(|revision| revision.is_modern()).ok_or_else(|| Refused::unsupported(&claimed))
    }

    /// Tells whether a version header names a modern revision that is served.
    fn names_modern(&self) -> bool {
        let modern = |text: Cow<'_, str>| Revision::parse(&text).is_some_and(Revision::is_modern);
        self.sent(&header::PROTOCOL_VERSION).any(|text| text.is_some_and(modern))
    }

    fn method_agrees(&self, method: &Method) -> Result<(), Refused> {
        self.agrees(&header::METHOD, method.as_str())
    }

    fn nothing_missing(&self) -> Result<(), Refused> {
        for name in [header::PROTOCOL_VERSION, header::METHOD] {
            self.is_there(&name)?;
        }
        Ok(())
    }

    fn name_agrees(&self, request: &Request) -> Result<(), Refused> {
        let Some(key) = request.method.target_key() else { return Ok(()) };
        let Some(name) = request.params.text(key) else {
            // The call cannot succeed; but a header must not promise what the body does not hold.
            let is_promised = self.sent(&header::NAME).next().is_some();
            return if is_promised { Err(Refused::mismatch(&header::NAME, "has no corresponding value in the body")) } else { Ok(()) };
        };
        if matches!(request.method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead) {
            self.is_there(&header::NAME)?;
        }
        for sent in self.sent(&header::NAME) {
            match sent {
                Some(text) if text == name => {}
                Some(_) => return Err(Refused::mismatch(&header::NAME, "does not match the body")),
                None => return Err(Refused::mismatch(&header::NAME, "has an invalid value")),
            }
        }
        Ok(())
    }

    fn is_there(&self, name: &HeaderName) -> Result<(), Refused> {
        let is_missing = self.headers.is_some_and(|headers| !headers.contains_key(name));
        if is_missing { Err(Refused::mismatch(name, "is missing")) } else { Ok(()) }
    }

    /// Every value that was sent must match: two readers may pick different ones.
    fn agrees(&self, name: &HeaderName, expected: &str) -> Result<(), Refused> {
        let values = self.headers.map(|headers| headers.get_all(name));
        for value in values.into_iter().flatten() {
            if value.as_bytes().trim_ascii() != expected.as_bytes() {
                return Err(Refused::mismatch(name, "does not match the body"));
            }
        }
        Ok(())
    }

    fn sent(&self, name: &HeaderName) -> impl Iterator<Item = Option<Cow<'_, str>>> {
        let values = self.headers.map(|headers| headers.get_all(name));
        values.into_iter().flatten().map(|value| decode_value(value.as_bytes()))
    }
}

/// Returns the `_meta` that claims the request to be modern.
fn claim(params: &Payload) -> Option<&Object> {
    params.meta.as_ref().filter(|meta| meta.has(meta::PROTOCOL_VERSION) || meta.has(meta::CLIENT_CAPABILITIES))
}

fn claimed_revision(claim: &Object) -> Option<Revision> {
    Revision::parse(&claim.text(meta::PROTOCOL_VERSION)?)
}

fn envelope(claim: &Object, revision: Revision) -> Result<Modern, Refused> {
    if claim.kind(meta::CLIENT_CAPABILITIES) != Some(Kind::Object) {
        return Err(Refused::missing(Some(claim)));
    }
    if !matches!(claim.kind(meta::CLIENT_INFO), None | Some(Kind::Object)) {
        return Err(Refused::invalid(meta::CLIENT_INFO, "must be an object"));
    }
    let is_level = claim.text(meta::LOG_LEVEL).is_some_and(|level| LOG_LEVELS.contains(&level.as_ref()));
    if claim.has(meta::LOG_LEVEL) && !is_level {
        return Err(Refused::invalid(meta::LOG_LEVEL, "is not a log level"));
    }
    if !matches!(claim.kind(meta::PROGRESS_TOKEN), None | Some(Kind::String | Kind::Number)) {
        return Err(Refused::invalid(meta::PROGRESS_TOKEN, "must be a string or a number"));
    }
    Ok(Modern {
        revision,
        caps: claim.get(meta::CLIENT_CAPABILITIES).unwrap_or(Json::from_static("{}")),
        info: claim.get(meta::CLIENT_INFO),
        log_level: claim.get(meta::LOG_LEVEL),
        progress_token: claim.get(meta::PROGRESS_TOKEN),
    })
}

/// A refusal before the id of the request is put to it.
struct Refused {
    status: u16,
    error: RpcError,
}

// === impl Refused ===

impl Refused {
    fn bad(error: RpcError) -> Self {
        Self { status: 400, error }
    }

    fn mismatch(header: &HeaderName, what: &str) -> Self {
        Self::bad(mismatch(header.as_str(), what))
    }

    fn invalid(key: &str, what: &str) -> Self {
        Self::bad(RpcError::new(code::INVALID_PARAMS, format!("Invalid params: `_meta[\"{key}\"]` {what}")))
    }

    /// The envelope lacks a required member, or has it in the wrong type.
    fn missing(claim: Option<&Object>) -> Self {
        let is_bad = |key: &str, kind: Kind| claim.is_none_or(|claim| claim.kind(key) != Some(kind));
        let required = [(meta::PROTOCOL_VERSION, Kind::String), (meta::CLIENT_CAPABILITIES, Kind::Object)];
        let missing: Vec<&str> = required.into_iter().filter(|(key, kind)| is_bad(key, *kind)).map(|(key, _)| key).collect();
        let message = format!("Invalid params: `_meta` must have {}", missing.join(" and "));
        Self::bad(RpcError::new(code::INVALID_PARAMS, message).with_data(Json::of(&serde_json::json!({ "missing": missing }))))
    }

    fn unsupported(requested: &str) -> Self {
        let data = serde_json::json!({ "supported": Revision::MODERN.map(Revision::as_str), "requested": requested });
        Self::bad(RpcError::new(code::UNSUPPORTED_VERSION, "Unsupported protocol version").with_data(Json::of(&data)))
    }

    fn no_method(method: &Method, revision: Revision) -> Self {
        let message = format!("Method not found: `{method}` is not part of {revision}");
        Self { status: 404, error: RpcError::new(code::METHOD_NOT_FOUND, message) }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self { status: refused.status, error: refused.error, id: None }
    }
}
