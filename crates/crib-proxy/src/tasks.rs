//! Task ids as clients know them: sealed, so that they name the server and work for nobody else.

use crib_mcp::{Json, Payload, RpcError, code, meta};
use crib_model::{Principal, Replica, Slug};
use crib_policy::Purpose;

use crate::elsewhere;
use crate::plane::Plane;

/// Stands before the replica in which a task was made; no server has it in its name.
const MAKER: char = '@';

/// Seals a server's task id for a caller.
pub(crate) fn seal(plane: &Plane, principal: &Principal, slug: &Slug, id: &str) -> String {
    let plain = match elsewhere::here(plane) {
        Some(here) => format!("{MAKER}{here}\n{slug}\n{id}"),
        None => format!("{slug}\n{id}"),
    };
    plane.seal.seal(Purpose::Task, principal, b"", plain.as_bytes())
}

/// Returns the replica in which a task was made: where its server speaks 2025-11-25, only the session there knows it.
pub(crate) fn maker(plane: &Plane, principal: &Principal, sealed: &str) -> Option<Replica> {
    let opened = plane.seal.open(Purpose::Task, principal, b"", sealed)?;
    let (maker, _) = std::str::from_utf8(&opened).ok()?.strip_prefix(MAKER)?.split_once('\n')?;
    Replica::parse(maker)
}

/// Opens a task id; `None` for anything this gateway did not give to this caller.
pub(crate) fn open(plane: &Plane, principal: &Principal, sealed: &str) -> Option<(Slug, String)> {
    let opened = plane.seal.open(Purpose::Task, principal, b"", sealed)?;
    let text = std::str::from_utf8(&opened).ok()?;
    let text = if text.starts_with(MAKER) { text.split_once('\n')?.1 } else { text };
    let (slug, id) = text.split_once('\n')?;
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
