//! Tasks of 2025-11-25 as the tasks extension of 2026-07-28 shows them, and as nothing at all to other clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Ability, Json, Method, Payload, Revision, RpcError, code, translate};
use crib_model::{Code, Fault, Forward, InputResponse, Inputs, Outcome};
use serde_json::json;
use translate::Inlined;

use super::call::{member, send};
use super::exchange::Exchange;
use super::legacy::{Offer, Session, late};
use super::memory::TaskSupport;
use super::talks::{self, Heard};

/// How long a task is asked to live when its maker says nothing.
const TASK_TTL_MS: u64 = 60 * 60 * 1000;
/// Bounds of the pause between two looks at a task, whatever the server proposes.
const POLL_MIN: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(5);
const POLL_USUAL_MS: u64 = 500;

/// How far a call came that is about a task, or runs as one.
pub(super) enum Ran {
    Done(Outcome),
    /// The task asks; its questions and then its result come for this request.
    Asks(Exchange),
}

/// Takes calls that are about tasks, or that must run as one; others are not its business.
pub(super) async fn call(session: &Arc<Session>, forward: &Forward) -> Option<Result<Ran, Fault>> {
    if !session.offers.has(Offer::ToolTasks) {
        return None;
    }
    if forward.method == Method::TasksGet {
        let id = forward.target_name().unwrap_or_default();
        return Some(get(session, &id, forward.deadline).await.map(Ran::Done));
    }
    if forward.method == Method::TasksCancel {
        return Some(cancel(session, forward).await.map(Ran::Done));
    }
    if forward.method == Method::TasksUpdate {
        return Some(Ok(Ran::Done(update(session, forward).await)));
    }
    if forward.method != Method::ToolsCall {
        return None;
    }
    let support = session.memory.support(&forward.target_name()?)?;
    let is_understood = forward.client.caps.set.has(Ability::Tasks);
    (is_understood || support == TaskSupport::Required).then_some(())?;
    Some(run_as_task(session, forward).await)
}

/// Tells whether the server refused because the tool runs only as a task.
pub(super) fn is_required(error: &RpcError, session: &Session, forward: &Forward) -> bool {
    let is_required = error.code == code::METHOD_NOT_FOUND && forward.method == Method::ToolsCall && session.offers.has(Offer::ToolTasks);
    if let Some(name) = forward.target_name().filter(|_| is_required) {
        session.memory.note_tool(&name, Some(TaskSupport::Required));
    }
    is_required
}

/// Runs a tool as a task. A client that knows tasks gets the task, any other its result.
pub(super) async fn run_as_task(session: &Arc<Session>, forward: &Forward) -> Result<Ran, Fault> {
    let task = Json::of(&json!({ "ttl": TASK_TTL_MS }));
    let exchange = send(session, forward, Some(&task))?;
    let answer = tokio::time::timeout_at(forward.deadline.into(), exchange.answer()).await;
    let created = match answer.map_err(|_elapsed| late(session.slug()))?? {
        Ok(created) => created,
        Err(error) => return Ok(Ran::Done(Outcome::Error(error, session.revision))),
    };
    let Some(task) = member(&created, "task") else {
        // A server may answer at once all the same.
        return Ok(Ran::Done(Outcome::Complete(created, session.revision)));
    };
    let id = task.text("taskId").unwrap_or_default().into_owned();
    session.memory.note_task(&id, session);
    if forward.client.caps.set.has(Ability::Tasks) {
        return Ok(Ran::Done(Outcome::Task(translate::task_up(&created), Revision::LATEST)));
    }
    let waited = wait(session, &id, task, forward.deadline).await.map_err(|fault| begun(session, fault));
    if waited.is_err() {
        let cancel = crib_mcp::RequestId::number(session.link.next_id());
        session.link.post(crib_mcp::message::request(&cancel, Method::TasksCancel.as_str(), &id_params(&id)));
    }
    waited
}

/// How long to wait between two looks at a task.
pub(super) fn pause(proposed_ms: Option<u64>) -> Duration {
    Duration::from_millis(proposed_ms.unwrap_or(POLL_USUAL_MS)).clamp(POLL_MIN, POLL_MAX)
}

/// A session that is lost under a task was not lost before the tool ran: the call must not be made again.
fn begun(session: &Session, fault: Fault) -> Fault {
    if fault.code() != Code::SessionUnknown {
        return fault;
    }
    Fault::new(Code::ServerGone, format!("`{}` has forgotten the session a task ran in", session.slug()))
}

/// Looks at a task until it is over or asks, then fetches its result.
async fn wait(session: &Session, id: &str, mut task: Payload, deadline: Instant) -> Result<Ran, Fault> {
    while !is_over(&task) {
        if task.text("status").as_deref() == Some("input_required") {
            return talks::ask(session, id).map(Ran::Asks);
        }
        let pause = pause(task.object.u64("pollInterval"));
        if Instant::now() + pause >= deadline {
            return Err(late(session.slug()));
        }
        tokio::time::sleep(pause).await;
        match session.ask(&Method::TasksGet, &id_params(id), deadline).await? {
            Ok(state) => task = state,
            Err(error) => return Ok(Ran::Done(Outcome::Error(error, session.revision))),
        }
    }
    Ok(Ran::Done(match session.ask(&Method::TasksResult, &id_params(id), deadline).await? {
        Ok(result) => Outcome::Complete(result, session.revision),
        Err(error) => Outcome::Error(error, session.revision),
    }))
}

/// Returns a task as the extension shows it, with what its state announces.
pub(super) async fn get(session: &Session, id: &str, deadline: Instant) -> Result<Outcome, Fault> {
    let task = match session.ask(&Method::TasksGet, &id_params(id), deadline).await? {
        Ok(task) => task,
        Err(error) => return Ok(Outcome::Error(error, session.revision)),
    };
    if is_over(&task) {
        talks::end(session, id);
    }
    let inlined = match task.text("status").as_deref() {
        Some("completed" | "failed") => inline(session, session.ask(&Method::TasksResult, &id_params(id), deadline).await?),
        Some("input_required") => match talks::listen(session, id).await? {
            Heard::Questions(requests) => Inlined::InputRequests(requests.to_json()),
            Heard::Nothing => Inlined::Nothing,
            Heard::Done(answer) => inline(session, answer),
        },
        _ => Inlined::Nothing,
    };
    Ok(Outcome::Complete(translate::task_get_up(&task, inlined), Revision::LATEST))
}

fn inline(session: &Session, answer: Result<Payload, RpcError>) -> Inlined {
    match answer {
        Ok(result) => Inlined::Result(translate::result(&Method::ToolsCall, &result, session.revision, Revision::LATEST, None)),
        Err(error) => Inlined::Error(translate::error(&Method::ToolsCall, &error, session.revision, Revision::LATEST)),
    }
}

/// Answers what a task has asked.
async fn update(session: &Session, forward: &Forward) -> Outcome {
    let id = forward.target_name().unwrap_or_default();
    let answers = member(&forward.params, "inputResponses").unwrap_or_default();
    let responses = answers.object.members().map(|(key, answer)| (key.into_owned(), InputResponse::Result(answer))).collect();
    if talks::answer(session, &id, &Inputs { responses, state: None }).await {
        return Outcome::Complete(Payload::of(&json!({ "resultType": "complete" })), Revision::LATEST);
    }
    Outcome::Error(RpcError::new(code::INVALID_PARAMS, "the task asks nothing"), session.revision)
}

async fn cancel(session: &Session, forward: &Forward) -> Result<Outcome, Fault> {
    let id = forward.target_name().unwrap_or_default();
    Ok(match session.ask(&Method::TasksCancel, &id_params(&id), forward.deadline).await? {
        Ok(_) => Outcome::Complete(Payload::of(&json!({ "resultType": "complete" })), Revision::LATEST),
        Err(error) => Outcome::Error(error, session.revision),
    })
}

pub(super) fn is_over(task: &Payload) -> bool {
    matches!(task.text("status").as_deref(), Some("completed" | "failed" | "cancelled"))
}

pub(super) fn id_params(id: &str) -> crib_mcp::Chunks {
    Json::of(&json!({ "taskId": id })).into()
}
