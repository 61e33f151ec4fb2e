//! One core call over a legacy session.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Ability, Json, Method, Payload, RequestId, Revision, RpcError, code};
use crib_model::{Event, Fault, Forward, Outcome, Reply, State};
use serde_json::json;

use super::exchange::{Exchange, Next};
use super::legacy::{LevelGuard, Offer, Session, late};
use super::link::{Ask, Wants};
use super::memory::Memory;
use super::park::{Lot, Parked};
use super::pool::Lease;
use super::questions::{self, Question};
use super::tasks::Ran;
use super::{listen, tasks};
use crate::http::trace;
use crate::level::Level;
use crate::steps::{self, Voice};
use crate::{outcome, params};

/// How long a round waits for further questions that are on their way already.
const COALESCE: Duration = Duration::from_millis(5);

/// A legacy call in progress.
pub(super) struct Running {
    session: Arc<Session>,
    exchange: Exchange,
    lease: Option<Arc<Lease>>,
    asked: usize,
    _level: Option<LevelGuard>,
}

/// Calls a legacy server, or goes on with a call that waited for answers.
pub(crate) async fn call(session: Arc<Session>, lease: Option<Lease>, lot: Arc<Lot>, forward: Arc<Forward>) -> Result<Reply, Fault> {
    if forward.method == Method::Discover {
        return Ok(Reply::Done(Outcome::Complete(session.discover(), Revision::LATEST)));
    }
    if forward.method == Method::Listen {
        return Box::pin(listen::listen(session, lease, &forward)).await;
    }
    let lease = lease.map(Arc::new);
    if session.offers.has(Offer::ToolTasks) {
        match Box::pin(tasks::call(&session, &forward)).await.transpose()? {
            Some(Ran::Done(outcome)) => return Ok(Reply::Done(outcome)),
            Some(Ran::Asks(exchange)) => {
                let running = Running { session, exchange, lease, asked: 0, _level: None };
                return steps::settle(steps::talk(|voice| async move { drive(running, &lot, (&forward, &voice)).await })).await;
            }
            None => {}
        }
    }
    if forward.method == Method::Complete && session.revision > Revision::V2024_11_05 && !session.offers.has(Offer::Completions) {
        let error = RpcError::new(code::METHOD_NOT_FOUND, "the server offers no completions");
        return Ok(Reply::Done(Outcome::Error(error, session.revision)));
    }
    steps::settle(steps::talk(|voice| async move { run(session, lease, &lot, (&forward, &voice)).await })).await
}

/// Brings the answers a waiting call asked for, and goes on with it.
pub(crate) async fn resume(lot: Arc<Lot>, forward: Arc<Forward>) -> Result<Reply, Fault> {
    let inputs = forward.inputs.clone().unwrap_or_default();
    let Some(State::Parked(id)) = inputs.state else {
        return Err(Fault::new(crib_model::Code::InputLost, "the answers name no waiting call"));
    };
    let mut parked = lot.take(id, &forward.principal).await?;
    parked.questions = questions::reply(&parked.session, std::mem::take(&mut parked.questions), &inputs);
    if !parked.questions.is_empty() {
        return round(&lot, parked).map(Reply::Done);
    }
    let Parked { session, exchange, lease, asked, .. } = parked;
    let running = Running { session, exchange, lease, asked, _level: None };
    steps::settle(steps::talk(|voice| async move { drive(running, &lot, (&forward, &voice)).await })).await
}

/// Returns the session of the task a call is about.
pub(crate) fn home(memory: &Memory, forward: &Forward) -> Option<Arc<Session>> {
    let is_about_task = matches!(forward.method, Method::TasksGet | Method::TasksUpdate | Method::TasksCancel);
    memory.home(&forward.target_name().filter(|_| is_about_task)?)
}

async fn run(
    session: Arc<Session>,
    lease: Option<Arc<Lease>>,
    lot: &Arc<Lot>,
    (forward, voice): (&Forward, &Voice),
) -> Result<Outcome, Fault> {
    let level = match forward.log_level.as_ref().and_then(Level::read) {
        None => None,
        Some(log) => {
            let level = tokio::time::timeout_at(forward.deadline.into(), session.listen_at(log));
            Some(Box::pin(level).await.map_err(|_elapsed| late(session.slug()))?)
        }
    };
    let exchange = send(&session, forward, None)?;
    let running = Running { session: Arc::clone(&session), exchange, lease: lease.clone(), asked: 0, _level: level };
    let outcome = drive(running, lot, (forward, voice)).await?;
    let Outcome::Error(error, revision) = outcome else { return Ok(outcome) };
    if !tasks::is_required(&error, &session, forward) {
        return Ok(Outcome::Error(error, revision));
    }
    match Box::pin(tasks::run_as_task(&session, forward)).await? {
        Ran::Done(outcome) => Ok(outcome),
        Ran::Asks(exchange) => {
            let running = Running { session, exchange, lease, asked: 0, _level: None };
            Box::pin(drive(running, lot, (forward, voice))).await
        }
    }
}

/// Writes and sends the request of a call.
pub(super) fn send(session: &Session, forward: &Forward, task: Option<&Json>) -> Result<Exchange, Fault> {
    let link = &session.link;
    let id = link.next_id();
    let token = forward.progress_token.as_ref().map(|_| RequestId::number(id).as_json().clone());
    let params = params::legacy(forward, session.revision, token.as_ref(), task);
    let wants = Wants {
        progress: token.is_some(),
        log: forward.log_level.as_ref().and_then(Level::read),
        questions: forward.method.allows_input(),
        trace: trace::of(forward),
        ..Wants::default()
    };
    link.begin(id, &forward.method, &params, wants)
}

/// Waits until the call is done or asks.
async fn drive(mut running: Running, lot: &Arc<Lot>, (forward, voice): (&Forward, &Voice)) -> Result<Outcome, Fault> {
    let slug = running.session.slug().clone();
    let mut timer = running.session.link.timers.until(forward.deadline);
    loop {
        let Some(next) = timer.limit(running.exchange.next()).await else {
            if let Some(lease) = &running.lease {
                lease.spoil();
            }
            return Err(late(&slug));
        };
        match next {
            Next::Said(notification) => {
                let event = match &forward.progress_token {
                    Some(token) if notification.method == Method::Progress => outcome::progress(&notification, token),
                    _ => Event(notification),
                };
                // Most calls say nothing, and need no room for it.
                Box::pin(voice.say(event)).await;
            }
            Next::Asked(ask) => return Box::pin(ask_client(running, ask, lot, (forward, voice))).await,
            Next::Lacks(ability) => return Ok(lacking(ability)),
            Next::Answered(Ok(result)) => {
                running.session.memory.learn(&forward.method, &result);
                return Ok(Outcome::Complete(result, running.session.revision));
            }
            Next::Answered(Err(error)) => return Ok(refused(error, running.session.revision, forward)),
            Next::Failed(fault) => return Err(fault),
        }
    }
}

/// Collects what else is being asked, and leaves the call to wait.
async fn ask_client(mut running: Running, first: Ask, lot: &Arc<Lot>, (forward, voice): (&Forward, &Voice)) -> Result<Outcome, Fault> {
    let mut questions = Vec::new();
    let mut asked = running.asked;
    let mut add = |ask: Ask| {
        asked += 1;
        let key = questions::key(&ask, asked, &questions);
        questions.push(Question { key, ask });
    };
    add(first);
    let until = tokio::time::Instant::now() + COALESCE;
    while let Ok(next) = tokio::time::timeout_at(until, running.exchange.next()).await {
        match next {
            Next::Asked(ask) => add(ask),
            Next::Lacks(ability) => return Ok(lacking(ability)),
            Next::Said(notification) if notification.method != Method::Progress => voice.say(Event(notification)).await,
            Next::Said(notification) => {
                if let Some(token) = &forward.progress_token {
                    voice.say(outcome::progress(&notification, token)).await;
                }
            }
            // The server did not wait for the answers.
            Next::Answered(Ok(result)) => return Ok(Outcome::Complete(result, running.session.revision)),
            Next::Answered(Err(error)) => return Ok(refused(error, running.session.revision, forward)),
            Next::Failed(fault) => return Err(fault),
        }
    }
    let Running { session, exchange, lease, .. } = running;
    let principal = Arc::clone(&forward.principal);
    round(lot, Parked { session, exchange, lease, questions, asked, principal })
}

fn round(lot: &Arc<Lot>, parked: Parked) -> Result<Outcome, Fault> {
    let session = Arc::clone(&parked.session);
    let questions = parked.questions.clone();
    let id = lot.park(parked)?;
    tracing::debug!(upstream = %session.slug(), seconds = lot.timeout.as_secs(), "a call waits for the client");
    Ok(questions::round(&session, &questions, id))
}

/// The server asked for what the client cannot do, so the call cannot end well: it is given up with the error that
/// says what is missing (2026-07-28, "Per-request protocol fields").
fn lacking(ability: Ability) -> Outcome {
    let needed = match ability {
        Ability::ElicitForm => json!({ "elicitation": { "form": {} } }),
        Ability::ElicitUrl => json!({ "elicitation": { "url": {} } }),
        Ability::Sample | Ability::SampleTools | Ability::SampleContext => json!({ "sampling": {} }),
        Ability::Roots => json!({ "roots": {} }),
        Ability::Tasks => json!({ "extensions": { crib_mcp::meta::extension::TASKS: {} } }),
    };
    let error = RpcError::new(code::MISSING_CAPABILITY, "Missing required client capability");
    Outcome::Error(error.with_data(Json::of(&json!({ "requiredCapabilities": needed }))), Revision::LATEST)
}

/// An error of the server; one of 2025-11-25 means that the user is to visit pages first.
fn refused(error: RpcError, revision: Revision, forward: &Forward) -> Outcome {
    if error.code != code::URL_ELICITATION_REQUIRED || !forward.method.allows_input() {
        return Outcome::Error(error, revision);
    }
    if !forward.client.caps.set.has(Ability::ElicitUrl) {
        let data = Json::of(&json!({ "requiredCapabilities": { "elicitation": { "url": {} } } }));
        let refusal = RpcError::new(code::MISSING_CAPABILITY, "the server wants the user to visit a page");
        return Outcome::Error(refusal.with_data(data), Revision::LATEST);
    }
    questions::url_round(&error).unwrap_or(Outcome::Error(error, revision))
}

/// Reads a member of an object inside a payload.
pub(crate) fn member(payload: &Payload, name: &str) -> Option<Payload> {
    payload.get(name)?.to_object().ok()
}
