//! What an answer means.

use crib_mcp::{Json, Notification, Payload, Revision, RpcError, meta};
use crib_model::{Code, Event, Fault, Outcome, Slug, State};

/// Reads the answer of an upstream of 2026-07-28.
///
/// # Errors
/// The result is of a type nobody agreed on.
pub(crate) fn modern(slug: &Slug, answer: Result<Payload, RpcError>) -> Result<Outcome, Fault> {
    let result = match answer {
        Ok(result) => result,
        Err(error) => return Ok(Outcome::Error(error, Revision::LATEST)),
    };
    let kind = result.object.has("resultType").then(|| result.text("resultType").unwrap_or_default());
    match kind.as_deref() {
        None | Some("complete") => Ok(Outcome::Complete(result, Revision::LATEST)),
        Some("task") => Ok(Outcome::Task(result, Revision::LATEST)),
        Some("input_required") => input_required(slug, &result),
        Some(other) => Err(broken(slug, format!("it answered with a result of type `{other}`"))),
    }
}

fn input_required(slug: &Slug, result: &Payload) -> Result<Outcome, Fault> {
    let requests = match result.get("inputRequests") {
        Some(requests) => requests.to_object().map_err(|error| broken(slug, format!("its `inputRequests` are no object: {error}")))?,
        None => Payload::default(),
    };
    let state = result.get("requestState").map(State::Upstream);
    Ok(Outcome::InputRequired { requests, state, meta: result.get("_meta") })
}

/// The server broke the protocol.
pub(crate) fn broken(slug: &Slug, why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::ProtocolBroken, format!("`{slug}` sent something that is not the protocol")).because(why)
}

/// Makes progress the client's again: its own token, with its own JSON type.
pub(crate) fn progress(notification: &Notification, token: &Json) -> Event {
    let mut edit = notification.params.edit();
    edit.set(meta::PROGRESS_TOKEN, token.clone());
    Event(Notification { method: notification.method.clone(), params: edit.to_payload() })
}
