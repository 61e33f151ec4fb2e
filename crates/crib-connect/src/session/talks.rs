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
pub(crate) struct Talks(Mutex<HashMap<String, Talk>>);

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
    let Some(mut talk) = open(session, id)? else { return Ok(Heard::Nothing) };
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
            Next::Answered(answer) => return Ok(Heard::Done(answer)),
            Next::Failed(fault) => return Err(fault),
        }
    }
    let heard = match talk.questions.as_slice() {
        [] => Heard::Nothing,
        open => Heard::Questions(questions::requests(session, open)),
    };
    session.talks.0.lock().insert(id.to_owned(), talk);
    Ok(heard)
}

/// Brings answers to a task; tells whether it had asked.
pub(super) fn answer(session: &Session, id: &str, inputs: &Inputs) -> bool {
    let Some(mut talk) = session.talks.0.lock().remove(id) else { return false };
    talk.questions = questions::reply(session, talk.questions, inputs);
    session.talks.0.lock().insert(id.to_owned(), talk);
    true
}

/// Forgets a task that is over.
pub(super) fn end(session: &Session, id: &str) {
    session.talks.0.lock().remove(id);
}

fn open(session: &Session, id: &str) -> Result<Option<Talk>, Fault> {
    let (known, count) = {
        let mut talks = session.talks.0.lock();
        (talks.remove(id), talks.len())
    };
    if known.is_some() || count >= TALKS_MAX {
        return Ok(known);
    }
    Ok(Some(Talk { exchange: ask(session, id)?, questions: Vec::new(), asked: 0 }))
}

/// Asks for the result of a task, and so for its questions.
pub(super) fn ask(session: &Session, id: &str) -> Result<Exchange, Fault> {
    let wants = Wants { task: Some(Arc::from(id)), ..Wants::default() };
    session.link.begin(session.link.next_id(), &Method::TasksResult, &id_params(id), wants)
}
