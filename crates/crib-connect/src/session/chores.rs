//! Tasks of 2025-11-25 that a server gives to its client: questions it does not wait for, but looks after.
//!
//! The gateway keeps them for clients that declared such tasks. To the client they are questions like any other.

use std::collections::HashMap;

use crib_mcp::{Chunks, Json, Method, Payload, RequestId, RpcError, code, message, meta};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::rfc3339;

/// Chores of one session that are kept at once; beyond it a question is asked as if it were none.
const CHORES_MAX: usize = 64;
/// How often a server should look after a chore.
const POLL_MS: u64 = 500;

#[derive(Debug, Default)]
pub(super) struct Chores {
    is_offered: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<String, Chore>,
    count: u64,
}

#[derive(Debug)]
struct Chore {
    created: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Requests for the result that wait for it.
    Open(Vec<RequestId>),
    Done(Result<Json, RpcError>),
    Cancelled,
}

/// Tells whether a client declared that it can be given tasks.
pub(super) fn is_declared(capabilities: &Payload) -> bool {
    let tasks = capabilities.get("tasks").and_then(|tasks| tasks.to_object().ok());
    tasks.is_some_and(|tasks| tasks.object.has("requests"))
}

// === impl Chores ===

impl Chores {
    pub(super) fn new(is_offered: bool) -> Self {
        Self { is_offered, inner: Mutex::default() }
    }

    /// Takes a question as a chore, if it is meant as one; returns its id and what to answer at once.
    pub(super) fn take(&self, params: &Payload) -> Option<(String, Json)> {
        let mut inner = self.inner.lock();
        if !self.is_offered || !params.object.has("task") || inner.open.len() >= CHORES_MAX {
            return None;
        }
        inner.count += 1;
        let id = format!("chore-{}", inner.count);
        let chore = Chore { created: rfc3339::now(), state: State::Open(Vec::new()) };
        let created = Json::of(&json!({ "task": chore.describe(&id) }));
        inner.open.insert(id.clone(), chore);
        Some((id, created))
    }

    /// Notes the answer to a chore; returns the messages for those who wait for it.
    pub(super) fn finish(&self, id: &str, answer: &Result<Json, RpcError>) -> Vec<Chunks> {
        let mut inner = self.inner.lock();
        let Some(chore) = inner.open.get_mut(id) else { return Vec::new() };
        if matches!(chore.state, State::Cancelled) {
            return Vec::new();
        }
        let State::Open(waiting) = std::mem::replace(&mut chore.state, State::Done(answer.clone())) else { return Vec::new() };
        waiting.iter().map(|request| result(request, id, answer)).collect()
    }

    /// Answers what a server asks about its chores; `None` means later, or that it is no such question.
    pub(super) fn asked(&self, request: &RequestId, method: &Method, params: &Payload) -> Option<Chunks> {
        let id = params.text("taskId")?;
        let mut inner = self.inner.lock();
        let Some(chore) = inner.open.get_mut(id.as_ref()) else {
            let error = RpcError::new(code::INVALID_PARAMS, format!("unknown task `{id}`"));
            return Some(message::error(Some(request), &error));
        };
        if *method == Method::TasksCancel {
            chore.state = State::Cancelled;
        }
        if *method != Method::TasksResult {
            return Some(message::result(request, &Json::of(&chore.describe(&id)).into()));
        }
        match &mut chore.state {
            State::Open(waiting) => {
                waiting.push(request.clone());
                None
            }
            State::Done(answer) => {
                let text = result(request, &id, answer);
                // Whoever has fetched the result has no more questions.
                inner.open.remove(id.as_ref());
                Some(text)
            }
            State::Cancelled => Some(message::error(Some(request), &RpcError::new(code::INVALID_PARAMS, "the task was cancelled"))),
        }
    }
}

/// Tells whether a request of a server is about its chores.
pub(super) fn is_about(method: &Method) -> bool {
    matches!(method, Method::TasksGet | Method::TasksResult | Method::TasksCancel)
}

fn result(request: &RequestId, id: &str, answer: &Result<Json, RpcError>) -> Chunks {
    match answer {
        Ok(given) => {
            let given = given.to_object().unwrap_or_default();
            let mut meta = given.edit_meta();
            meta.set(meta::RELATED_TASK, Json::of(&json!({ "taskId": id })));
            let mut edit = given.edit();
            edit.set("_meta", meta.finish());
            message::result(request, &edit.finish())
        }
        Err(error) => message::error(Some(request), error),
    }
}

impl Chore {
    fn describe(&self, id: &str) -> Value {
        let status = match &self.state {
            State::Open(_) => "working",
            State::Done(Ok(_)) => "completed",
            State::Done(Err(_)) => "failed",
            State::Cancelled => "cancelled",
        };
        let now = rfc3339::now();
        json!({ "taskId": id, "status": status, "createdAt": self.created, "lastUpdatedAt": now, "ttl": null, "pollInterval": POLL_MS })
    }
}
