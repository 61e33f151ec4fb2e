//! Tasks: calls that go on in the server, nested as 2025-11-25 has them or flat as the extension of 2026-07-28.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crib_mcp::{Json, Method, RpcError, code, meta};
use crib_model::{Code, Fault};
use crib_registry::pins::visible;
use serde_json::{Map, Value, json};

use super::{Client, Reply};
use crate::probe;

/// Bounds of the pause between two looks at a task, and what it is where the server proposes none.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_USUAL_MS: u64 = 500;
/// Tasks of one conversation that are remembered; the oldest go first.
const TASKS_MAX: usize = 256;
/// How much longer than this client waits a task is asked to live.
const TTL_BEYOND: Duration = Duration::from_secs(60);
/// Longest wait for the answer to `tasks/cancel` when the conversation ends.
const CANCEL_WAIT: Duration = Duration::from_secs(2);

/// A task as the server showed it last.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    pub status: String,
    /// What the server said of it, whole.
    pub value: Value,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum TaskEnd {
    /// With what the call would have been answered.
    Answer(Reply),
    Cancelled(Task),
}

/// What of tasks a conversation remembers.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// Tools that run as tasks only, and those that may.
    required: HashSet<String>,
    optional: HashSet<String>,
    /// The tasks that were begun here, oldest first.
    begun: Vec<String>,
    /// Those of them somebody waits for: they end with the conversation.
    awaited: HashSet<String>,
}

// === impl Task ===

impl Task {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        Some(Self { id: text("taskId")?, status: text("status").unwrap_or_else(|| "working".to_owned()), value: value.clone() })
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// Returns how long to wait before the next look.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let proposed = ["pollIntervalMs", "pollInterval"].into_iter().find_map(|name| self.value.get(name)?.as_u64());
        Duration::from_millis(proposed.unwrap_or(PAUSE_USUAL_MS)).clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

// === impl Tasks ===

impl Tasks {
    /// Notes which tools run as tasks.
    pub(super) fn learn(&mut self, tools: &[Value]) {
        for tool in tools {
            let Some(name) = probe::name(tool) else { continue };
            let support = tool.get("execution").and_then(|execution| execution.get("taskSupport")?.as_str());
            match support {
                Some("required") => drop(self.required.insert(name.to_owned())),
                Some("optional") => drop(self.optional.insert(name.to_owned())),
                Some(_) | None => {}
            }
        }
    }

    fn note(&mut self, id: &str) {
        if self.begun.iter().any(|known| known == id) {
            return;
        }
        if self.begun.len() >= TASKS_MAX {
            self.begun.remove(0);
        }
        self.begun.push(id.to_owned());
    }
}

// === impl Client ===

impl Client {
    /// Whether tools of the server can run as tasks.
    #[must_use]
    pub fn has_tasks(&self) -> bool {
        let Some(capabilities) = self.hello().capabilities() else { return false };
        let place: &[&str] =
            if self.is_modern() { &["extensions", meta::extension::TASKS] } else { &["tasks", "requests", "tools", "call"] };
        let mut found = capabilities.get(*place.first().unwrap_or(&""));
        for step in place.iter().skip(1) {
            found = found.and_then(|value| value.get(step));
        }
        found.is_some()
    }

    fn is_modern(&self) -> bool {
        self.hello().revision.is_modern()
    }

    /// Asks for a task where the tool runs in no other way. A modern server decides that itself.
    #[must_use]
    pub(crate) fn as_it_must(&self, method: &str, params: Value) -> Value {
        let is_required = |params: &Value| {
            let name = params.get("name").and_then(Value::as_str);
            name.is_some_and(|name| self.0.tasks.lock().required.contains(name))
        };
        if method == Method::ToolsCall.as_str() && is_required(&params) { self.as_task(params) } else { params }
    }

    /// Asks for a task where that is the client's to ask.
    #[must_use]
    pub(crate) fn as_task(&self, mut params: Value) -> Value {
        if !self.is_modern()
            && self.has_tasks()
            && let Some(object) = params.as_object_mut()
        {
            let ttl = u64::try_from((self.options().timeout + TTL_BEYOND).as_millis()).unwrap_or(u64::MAX);
            object.entry("task").or_insert_with(|| json!({ "ttl": ttl }));
        }
        params
    }

    /// Whether a tool may be asked to run as a task. Of a modern server nobody knows before.
    #[must_use]
    pub(crate) fn may_be_task(&self, tool: &str) -> bool {
        let tasks = self.0.tasks.lock();
        self.has_tasks() && (self.is_modern() || tasks.required.contains(tool) || tasks.optional.contains(tool))
    }

    /// Returns the task that an answer began.
    #[must_use]
    pub fn begun(&self, reply: &Reply) -> Option<Task> {
        let result = reply.outcome.as_ref().ok()?;
        let is_flat = result.get("resultType").and_then(Value::as_str) == Some("task");
        let task = Task::read(if is_flat { result } else { result.get("task").filter(|_| !self.is_modern())? })?;
        self.0.tasks.lock().note(&task.id);
        Some(task)
    }

    /// Returns the tasks that were begun here, newest last.
    #[must_use]
    pub fn tasks_begun(&self) -> Vec<String> {
        self.0.tasks.lock().begun.clone()
    }

    /// Asks how a task is.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn task(&self, id: &str) -> Result<Result<Task, RpcError>, Fault> {
        let reply = self.request(Method::TasksGet.as_str(), json!({ "taskId": id })).await?;
        let strange = || RpcError::new(code::INTERNAL, "the answer to tasks/get is no task");
        Ok(reply.outcome.and_then(|result| Task::read(&result).ok_or_else(strange)))
    }

    /// Cancels a task.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn cancel_task(&self, id: &str) -> Result<Reply, Fault> {
        self.request(Method::TasksCancel.as_str(), json!({ "taskId": id })).await
    }

    /// Waits for the end of a task, questions of the server answered on the way. A task that takes too long is cancelled,
    /// and so is one that is waited for when the conversation ends.
    ///
    /// # Errors
    /// The server is gone, or the task was not over in time.
    pub async fn finish(&self, task: Task) -> Result<TaskEnd, Fault> {
        let (begin, id) = (Instant::now(), task.id.clone());
        self.0.tasks.lock().awaited.insert(id.clone());
        let timeout = self.options().timeout;
        let ended = tokio::time::timeout(timeout, self.follow(task, begin + timeout)).await;
        if ended.is_err() {
            // That it could not be cancelled changes nothing about what is said.
            drop(tokio::time::timeout(CANCEL_WAIT, self.cancel_task(&id)).await);
        }
        self.0.tasks.lock().awaited.remove(&id);
        let late = |_late| {
            let message = format!("the task `{}` of `{}` was not over within {timeout:?} and is cancelled", visible(&id), self.name());
            Fault::new(Code::DeadlineExceeded, message).hint("wait longer: --timeout 5m")
        };
        let mut end = ended.map_err(late)??;
        if let TaskEnd::Answer(reply) = &mut end {
            reply.elapsed = begin.elapsed();
        }
        Ok(end)
    }

    async fn follow(&self, mut task: Task, deadline: Instant) -> Result<TaskEnd, Fault> {
        let mut answered: HashSet<String> = HashSet::new();
        loop {
            if task.status == "cancelled" {
                return Ok(TaskEnd::Cancelled(task));
            }
            if !self.is_modern() && (task.is_over() || task.status == "input_required") {
                // It is answered when the task is over; what the server asks comes meanwhile.
                let params = json!({ "taskId": task.id });
                return self.send(Method::TasksResult.as_str(), &params, deadline).await.map(TaskEnd::Answer);
            }
            if let Some(reply) = inlined(&task) {
                return Ok(TaskEnd::Answer(reply));
            }
            if task.status == "input_required" && !self.answer_task(&task, &mut answered).await? {
                self.cancel_task(&task.id).await?;
                return Ok(TaskEnd::Cancelled(task));
            }
            tokio::time::sleep(task.pause()).await;
            task = match self.task(&task.id).await? {
                Ok(task) => task,
                Err(error) => return Ok(TaskEnd::Answer(reply(Err(error)))),
            };
        }
    }

    /// Answers what a modern task asks and was not answered before; `false` where something is declined for good.
    async fn answer_task(&self, task: &Task, answered: &mut HashSet<String>) -> Result<bool, Fault> {
        let asked = task.value.get("inputRequests").and_then(Value::as_object).into_iter().flatten();
        let new: Map<String, Value> =
            asked.filter(|(key, _)| !answered.contains(*key)).map(|(key, request)| (key.clone(), request.clone())).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let Some(answers) = self.0.answers(&new).await else { return Ok(false) };
        answered.extend(new.into_iter().map(|(key, _)| key));
        let update = self.request(Method::TasksUpdate.as_str(), json!({ "taskId": task.id, "inputResponses": answers })).await?;
        if let Err(error) = &update.outcome {
            tracing::debug!(%error.message, "an answer to a task was not taken");
        }
        Ok(true)
    }

    /// Cancels what somebody waited for until now.
    pub(super) async fn leave_tasks(&self) {
        let awaited: Vec<String> = self.0.tasks.lock().awaited.drain().collect();
        let all = async {
            for id in &awaited {
                drop(self.cancel_task(id).await);
            }
        };
        drop(tokio::time::timeout(CANCEL_WAIT, all).await);
    }
}

/// Reads what the extension puts into a task that is over.
fn inlined(task: &Task) -> Option<Reply> {
    match task.status.as_str() {
        "completed" => Some(reply(Ok(task.value.get("result").cloned().unwrap_or_default()))),
        "failed" => {
            let error = task.value.get("error");
            let message = error.and_then(|error| error.get("message")?.as_str()).unwrap_or("the task failed and does not say why");
            let code = error.and_then(|error| error.get("code")?.as_i64()).unwrap_or(code::INTERNAL);
            let mut told = RpcError::new(code, message.to_owned());
            if let Some(data) = error.and_then(|error| error.get("data")) {
                told = told.with_data(Json::of(data));
            }
            Some(reply(Err(told)))
        }
        _ => None,
    }
}

fn reply(outcome: Result<Value, RpcError>) -> Reply {
    Reply { outcome, elapsed: Duration::ZERO, status: None }
}
