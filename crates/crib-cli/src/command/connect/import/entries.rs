//! The entries of one client, and where each is to run.

use crib_clients::{Imported, Refusal, Scope, Value};

use super::super::Task;
use super::super::survey::{self, Seen};
use crate::failure::Failure;

/// Where a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Anywhere,
    InProject,
}

/// Reads the entries of a client: those of its user, and those its user has for this directory alone.
pub(super) fn of(task: &Task<'_>, seen: &Seen) -> Result<Vec<(String, Value, Runs)>, Failure> {
    let Some(found) = seen.read(&task.places)? else { return Ok(Vec::new()) };
    let text = seen.text(&found, &task.places)?;
    let spot = seen.spot(&text, "");
    let refused = |refusal: Refusal| survey::broken(seen, &text, &refusal, &task.places);
    let all = crib_clients::entries(&text, spot.language, spot.place).map_err(refused)?;
    let (runs, here) = match task.scope {
        Scope::User => (Runs::Anywhere, seen.client.entries_of_directory(&text, &task.places.project).map_err(refused)?),
        Scope::Project => (Runs::InProject, Vec::new()),
    };
    let all = all.into_iter().map(|(name, entry)| (name, entry, runs));
    Ok(all.chain(here.into_iter().map(|(name, entry)| (name, entry, Runs::InProject))).collect())
}

/// Has a server of a directory run there.
pub(super) fn place(imported: &mut Imported, runs: Runs, task: &Task<'_>) {
    if let (Runs::InProject, Value::Map(members)) = (runs, &mut imported.value)
        && members.iter().any(|(name, _)| name == "command")
        && members.iter().all(|(name, _)| name != "cwd")
    {
        members.push(("cwd".to_owned(), Value::text(task.places.project.display().to_string())));
    }
}
