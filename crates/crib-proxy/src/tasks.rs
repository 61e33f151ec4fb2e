//! Task ids as clients know them: sealed, so that they name the server and work for nobody else.

use crib_mcp::{Json, Payload, RpcError, code, meta};
use crib_model::{Principal, Slug};
use crib_policy::Purpose;

use crate::plane::Plane;

/// Seals a server's task id for a caller.
pub(crate) fn seal(plane: &Plane, principal: &Principal, slug: &Slug, id: &str) -> String {
    plane.seal.seal(Purpose::Task, principal, b"", format!("{slug}\n{id}").as_bytes())
}

/// Opens a task id; `None` for anything this gateway did not give to this caller.
pub(crate) fn open(plane: &Plane, principal: &Principal, sealed: &str) -> Option<(Slug, String)> {
    let opened = plane.seal.open(Purpose::Task, principal, b"", sealed)?;
    let (slug, id) = std::str::from_utf8(&opened).ok()?.split_once('\n')?;
    Some((Slug::parse(slug)?, id.to_owned()))
}

/// Puts the client's form of the task id into a task object; `known` is that form where the client named the task.
pub(crate) fn expose(plane: &Plane, principal: &Principal, slug: &Slug, task: &Payload, known: Option<&Json>) -> Payload {
    let Some(id) = task.text("taskId") else { return task.clone() };
    let id = known.cloned().unwrap_or_else(|| Json::of(&seal(plane, principal, slug, &id)));
    let mut edit = task.edit();
    edit.set("taskId", id);
    edit.to_payload()
}

/// The refusal for a client that uses tasks without declaring the extension.
pub(crate) fn undeclared() -> RpcError {
    let needed = serde_json::json!({ "requiredCapabilities": { "extensions": { meta::extension::TASKS: {} } } });
    RpcError::new(code::MISSING_CAPABILITY, "Missing required client capability").with_data(Json::of(&needed))
}
