//! Questions of tasks: 2025-11-25 asks them on the stream of `tasks/result`, the extension shows them in `tasks/get`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Method, Payload, RpcError};
use crib_model::{Fault, Inputs};
use parking_lot::Mutex;

use super::exchange::{Exchange, Next};
use super::legacy::Session;
use super::link::Wants;
use super::questions::{self, Question};
use super::tasks::id_params;

/// Tasks of one session that are talked with at once; beyond it the questions of further ones wait.
const TALKS_MAX: usize = 256;
/// How long a look at a task waits for its first question, and for further ones.
const FIRST: Duration = Duration::from_millis(500);
const FURTHER: Duration = Duration::from_millis(5);

/// The tasks of one session that wait for input.
#[derive(Debug, Default)]
pub(crate) struct Talks(Mutex<HashMap<String, Held>>);

/// One at a time listens to a task or answers it.
type Held = Arc<tokio::sync::Mutex<Talk>>;

#[derive(Debug)]
struct Talk {
    exchange: Exchange,
    questions: Vec<Question>,
    /// How many questions there were: keys are unique for the life of a task.
    asked: usize,
}

/// What listening to a task gave.
#[derive(Debug)]
pub(super) enum Heard {
    /// A map of keys to `{method, params}`.
    Questions(Payload),
    Nothing,
    /// The task did not wait for answers.
    Done(Result<Payload, RpcError>),
}

/// Listens for what a task asks.
pub(super) async fn listen(session: &Session, id: &str) -> Result<Heard, Fault> {
    let Some(talk) = open(session, id)? else { return Ok(Heard::Nothing) };
    let mut talk = talk.lock().await;
    let mut patience = if talk.questions.is_empty() { FIRST } else { FURTHER };
    while let Ok(next) = tokio::time::timeout(patience, talk.exchange.next()).await {
        match next {
            Next::Asked(ask) => {
                talk.asked += 1;
                let key = questions::key(&ask, talk.asked, &talk.questions);
                talk.questions.push(Question { key, ask });
                patience = FURTHER;
            }
            Next::Said(_) | Next::Lacks(_) => {}
            Next::Answered(answer) => {
                end(session, id);
                return Ok(Heard::Done(answer));
            }
            Next::Failed(fault) => {
                end(session, id);
                return Err(fault);
            }
        }
    }
    Ok(match talk.questions.as_slice() {
        [] => Heard::Nothing,
        open => Heard::Questions(questions::requests(session, open)),
    })
}

/// Brings answers to a task; tells whether it had asked.
pub(super) async fn answer(session: &Session, id: &str, inputs: &Inputs) -> bool {
    let held = session.talks.0.lock().get(id).cloned();
    let Some(talk) = held else { return false };
    let mut talk = talk.lock().await;
    talk.questions = questions::reply(session, std::mem::take(&mut talk.questions), inputs);
    true
}

/// Forgets a task that is over.
pub(super) fn end(session: &Session, id: &str) {
    session.talks.0.lock().remove(id);
}

fn open(session: &Session, id: &str) -> Result<Option<Held>, Fault> {
    let mut talks = session.talks.0.lock();
    if let Some(known) = talks.get(id) {
        return Ok(Some(Arc::clone(known)));
    }
    if talks.len() >= TALKS_MAX {
        return Ok(None);
    }
    let talk = Talk { exchange: ask(session, id)?, questions: Vec::new(), asked: 0 };
    let held = Arc::new(tokio::sync::Mutex::new(talk));
    talks.insert(id.to_owned(), Arc::clone(&held));
    Ok(Some(held))
}

/// Asks for the result of a task, and so for its questions.
pub(super) fn ask(session: &Session, id: &str) -> Result<Exchange, Fault> {
    let wants = Wants { task: Some(Arc::from(id)), ..Wants::default() };
    session.link.begin(session.link.next_id(), &Method::TasksResult, &id_params(id), wants)
}
