//! The entries of one client, and where each is to run.

use std::path::{Path, PathBuf};

use crib_clients::{Imported, Refusal, Scope, Value};

use super::super::Task;
use super::super::survey::{self, Seen};
use super::asked::each_text;
use crate::failure::Failure;

/// Where a server is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Anywhere,
    /// In the folder of its project.
    In(PathBuf),
}

/// Reads the entries of a client: those of its user, and those its user has for this directory alone.
pub(super) fn of(task: &Task<'_>, seen: &Seen) -> Result<Vec<(String, Value, Runs)>, Failure> {
    let Some(found) = seen.read(&task.places)? else { return Ok(Vec::new()) };
    let text = seen.text(&found, &task.places)?;
    let project = (task.scope == Scope::Project).then_some(task.places.project.as_path());
    of_text(task, seen, &text, project).map_err(|refusal| survey::broken(seen, &text, &refusal, &task.places))
}

/// Reads them from a text; all belong to the project, where there is one.
pub(super) fn of_text(task: &Task<'_>, seen: &Seen, text: &str, project: Option<&Path>) -> Result<Vec<(String, Value, Runs)>, Refusal> {
    let spot = seen.spot(text, "");
    let all = crib_clients::entries(text, spot.language, spot.place)?;
    let (runs, here) = match project {
        None => (Runs::Anywhere, seen.client.entries_of_directory(text, &task.places.project)?),
        Some(project) => (Runs::In(project.to_owned()), Vec::new()),
    };
    let all = all.into_iter().map(|(name, entry)| (name, entry, runs.clone()));
    Ok(all.chain(here.into_iter().map(|(name, entry)| (name, entry, Runs::In(task.places.project.clone())))).collect())
}

/// Has a server of a directory run there, whatever directory the gateway is started in.
pub(super) fn place(imported: &mut Imported, runs: &Runs) {
    let Runs::In(folder) = runs else { return };
    let project = folder.display().to_string();
    each_text(&mut imported.value, &mut |text| {
        for written in ["${workspaceFolder}", "${workspace}"] {
            *text = text.replace(written, &project.replace("${", "$${"));
        }
    });
    let Value::Map(members) = &mut imported.value else { return };
    for (_, file) in members.iter_mut().filter(|(name, _)| name == "envFile") {
        if let Some(path) = file.as_text().filter(|path| !path.starts_with(['~', '$'])) {
            *file = Value::text(folder.join(path).display().to_string());
        }
    }
    if members.iter().any(|(name, _)| name == "command") && members.iter().all(|(name, _)| name != "cwd") {
        members.push(("cwd".to_owned(), Value::text(project)));
    }
}
