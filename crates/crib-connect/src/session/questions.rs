//! What a legacy server asks in the middle of a call, as an `input_required` round, and the answers back.

use crib_mcp::{Chunks, Json, Method, Payload, Pieces, RpcError, code, translate};
use crib_model::{InputResponse, Inputs, Outcome, ParkId, State};
use serde_json::json;

use super::legacy::Session;
use super::link::Ask;

/// A question that waits for its answer, under the key the client knows it by.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) key: String,
    pub(crate) ask: Ask,
}

/// Longest id of a server's request that is used as a key.
const KEY_BYTES_MAX: usize = 64;

/// Chooses the key of a call's `asked`th question: the server's own name for its request where it has one.
pub(crate) fn key(ask: &Ask, asked: usize, others: &[Question]) -> String {
    let named = ask.id.as_json().as_text().filter(|name| !name.is_empty() && name.len() <= KEY_BYTES_MAX);
    match named {
        Some(name) if others.iter().all(|other| other.key != name) => name.into_owned(),
        _ => format!("q{asked}"),
    }
}

/// Writes the round that puts these questions to the client.
pub(crate) fn round(session: &Session, questions: &[Question], id: ParkId) -> Outcome {
    Outcome::InputRequired { requests: requests(session, questions), state: Some(State::Parked(id)), meta: None }
}

/// Writes questions as a map of keys to `{method, params}` objects.
pub(crate) fn requests(session: &Session, questions: &[Question]) -> Payload {
    let mut out = Pieces::default();
    out.text("{");
    for (at, question) in questions.iter().enumerate() {
        if at > 0 {
            out.text(",");
        }
        out.json(&Json::of(&question.key)).text(":").chunks(&request(session, &question.ask));
    }
    out.text("}");
    Payload::parse(&out.finish().into_bytes()).unwrap_or_default()
}

fn request(session: &Session, ask: &Ask) -> Chunks {
    let params = translate::input_request_up(&ask.method, &ask.params, session.revision);
    let mut edit = params.edit();
    // Whether the server waits is between it and the gateway.
    edit.remove("task");
    let mut out = Pieces::default();
    out.text("{\"method\":").json(&Json::of(ask.method.as_str()));
    out.text(",\"params\":").chunks(&edit.finish()).text("}");
    out.finish()
}

/// Sends the answers that came; returns the questions that have none yet.
pub(crate) fn reply(session: &Session, questions: Vec<Question>, inputs: &Inputs) -> Vec<Question> {
    let mut open = Vec::new();
    for question in questions {
        let response = inputs.responses.iter().find(|(key, _)| *key == question.key);
        match response {
            Some((_, InputResponse::Result(result))) => {
                let result = translate::input_response_down(&question.ask.method, result, session.revision);
                session.link.reply(&question.ask, Ok(result));
            }
            Some((_, InputResponse::Refused(error))) => session.link.reply(&question.ask, Err(error.clone())),
            None => open.push(question),
        }
    }
    open
}

/// Answers questions that no one will answer any more.
pub(crate) fn give_up(session: &Session, questions: &[Question]) {
    for Question { ask, .. } in questions {
        let answer = if ask.method == Method::ElicitationCreate {
            Ok(Json::from_static(r#"{"action":"cancel"}"#))
        } else if ask.method == Method::SamplingCreate {
            Err(RpcError::new(code::USER_REJECTED, "the client did not answer"))
        } else {
            Err(RpcError::new(code::INTERNAL, "the client did not answer"))
        };
        session.link.reply(ask, answer);
    }
}

/// Turns the error -32042 of 2025-11-25 into a round of URL elicitations; the retry is a plain call.
pub(crate) fn url_round(error: &RpcError) -> Option<Outcome> {
    let data = error.data.as_ref()?.to_object().ok()?;
    let elicitations = data.get("elicitations")?.to_elements().ok()?;
    let mut requests = serde_json::Map::new();
    for (at, elicitation) in elicitations.iter().enumerate() {
        let asked = elicitation.to_object().ok()?;
        let mut edit = asked.edit();
        edit.remove("elicitationId").set("mode", Json::from_static("\"url\""));
        let params = edit.to_payload().to_json();
        requests.insert(format!("url{}", at + 1), json!({ "method": Method::ElicitationCreate.as_str(), "params": params }));
    }
    let is_empty = requests.is_empty();
    (!is_empty).then(|| Outcome::InputRequired { requests: Payload::of(&requests), state: None, meta: None })
}
