//! Tasks of 2025-11-25 in the shapes of the tasks extension (SEP-2663).

use crate::error::RpcError;
use crate::json::{Chunks, Edit, Json, Payload, Pieces};
use crate::meta;
use crate::translate::outcome::set_meta;

/// What `tasks/get` of the extension shows beside the state of a task.
#[derive(Clone, Debug, Default)]
pub enum Inlined {
    /// The task works, or was cancelled.
    #[default]
    Nothing,
    /// The result of a completed task, in the dialect of 2026-07-28.
    Result(Chunks),
    /// The error of a failed task.
    Error(RpcError),
    /// What a waiting task asks: a map of keys to `{method, params}`.
    InputRequests(Json),
}

/// Returns a `CreateTaskResult` of 2025-11-25 as one of the extension: flat, and in milliseconds by name.
#[must_use]
pub fn task_up(create_task_result: &Payload) -> Payload {
    let task = create_task_result.get("task").and_then(|task| task.to_object().ok()).unwrap_or_default();
    let mut edit = task.edit();
    rename(&mut edit, &task);
    edit.set("resultType", Json::from_static("\"task\""));
    let mut meta = create_task_result.edit_meta();
    meta.remove(meta::RELATED_TASK);
    if let Some(whole) = create_task_result.get("_meta")
        && !meta.leaves_nothing()
    {
        edit.set("_meta", if meta.is_unchanged() { whole.into() } else { meta.finish() });
    }
    edit.to_payload()
}

/// Returns a result of `tasks/get` of 2025-11-25 as one of the extension.
///
/// The extension has `completed`, `failed` and `input_required` only together with what they announce. Without it the
/// task is shown as working, so that the client asks again.
#[must_use]
pub fn task_get_up(task: &Payload, inlined: Inlined) -> Payload {
    let mut edit = task.edit();
    rename(&mut edit, task);
    edit.set("resultType", Json::from_static("\"complete\""));
    let mut meta = task.edit_meta();
    meta.remove(meta::RELATED_TASK);
    set_meta(&mut edit, &meta);
    match inlined {
        Inlined::Nothing if announces(task) => edit.set("status", Json::from_static("\"working\"")),
        Inlined::Nothing => &mut edit,
        Inlined::Result(result) => edit.set("status", Json::from_static("\"completed\"")).set("result", result),
        Inlined::Error(error) => {
            let mut out = Pieces::default();
            error.write(&mut out);
            edit.set("status", Json::from_static("\"failed\"")).set("error", out.finish())
        }
        Inlined::InputRequests(requests) => edit.set("status", Json::from_static("\"input_required\"")).set("inputRequests", requests),
    };
    edit.to_payload()
}

/// Returns the parameters of a status notification; `None` where the extension wants more than 2025-11-25 says.
pub(super) fn status_up(params: &Payload) -> Option<Payload> {
    if announces(params) {
        return None;
    }
    let mut edit = params.edit();
    rename(&mut edit, params);
    let mut meta = params.edit_meta();
    meta.remove(meta::RELATED_TASK);
    set_meta(&mut edit, &meta);
    Some(edit.to_payload())
}

fn announces(task: &Payload) -> bool {
    matches!(task.text("status").as_deref(), Some("completed" | "failed" | "input_required"))
}

/// `ttlMs` must be there; a task without a lifetime lives without limit.
fn rename(edit: &mut Edit<'_>, task: &Payload) {
    edit.remove("ttl").remove("pollInterval");
    edit.set("ttlMs", task.get("ttl").unwrap_or(Json::from_static("null")));
    if let Some(interval) = task.get("pollInterval") {
        edit.set("pollIntervalMs", interval);
    }
}
