//! A call in the words of 2026-07-28: what an upstream is asked, and what comes back.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use crib_mcp::header::ParamHeaders;
use crib_mcp::{ClientCaps, Json, Method, Notification, Payload, Revision, RpcError};
use futures_core::Stream;

use crate::code::Fault;
use crate::principal::Principal;
use crate::trace::TraceContext;

/// The client behind a call, as it described itself. Unverified: for display and for the upstream's eyes.
#[derive(Clone, Debug)]
pub struct Client {
    /// The revision the client speaks; modern calls carry it, legacy sessions negotiated it.
    pub revision: Revision,
    pub caps: ClientCaps,
    /// `Implementation` object.
    pub info: Option<Json>,
    /// `NAME/VERSION`, as logs have it; read once, for every call is logged.
    pub label: Option<Arc<str>>,
}

/// Longest label of a client, in characters; what is longer is cut.
const LABEL_MAX: usize = 120;

impl Client {
    #[must_use]
    pub fn new(revision: Revision, caps: ClientCaps, info: Option<Json>) -> Self {
        let label = info.as_ref().and_then(label);
        Self { revision, caps, info, label }
    }
}

fn label(info: &Json) -> Option<Arc<str>> {
    let info = info.to_object().ok()?;
    let name = info.text("name").filter(|name| !name.is_empty())?;
    let version = info.text("version").filter(|version| !version.is_empty());
    let version = version.iter().flat_map(|version| ["/", version]);
    Some(
        [name.as_ref()]
            .into_iter()
            .chain(version)
            .flat_map(str::chars)
            .filter(|c| !c.is_control())
            .take(LABEL_MAX)
            .collect::<String>()
            .into(),
    )
}

/// The handle of a call that waits inside a connector for a person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkId(pub u128);

/// What must come back with the answers of an `input_required` round.
#[derive(Clone, Debug)]
pub enum State {
    /// The upstream's own `requestState`, a JSON string, to be echoed to the byte.
    Upstream(Json),
    /// The upstream call is still running and waits under this handle.
    Parked(ParkId),
}

/// One answer to an input request.
#[derive(Clone, Debug)]
pub enum InputResponse {
    Result(Json),
    /// A legacy client answered with an error. 2026-07-28 has no form for this.
    Refused(RpcError),
}

/// The answers a retried call carries.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub responses: Vec<(String, InputResponse)>,
    pub state: Option<State>,
}

/// One request to an upstream: the client's parameters and what to put in the place of some of them.
///
/// The connector writes the request: its own id, the upstream's name for the target, its own progress token, the
/// `_meta` its revision wants, the client's remaining bytes as they are.
#[derive(Clone, Debug)]
pub struct Forward {
    pub method: Method,
    /// The client's parameters as received, in the dialect of `client.revision`.
    pub params: Payload,
    /// The upstream's own `name`, `uri` or `taskId` (see [`Method::target_key`]); `None` leaves it as it is.
    pub target: Option<Arc<str>>,
    /// Which arguments the tool wants mirrored as `Mcp-Param-*`.
    pub param_headers: Option<Arc<ParamHeaders>>,
    pub client: Arc<Client>,
    pub principal: Arc<Principal>,
    /// Least severe log level the client wants to see for this call; `None` for no log lines.
    pub log_level: Option<Json>,
    /// The client's progress token, to be restored on every progress notification.
    pub progress_token: Option<Json>,
    pub inputs: Option<Inputs>,
    pub trace: Option<TraceContext>,
    pub deadline: Instant,
}

impl Forward {
    /// Returns the name, URI or task id the upstream knows the target by.
    #[must_use]
    pub fn target_name(&self) -> Option<std::borrow::Cow<'_, str>> {
        match &self.target {
            Some(target) => Some(std::borrow::Cow::Borrowed(target)),
            None => self.params.text(self.method.target_key()?),
        }
    }
}

/// How a call ended, in the dialect of the upstream's revision.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The result object.
    Complete(Payload, Revision),
    /// The upstream answered with a JSON-RPC error.
    Error(RpcError, Revision),
    /// The upstream needs answers first. `requests` maps keys to `{method, params}` objects of 2026-07-28.
    InputRequired { requests: Payload, state: Option<State>, meta: Option<Json> },
    /// The upstream goes on in the background: a flat `CreateTaskResult` of the tasks extension.
    Task(Payload, Revision),
}

/// Something an upstream says before it is done: `notifications/progress` and `/message` of this call, or the
/// acknowledgement and changes of a subscription. Tokens and ids are the client's.
#[derive(Clone, Debug)]
pub struct Event(pub Notification);

/// One step of a streaming reply; `Done` is the last.
#[derive(Debug)]
pub enum Step {
    Event(Event),
    Done(Result<Outcome, Fault>),
}

/// The steps of a reply. Ends after `Done`; ending without it is a fault of the connector.
pub type Steps = Pin<Box<dyn Stream<Item = Step> + Send>>;

/// What a call gave.
pub enum Reply {
    Done(Outcome),
    Stream(Steps),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(outcome) => f.debug_tuple("Done").field(outcome).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl Outcome {
    /// Returns the bytes of the result or error, for metering.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Complete(payload, _) | Self::Task(payload, _) | Self::InputRequired { requests: payload, .. } => {
                payload.to_json().bytes().len()
            }
            Self::Error(error, _) => error.message.len() + error.data.as_ref().map_or(0, |data: &Json| Bytes::len(data.bytes())),
        }
    }
}
