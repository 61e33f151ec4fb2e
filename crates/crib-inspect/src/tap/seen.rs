//! One message as it went by.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Json, Response};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From this client to the server.
    Out,
    In,
}

/// What a message is, and what it says of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Request,
    Notification,
    Ok,
    /// A result that says that the tool failed.
    ToolError,
    /// A result that asks for more.
    InputRequired,
    Error(i64),
    /// Something that is no message of the protocol.
    Noise,
}

/// The text of a message.
#[derive(Clone, Debug)]
pub enum Body {
    Json(Json),
    Text(String),
}

/// A message as it went by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Since the tap was opened.
    pub at: Duration,
    pub unix_ms: u64,
    pub direction: Direction,
    pub transport: &'static str,
    pub connection: u64,
    /// Status of the HTTP answer it came in.
    pub status: Option<u16>,
    /// Headers that went with it, secrets masked.
    pub headers: Vec<(String, String)>,
    pub bytes: usize,
    /// Of a request or notification, or of the request that is answered.
    pub method: Option<Arc<str>>,
    /// The tool, prompt or resource it is about.
    pub about: Option<Arc<str>>,
    pub id: Option<String>,
    /// Since the request that is answered.
    pub latency: Option<Duration>,
    pub verdict: Verdict,
    pub body: Body,
}

// === impl Direction ===

impl Direction {
    #[must_use]
    pub const fn back(self) -> Self {
        match self {
            Self::Out => Self::In,
            Self::In => Self::Out,
        }
    }
}

// === impl Verdict ===

impl Verdict {
    pub(crate) fn of(response: &Response) -> Self {
        match &response.outcome {
            Err(error) => Self::Error(error.code),
            Ok(result) if result.object.bool("isError") == Some(true) => Self::ToolError,
            Ok(result) if result.text("resultType").as_deref() == Some("input_required") => Self::InputRequired,
            Ok(_) => Self::Ok,
        }
    }

    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Notification => "notification",
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::InputRequired => "input_required",
            Self::Error(_) => "error",
            Self::Noise => "noise",
        }
    }
}

// === impl Seen ===

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time_ms", &self.unix_ms)?;
        map.serialize_entry("at_ms", &millis(self.at))?;
        map.serialize_entry("direction", &self.direction)?;
        map.serialize_entry("transport", self.transport)?;
        map.serialize_entry("connection", &self.connection)?;
        map.serialize_entry("kind", self.verdict.kind())?;
        map.serialize_entry("bytes", &self.bytes)?;
        if let Some(method) = &self.method {
            map.serialize_entry("method", method)?;
        }
        if let Some(latency) = self.latency {
            map.serialize_entry("latency_ms", &millis(latency))?;
        }
        if let Some(status) = self.status {
            map.serialize_entry("status", &status)?;
        }
        if !self.headers.is_empty() {
            map.serialize_entry("headers", &Pairs(&self.headers))?;
        }
        match &self.body {
            Body::Json(json) => map.serialize_entry("message", json)?,
            Body::Text(text) => map.serialize_entry("text", text)?,
        }
        map.end()
    }
}

struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Milliseconds with three places.
pub(crate) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
