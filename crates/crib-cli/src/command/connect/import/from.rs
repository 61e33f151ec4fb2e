//! `connect --import --from FILE`: the servers of one file, whatever client writes such files and wherever it lies.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crib_clients::{Client, Language, Origin, Place, Refusal, Value, Writing, clients};
use crib_control::Problem;
use crib_model::Code;

use super::super::Task;
use super::super::file;
use super::super::survey::Seen;
use super::entries::{self, Runs};
use super::{Given, Harvest, take};
use crate::failure::Failure;
use crate::places::shown;

/// What is said of servers whose file is in no place of a client that is known.
const FILE: &str = "file";
/// What is in every server that can be started or reached, in the words of one client or another.
const WAYS: &[&str] = &["command", "cmd", "url", "httpUrl", "serverUrl"];

/// Takes the servers of a file.
pub(super) fn gather(task: &Task<'_>, path: &Path, known: &[(String, Value)], harvest: &mut Harvest) -> Result<(), Failure> {
    let path = straight(&task.places.project.join(path));
    let name = shown(&path, &task.places);
    let unreadable = |why: &str| {
        Failure::coded(Code::ConfigUnreadable, format!("cannot read {name}: {why}")).hint("check the path, and who may read the file")
    };
    let found = file::read(&path, &task.places)?.ok_or_else(|| unreadable("No such file or directory (os error 2)"))?;
    let refused = |refusal: &Refusal| {
        let text = String::from_utf8_lossy(&found.bytes).into_owned();
        let file = Arc::new(crib_control::File { path: name.clone().into(), text });
        Failure::problems(&[Problem::at(&file, refusal.span.clone(), refusal.message.clone()).hint("nothing was changed; mend the file")])
    };
    let text = crib_clients::decode(&found.bytes).map_err(|refusal| refused(&refusal))?;
    let origin = crib_clients::origin(&path, Some(&task.places.home));
    let language = Language::of(&path, text);
    for client in candidates(origin.as_ref(), language) {
        let seen = Seen { client, is_installed: true, path: Some(path.clone()) };
        let project = origin.as_ref().and_then(|origin| origin.project.as_deref());
        let entries = entries::of_text(task, &seen, text, project).map_err(|refusal| refused(&refusal))?;
        if entries.is_empty() {
            continue;
        }
        if entries.iter().all(|(_, entry, _)| entry.member("image").is_some()) {
            let failure = Failure::usage(format!("{name} is a catalogue, and not a list of servers to run"));
            return Err(failure.hint(format!("choose from it: toolcrib serve -c {name} --only NAME")));
        }
        let is_of = origin.as_ref().is_some_and(|origin| origin.client.id == client.id);
        take(task, Given { seen: &seen, from: if is_of { client.id } else { FILE }, entries }, known, harvest);
        return Ok(());
    }
    let bare = crib_clients::entries(text, language, Place::Map(&[])).map_err(|refusal| refused(&refusal))?;
    let is_server = |entry: &Value| WAYS.iter().any(|way| entry.member(way).is_some());
    if let Some(client) = candidates(None, language).into_iter().next().filter(|_| bare.iter().all(|(_, entry)| is_server(entry)))
        && !bare.is_empty()
    {
        let seen = Seen { client, is_installed: true, path: Some(path) };
        let entries = bare.into_iter().map(|(name, entry)| (name, entry, Runs::Anywhere)).collect();
        take(task, Given { seen: &seen, from: FILE, entries }, known, harvest);
        return Ok(());
    }
    let failure = Failure::coded(Code::ConfigInvalid, format!("no MCP servers in {name}"));
    Err(failure.hint("files of MCP clients can be taken in; a configuration of our own is served as it is: toolcrib serve -c FILE"))
}

/// Takes `..` out of a path, the way the system would follow it; whose a file is, its folders say.
fn straight(path: &Path) -> PathBuf {
    let is_straight = path.components().all(|part| part != Component::ParentDir);
    let folder = path.parent().filter(|_| !is_straight).and_then(|folder| folder.canonicalize().ok());
    folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name))
}

/// The clients whose words these may be: the one whose file it is, then those that name variables as most do.
fn candidates(origin: Option<&Origin>, language: Language) -> Vec<&'static Client> {
    let own = origin.map(|origin| origin.client).filter(|client| client.language == language);
    let mut others: Vec<&'static Client> = clients().filter(|client| client.language == language).collect();
    others.sort_by_key(|client| client.writing() != Writing::Braces);
    own.into_iter().chain(others).collect()
}
