//! Questions of a legacy server that it lets this client answer as tasks (2025-11-25).

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crib_mcp::{Chunks, Json, Method, Request, RpcError, code, message, meta};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Client;

/// Tasks of a server that are kept, begun or over.
const CHORES_MAX: usize = 64;
const TTL_MS_MAX: u64 = 60 * 60 * 1000;
const POLL_MS: u64 = 250;

/// The tasks a server has given this client.
#[derive(Debug, Default)]
pub(super) struct Chores(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    next: u64,
    chores: HashMap<String, Chore>,
}

#[derive(Debug)]
struct Chore {
    state: watch::Sender<State>,
    number: u64,
    ttl_ms: u64,
    created: SystemTime,
}

#[derive(Clone, Debug, Default)]
struct State {
    outcome: Option<Result<Value, RpcError>>,
    is_cancelled: bool,
    changed: Option<SystemTime>,
}

// === impl Chores ===

impl Chores {
    /// Begins a task where the request wants one, and returns the answer to it with the task's id.
    pub(super) fn begin(&self, request: &Request, params: &Value) -> Option<Result<(String, Value), RpcError>> {
        let wanted = params.get("task")?.as_object()?;
        if !matches!(request.method, Method::SamplingCreate | Method::ElicitationCreate) {
            return None;
        }
        let ttl_ms = wanted.get("ttl").and_then(Value::as_u64).unwrap_or(TTL_MS_MAX).min(TTL_MS_MAX);
        let mut book = self.0.lock();
        book.make_room();
        if book.chores.len() >= CHORES_MAX {
            return Some(Err(RpcError::new(code::INTERNAL, "too many tasks")));
        }
        let number = book.next;
        book.next += 1;
        let id = format!("inspect-{number}");
        let chore = Chore { state: watch::Sender::default(), number, ttl_ms, created: SystemTime::now() };
        let answer = json!({ "task": chore.describe(&id) });
        book.chores.insert(id.clone(), chore);
        Some(Ok((id, answer)))
    }

    /// Ends a task with what the question was answered; nothing happens where it was cancelled before.
    pub(super) fn end(&self, id: &str, outcome: Result<Value, RpcError>) {
        if let Some(chore) = self.0.lock().chores.get(id) {
            chore.settle(|state| state.outcome = Some(outcome));
        }
    }

    /// Waits until a task is cancelled.
    pub(super) async fn cancelled(&self, id: &str) {
        let Some(mut state) = self.watched(id) else { return };
        drop(state.wait_for(|state| state.is_cancelled).await);
    }

    /// Answers `tasks/get`, `tasks/list` and `tasks/cancel`.
    pub(super) fn answer(&self, method: &Method, params: &Value) -> Result<Value, RpcError> {
        let book = self.0.lock();
        if *method == Method::TasksList {
            let mut chores: Vec<(&String, &Chore)> = book.chores.iter().collect();
            chores.sort_by_key(|(_, chore)| chore.number);
            return Ok(json!({ "tasks": chores.into_iter().map(|(id, chore)| chore.describe(id)).collect::<Vec<_>>() }));
        }
        let id = params.get("taskId").and_then(Value::as_str).unwrap_or_default();
        let chore = book.chores.get(id).ok_or_else(unknown)?;
        if *method == Method::TasksCancel && !chore.settle(|state| state.is_cancelled = true) {
            return Err(RpcError::new(code::INVALID_PARAMS, "the task is over"));
        }
        Ok(chore.describe(id))
    }

    /// Waits for the end of a task and returns what the question was answered.
    pub(super) async fn result(&self, params: &Value) -> Result<Value, RpcError> {
        let id = params.get("taskId").and_then(Value::as_str).unwrap_or_default();
        let mut state = self.watched(id).ok_or_else(unknown)?;
        let over = state.wait_for(State::is_over).await.map_err(|_gone| unknown())?.clone();
        let mut result = over.outcome.unwrap_or_else(|| Err(RpcError::new(code::INTERNAL, "the task was cancelled")))?;
        if let Some(object) = result.as_object_mut() {
            let own = object.entry("_meta").or_insert_with(|| json!({}));
            if let Some(own) = own.as_object_mut() {
                own.insert(meta::RELATED_TASK.to_owned(), json!({ "taskId": id }));
            }
        }
        Ok(result)
    }

    fn watched(&self, id: &str) -> Option<watch::Receiver<State>> {
        self.0.lock().chores.get(id).map(|chore| chore.state.subscribe())
    }
}

fn unknown() -> RpcError {
    RpcError::new(code::INVALID_PARAMS, "unknown task")
}

// === impl Book ===

impl Book {
    /// Forgets what has lived as long as it was to, and of what is over the oldest where there is no room.
    fn make_room(&mut self) {
        self.chores.retain(|_, chore| chore.created.elapsed().is_ok_and(|age| age < Duration::from_millis(chore.ttl_ms)));
        if self.chores.len() >= CHORES_MAX {
            let over = self.chores.iter().filter(|(_, chore)| chore.state.borrow().is_over());
            let oldest = over.min_by_key(|(_, chore)| chore.number).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.chores.remove(&id));
        }
    }
}

// === impl Chore ===

impl Chore {
    /// Changes a task that is not over.
    fn settle(&self, change: impl FnOnce(&mut State)) -> bool {
        self.state.send_if_modified(|state| {
            let is_open = !state.is_over();
            if is_open {
                change(state);
                state.changed = Some(SystemTime::now());
            }
            is_open
        })
    }

    fn describe(&self, id: &str) -> Value {
        let state = self.state.borrow();
        json!({
            "taskId": id,
            "status": state.status(),
            "createdAt": timestamp(self.created),
            "lastUpdatedAt": timestamp(state.changed.unwrap_or(self.created)),
            "ttl": self.ttl_ms,
            "pollInterval": POLL_MS,
        })
    }
}

// === impl State ===

impl State {
    fn is_over(&self) -> bool {
        self.is_cancelled || self.outcome.is_some()
    }

    fn status(&self) -> &'static str {
        match (&self.outcome, self.is_cancelled) {
            (_, true) => "cancelled",
            (None, _) => "working",
            (Some(Ok(_)), _) => "completed",
            (Some(Err(_)), _) => "failed",
        }
    }
}

/// Writes a time as `2026-01-31T10:00:00Z`.
fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days of the Gregorian calendar, counted from the first of March of the year 0.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

/// Serves what is about such tasks; `false` for what is not.
pub(super) fn serve(client: &Client, request: &Request, params: &Value) -> bool {
    if matches!(request.method, Method::TasksGet | Method::TasksList | Method::TasksCancel) {
        let outcome = client.0.chores.answer(&request.method, params);
        let (client, id) = (client.clone(), request.id.clone());
        client.0.tracker.clone().spawn(async move { client.tell(&id, outcome).await });
        return true;
    }
    if request.method == Method::TasksResult {
        let (client, id, params) = (client.clone(), request.id.clone(), params.clone());
        client.0.tracker.clone().spawn(async move {
            let outcome = tokio::select! {
                () = client.0.closing.cancelled() => return,
                outcome = client.0.chores.result(&params) => outcome,
            };
            client.tell(&id, outcome).await;
        });
        return true;
    }
    let Some(begun) = client.0.chores.begin(request, params) else { return false };
    let (client, request, params) = (client.clone(), request.clone(), params.clone());
    client.0.tracker.clone().spawn(async move { run(client, request, params, begun).await });
    true
}

/// Answers with the task, then asks whoever answers questions.
async fn run(client: Client, request: Request, params: Value, begun: Result<(String, Value), RpcError>) {
    let (task, answer) = match begun {
        Ok((task, answer)) => (Some(task), Ok(answer)),
        Err(error) => (None, Err(error)),
    };
    client.tell(&request.id, answer).await;
    let Some(task) = task else { return };
    tokio::select! {
        () = client.0.closing.cancelled() => {}
        () = client.0.chores.cancelled(&task) => {}
        outcome = client.0.decided(&request.method, &params) => client.0.chores.end(&task, outcome),
    }
}

impl Client {
    /// Answers a request of the server.
    pub(super) async fn tell(&self, id: &crib_mcp::RequestId, outcome: Result<Value, RpcError>) {
        let text = match outcome {
            Ok(result) => message::result(id, &Chunks::from(Json::of(&result))),
            Err(error) => message::error(Some(id), &error),
        };
        if let Err(fault) = self.0.post(text.into_bytes()).await {
            tracing::debug!(%fault, "an answer was not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_protocol_wants_them() {
        let at = |seconds| timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
