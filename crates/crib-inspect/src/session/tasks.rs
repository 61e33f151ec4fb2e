//! Commands about tasks.

use crib_mcp::Method;
use crib_registry::pins::visible;
use serde_json::{Value, json};

use super::arguments::Mistake;
use super::{Said, said, shown};
use crate::client::{Client, Task, TaskEnd};

/// Begins a call as a task; what is answered at once is shown.
pub(super) async fn begin(client: &Client, params: Value) -> Result<Said, Mistake> {
    let reply = client.request(Method::ToolsCall.as_str(), params).await?;
    Ok(match client.begun(&reply) {
        Some(task) => shown(line(&task), task.value),
        None => said(&reply),
    })
}

/// Shows how the tasks are: all of a server that lists them, or those that were begun here.
pub(super) async fn all(client: &Client) -> Result<Said, Mistake> {
    let lists = client.hello().capabilities().and_then(|capabilities| capabilities.get("tasks")?.get("list"));
    if lists.is_some() {
        let reply = client.request(Method::TasksList.as_str(), json!({})).await?;
        let Ok(result) = &reply.outcome else { return Ok(said(&reply)) };
        let tasks = result.get("tasks").and_then(Value::as_array).cloned().unwrap_or_default();
        return Ok(listed(&tasks));
    }
    let mut tasks = Vec::new();
    for id in client.tasks_begun() {
        // One that the server has forgotten is not shown.
        tasks.extend(client.task(&id).await?.ok().map(|task| task.value));
    }
    Ok(listed(&tasks))
}

/// Waits for a task, the one that was begun last where none is named.
pub(super) async fn wait(client: &Client, id: Option<&str>) -> Result<Said, Mistake> {
    let id = named(client, id)?;
    match client.task(&id).await? {
        Ok(task) => finish(client, task).await,
        Err(error) => Ok(super::refused(&error)),
    }
}

/// Cancels a task, the one that was begun last where none is named.
pub(super) async fn cancel(client: &Client, id: Option<&str>) -> Result<Said, Mistake> {
    let id = named(client, id)?;
    let reply = client.cancel_task(&id).await?;
    Ok(match &reply.outcome {
        Ok(result) => shown(format!("{}  cancelled\n", visible(&id)), result.clone()),
        Err(error) => super::refused(error),
    })
}

/// Waits for the end of a task and shows what it came to.
pub(super) async fn finish(client: &Client, task: Task) -> Result<Said, Mistake> {
    Ok(match client.finish(task).await? {
        TaskEnd::Answer(reply) => said(&reply),
        TaskEnd::Cancelled(task) => {
            Said::Failed { text: line(&Task { status: "cancelled".to_owned(), ..task.clone() }), value: task.value }
        }
    })
}

fn named(client: &Client, id: Option<&str>) -> Result<String, Mistake> {
    let last = || client.tasks_begun().pop();
    id.map(str::to_owned).or_else(last).ok_or_else(|| Mistake::new("no task was begun").hint("begin one: start NAME"))
}

fn listed(tasks: &[Value]) -> Said {
    let of = |task: &Value, name: &str| visible(task.get(name).and_then(Value::as_str).unwrap_or_default());
    let text: String = tasks.iter().map(|task| said_of(&of(task, "taskId"), &of(task, "status"), &of(task, "statusMessage"))).collect();
    shown(if tasks.is_empty() { "no tasks\n".to_owned() } else { text }, json!({ "tasks": tasks }))
}

fn line(task: &Task) -> String {
    let message = task.value.get("statusMessage").and_then(Value::as_str).unwrap_or_default();
    said_of(&visible(&task.id), &visible(&task.status), &visible(message))
}

fn said_of(id: &str, status: &str, message: &str) -> String {
    let line = format!("{id}  {status}  {message}");
    format!("{}\n", line.replace('\n', " ").trim_end())
}
