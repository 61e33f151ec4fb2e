//! The entries of one client, and where each is to run.

use crib_clients::{Imported, Refusal, Scope, Value};

use super::super::Task;
use super::super::survey::{self, Seen};
use super::asked::each_text;
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

/// Has a server of a directory run there, whatever directory the gateway is started in.
pub(super) fn place(imported: &mut Imported, runs: Runs, task: &Task<'_>) {
    let project = task.places.project.display().to_string();
    if runs != Runs::InProject {
        return;
    }
    each_text(&mut imported.value, &mut |text| {
        for written in ["${workspaceFolder}", "${workspace}"] {
            *text = text.replace(written, &project.replace("${", "$${"));
        }
    });
    let Value::Map(members) = &mut imported.value else { return };
    for (_, file) in members.iter_mut().filter(|(name, _)| name == "envFile") {
        if let Some(path) = file.as_text().filter(|path| !path.starts_with(['~', '$'])) {
            *file = Value::text(task.places.project.join(path).display().to_string());
        }
    }
    if members.iter().any(|(name, _)| name == "command") && members.iter().all(|(name, _)| name != "cwd") {
        members.push(("cwd".to_owned(), Value::text(project)));
    }
}
