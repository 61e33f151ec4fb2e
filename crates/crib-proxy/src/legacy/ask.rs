//! The questions of an `input_required` round, asked of a legacy client for real.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Ability, CapSet, Json, Method, Payload, RpcError, code, translate};
use crib_model::{Code, Fault, InputResponse, Inputs, State};
use futures_util::future::join_all;

use crate::legacy::{Peer, Post};
use crate::session::Session;

/// Pause before a round that asks nothing is tried again.
const PACE: Duration = Duration::from_millis(250);

/// Asks everything a round wants to know, at the same time, and returns the answers.
///
/// # Errors
/// The client cannot be asked, or did not answer within `timeout`, in words for the model.
pub(super) async fn all(peer: &Peer, post: &Post, requests: &Payload, state: Option<State>, timeout: Duration) -> Result<Inputs, Fault> {
    if requests.object.is_empty() {
        tokio::time::sleep(PACE).await;
        return Ok(Inputs { responses: Vec::new(), state });
    }
    let questions: Vec<(String, Method, Payload)> =
        requests.object.members().filter_map(|(key, question)| question_of(&key, &question)).collect();
    let answers = join_all(questions.iter().map(|(_, method, params)| one(peer, post, (method, params), timeout))).await;
    let is_parked = matches!(state, Some(State::Parked(_)));
    let mut responses = Vec::with_capacity(questions.len());
    for ((key, method, _), answer) in questions.into_iter().zip(answers) {
        let answer = answer?;
        let answer = match answer {
            InputResponse::Refused(_) if !is_parked && method == Method::ElicitationCreate => {
                InputResponse::Result(Json::from_static("{\"action\":\"cancel\"}"))
            }
            InputResponse::Refused(error) if !is_parked => {
                // A modern server has no form for a refusal: the call ends here.
                let text = format!("the client refused `{method}`: {}", error.message);
                return Err(Fault::new(Code::InputImpossible, text));
            }
            answer => answer,
        };
        responses.push((key, answer));
    }
    Ok(Inputs { responses, state })
}

fn question_of(key: &str, question: &Json) -> Option<(String, Method, Payload)> {
    let question = question.to_object().ok()?;
    let method = Method::parse(&question.text("method")?);
    let params = question.get("params").and_then(|params| params.to_object().ok()).unwrap_or_default();
    Some((key.to_owned(), method, params))
}

async fn one(peer: &Peer, post: &Post, (method, params): (&Method, &Payload), timeout: Duration) -> Result<InputResponse, Fault> {
    let revision = peer.client.revision;
    let Some(session) = peer.session.as_ref().filter(|_| can_ask(peer.client.caps.set, method, params)) else {
        return Ok(refused(format!("the client cannot answer `{method}`")));
    };
    let Some(stream) = post.asking() else {
        return Ok(refused(format!("the client reads no stream, so `{method}` cannot be asked")));
    };
    let params = match translate::input_request_down(method, params, revision) {
        Ok(params) => params,
        Err(why) => return Ok(refused(why)),
    };
    let session: &Arc<Session> = session;
    Ok(match session.ask(&stream, method, params.to_json().into(), timeout).await? {
        Ok(result) => {
            let result = result.to_object().unwrap_or_default();
            InputResponse::Result(translate::input_response_up(method, &result, revision).to_json())
        }
        Err(error) => InputResponse::Refused(error),
    })
}

fn refused(why: String) -> InputResponse {
    InputResponse::Refused(RpcError::new(code::METHOD_NOT_FOUND, why))
}

fn can_ask(caps: CapSet, method: &Method, params: &Payload) -> bool {
    match method {
        Method::ElicitationCreate if params.text("mode").as_deref() == Some("url") => caps.has(Ability::ElicitUrl),
        Method::ElicitationCreate => caps.has(Ability::ElicitForm),
        Method::SamplingCreate => caps.has(Ability::Sample),
        Method::RootsList => caps.has(Ability::Roots),
        _ => false,
    }
}
