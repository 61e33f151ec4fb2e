//! Responses, and what they say when something is wrong.

use std::collections::BTreeMap;

use crib_mcp::{Chunks, Json, RpcError, code};
use crib_model::{Code, Fault};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};
use serde::Serialize;

/// Why a request got no result.
#[derive(Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    headers: Vec<(http::HeaderName, HeaderValue)>,
    body: Box<Body>,
}

#[derive(Debug, Serialize)]
pub(super) struct Body {
    /// `TC0310`; a short name where there is no code.
    code: String,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cause: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The server's own JSON-RPC error number.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<i64>,
    /// What the tool asks.
    #[serde(rename = "inputRequests", skip_serializing_if = "Option::is_none")]
    requests: Option<Json>,
}

/// What the data plane puts into the data of its errors.
#[derive(serde::Deserialize)]
struct Data {
    code: String,
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    retry: Option<String>,
    #[serde(default)]
    cause: Vec<String>,
    #[serde(default)]
    hint: Option<String>,
}

/// What stands in the data of -32021.
#[derive(serde::Deserialize)]
struct Required {
    #[serde(rename = "requiredCapabilities")]
    capabilities: Capabilities,
}

#[derive(Default, serde::Deserialize)]
struct Capabilities {
    #[serde(default)]
    extensions: BTreeMap<String, serde_json::Value>,
}

impl Trouble {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let body =
            Body { code: code.to_owned(), message, side: None, retry: None, cause: Vec::new(), hint: None, rpc: None, requests: None };
        Self { status, headers: Vec::new(), body: Box::new(body) }
    }

    pub(super) fn of(fault: &Fault) -> Self {
        let code = fault.code();
        let mut trouble = Self::new(status_of(code), code.as_str(), fault.message());
        trouble.body.side = Some(code.side().as_str().to_owned());
        trouble.body.retry = Some(code.retry().as_str().to_owned());
        trouble.body.cause = fault.causes().to_vec();
        trouble.body.hint = fault.remedy().map(str::to_owned);
        trouble.with_headers()
    }

    /// The error a call ended with: the gateway's, with a code in its data, or the server's own.
    pub(super) fn of_call(error: &RpcError) -> Self {
        let data = error.data.as_ref().and_then(|data| data.read::<Data>().ok());
        let known = data.as_ref().and_then(|data| Code::ALL.iter().find(|code| code.as_str() == data.code));
        let Some((code, data)) = known.zip(data) else {
            let status = match error.code {
                code::INVALID_PARAMS => StatusCode::UNPROCESSABLE_ENTITY,
                code::MISSING_CAPABILITY => return Self::needs(error),
                _ => StatusCode::BAD_GATEWAY,
            };
            let mut trouble = Self::new(status, "upstream_error", error.message.clone());
            trouble.body.rpc = Some(error.code);
            trouble.body.side = Some("upstream".to_owned());
            return trouble;
        };
        let mut trouble = Self::new(status_of(*code), code.as_str(), error.message.clone());
        let Data { side, retry, cause, hint, .. } = data;
        *trouble.body = Body { side, retry, cause, hint, ..*trouble.body };
        trouble.with_headers()
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::ArgumentsInvalid.as_str(), message)
    }

    pub(super) fn no_page(path: &str) -> Self {
        let mut trouble = Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at `{path}`"));
        trouble.body.hint = Some("/mcp speaks MCP; /v1/tools lists tools; /openapi.json describes the rest".to_owned());
        trouble
    }

    pub(super) fn no_tool(name: &str, hint: String) -> Self {
        let mut trouble = Self::new(StatusCode::NOT_FOUND, Code::UnknownTarget.as_str(), format!("there is no tool `{name}`"));
        trouble.body.side = Some("client".to_owned());
        trouble.body.hint = Some(hint);
        trouble
    }

    pub(super) fn no_server(name: &str, names: &[&str]) -> Self {
        let mut trouble = Self::new(StatusCode::NOT_FOUND, Code::UnknownTarget.as_str(), format!("there is no server `{name}`"));
        trouble.body.side = Some("client".to_owned());
        trouble.body.hint = Some(match crate::nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "there are none yet: toolcrib run NAME".to_owned(),
            None => format!("servers: {}", names.join(", ")),
        });
        trouble
    }

    pub(super) fn wrong_method(method: &Method, allowed: &[Method]) -> Self {
        let mut trouble = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("{method} is not possible here"));
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        trouble.headers.extend(HeaderValue::try_from(names.join(", ")).ok().map(|value| (ALLOW, value)));
        trouble
    }

    /// The tool asks a person, and a plain request has nobody to ask.
    pub(super) fn asks(requests: Option<Json>) -> Self {
        let message = "the tool asks for something in the middle of the call, and nobody can be asked here";
        let fault = Fault::new(Code::InputImpossible, message).hint("call it with an MCP client that can answer");
        let mut trouble = Self::of(&fault);
        trouble.body.requests = requests;
        trouble
    }

    /// The tool needs what a plain request does not have: mostly somebody to ask.
    fn needs(error: &RpcError) -> Self {
        let required = error.data.as_ref().and_then(|data| data.read::<Required>().ok()).map(|data| data.capabilities).unwrap_or_default();
        if required.extensions.is_empty() {
            return Self::asks(None);
        }
        let names: Vec<&str> = required.extensions.keys().map(String::as_str).collect();
        let message = format!("the tool needs {}, which a plain request does not have", names.join(", "));
        Self::of(&Fault::new(Code::InputImpossible, message).hint("call it with an MCP client that has it"))
    }

    fn with_headers(mut self) -> Self {
        if self.status == StatusCode::UNAUTHORIZED {
            self.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            self.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
        }
        self
    }

    pub(super) fn is_of(&self, code: Code) -> bool {
        self.body.code == code.as_str()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn message(&self) -> &str {
        &self.body.message
    }

    pub(super) fn into_response(self) -> Response<Chunks> {
        #[derive(Serialize)]
        struct Envelope {
            error: Box<Body>,
        }
        let mut response = super::json(self.status, Json::of(&Envelope { error: self.body }));
        response.headers_mut().extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>());
        response
    }
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::OriginRefused | Code::ToolHeld | Code::AnswerHeld => StatusCode::FORBIDDEN,
        Code::UnknownTarget | Code::SessionUnknown => StatusCode::NOT_FOUND,
        Code::ConfigInvalid | Code::ConfigUnreadable | Code::ArgumentsInvalid | Code::CursorInvalid => StatusCode::BAD_REQUEST,
        Code::InputLost | Code::InputImpossible | Code::ServerStopped => StatusCode::CONFLICT,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::TooBusy | Code::ReplicaUnreachable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::ServerUnreachable
        | Code::SpawnFailed
        | Code::StartFailed
        | Code::ServerGone
        | Code::MessageTooLarge
        | Code::ProtocolBroken
        | Code::UpstreamUnauthorized
        | Code::SecretMissing
        | Code::UpstreamStatus => StatusCode::BAD_GATEWAY,
        // What happens on the command line only never becomes an answer.
        Code::ClientFileBroken
        | Code::ClientFileRefused
        | Code::ClientFileChanged
        | Code::ClientMissing
        | Code::ConsentNeeded
        | Code::SourceInvalid
        | Code::PackageMissing
        | Code::PullFailed
        | Code::PackageUnverified
        | Code::PackageRefused
        | Code::RuntimeMissing
        | Code::LockInvalid
        | Code::ProjectNameRefused
        | Code::ProjectFolderTaken
        | Code::ProjectUnwritable
        | Code::RecordingUnusable
        | Code::RecordingInvalid
        | Code::ReplayDiffers
        | Code::LintFound
        | Code::LoadRefused
        | Code::GradeUnusable
        | Code::RegistryUnreachable
        | Code::RegistryBroken
        | Code::RegistryRefused
        | Code::RegistryInvalid
        | Code::RegistriesUnusable
        | Code::ServerUnlisted
        | Code::ServerUnsupported
        | Code::InputMissing
        | Code::InputInvalid
        | Code::SandboxFailed => StatusCode::INTERNAL_SERVER_ERROR,
        Code::ListenRefused
        | Code::BindNeedsKeys
        | Code::SecretsUnusable
        | Code::AuditUnusable
        | Code::PinsUnusable
        | Code::AuditBroken
        | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Makes a response that no cache keeps.
pub(super) fn with_type(status: StatusCode, kind: &'static str, body: Chunks) -> Response<Chunks> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
