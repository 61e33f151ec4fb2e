//! What each file will be; nothing is touched here.

use std::path::{Path, PathBuf};

use crib_clients::{Client, Edit, Places, Scope, Support, Value};
use crib_model::Code;

use super::journal::Intent;
use super::survey::{self, Seen};
use super::view::{self, Done, Line, Report};
use super::{Task, file, restore};
use crate::failure::Failure;
use crate::places::{self, program};

/// A file that will be changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) seen: Seen,
    pub(super) before: Option<Vec<u8>>,
    pub(super) text: String,
    pub(super) edit: Edit,
    pub(super) done: Done,
    /// Where the entry leads, for people.
    pub(super) target: String,
    /// The file goes, as nothing of anybody else is in it, and with it the directories that were made for it.
    pub(super) made: Option<Vec<PathBuf>>,
}

/// Works out what each file will be, and touches none.
pub(super) fn plan(task: &Task<'_>) -> Result<(Vec<Change>, Report), Failure> {
    let mut changes = Vec::new();
    let mut report = Report::default();
    for seen in task.seen()? {
        let (line, client) = (Line::new(&seen, &task.places), seen.client);
        let result =
            if task.args.remove { take_out(task, seen) } else { put_in(task, seen).map_err(|failure| by_hand_then(task, client, failure)) };
        match result {
            Ok(Planned::Change(change)) => changes.push(*change),
            Ok(Planned::Line(line)) => report.lines.push(line),
            Ok(Planned::Nothing) => {}
            Err(failure) => report.refuse(line, failure),
        }
    }
    if changes.is_empty() && report.is_empty() && !task.args.remove {
        let failure = Failure::coded(Code::ClientMissing, "no client is installed here that this program knows");
        return Err(failure.hint("all of them: toolcrib connect --list   ·   an entry for any client: toolcrib connect CLIENT --print"));
    }
    Ok((changes, report))
}

/// What is to be done about one client.
enum Planned {
    Change(Box<Change>),
    Line(Line),
    Nothing,
}

fn put_in(task: &Task<'_>, seen: Seen) -> Result<Planned, Failure> {
    let line = Line::new(&seen, &task.places);
    if seen.client.support != Support::Full {
        return if task.is_named() { Err(by_hand(seen.client)) } else { Ok(Planned::Nothing) };
    }
    if seen.path.is_none() {
        let failure = Failure::usage(format!("{} has no file for a {}", seen.client.name, scope_word(task.scope)));
        return if task.is_named() { Err(failure) } else { Ok(Planned::Nothing) };
    }
    if task.scope == Scope::User && !seen.is_installed {
        return Err(missing(&seen, &task.places));
    }
    let is_there = seen.path.as_deref().is_some_and(Path::exists);
    if task.scope == Scope::Project && !task.is_named() && !is_there {
        return Ok(Planned::Nothing);
    }
    match prepare(task, &seen) {
        Ok(Prepared::Edit { before, text, edit, done, target }) => {
            Ok(Planned::Change(Box::new(Change { seen, before, text, edit, done, target, made: None })))
        }
        Ok(Prepared::Standing(words)) => Ok(Planned::Line(line.with(Done::Unchanged, words))),
        Err(failure) => Err(failure),
    }
}

enum Prepared {
    Edit {
        before: Option<Vec<u8>>,
        text: String,
        edit: Edit,
        done: Done,
        target: String,
    },
    /// There is nothing to do.
    Standing(String),
}

/// Reads a file and works out what it will be.
fn prepare(task: &Task<'_>, seen: &Seen) -> Result<Prepared, Failure> {
    let wanted = task.wanted(seen.client)?;
    let found = seen.read(&task.places)?;
    let text = found.as_ref().map(|found| seen.text(found, &task.places)).transpose()?.unwrap_or_default();
    let spot = seen.spot(&text, wanted.name);
    let refused = |refusal: crib_clients::Refusal| survey::broken(seen, &text, &refusal, &task.places);
    let entries = crib_clients::entries(&text, spot.language, spot.place).map_err(refused)?;
    let has_ours = entries.iter().any(|(name, _)| name == wanted.name);
    if !has_ours && let Some((other, _)) = entries.iter().find(|(_, entry)| survey::leads_to(entry, wanted.endpoint)) {
        return Ok(Prepared::Standing(format!("is there already, as \"{other}\"")));
    }
    let edit = crib_clients::upsert(&text, spot, &wanted.value).map_err(refused)?;
    if edit.splice.is_none() {
        return Ok(Prepared::Standing(format!("\"{}\" is there already", wanted.name)));
    }
    if let (Some(found), Some(path)) = (&found, &seen.path) {
        file::check_writable(found, path, &task.places)?;
    }
    let done = if has_ours { Done::Updated } else { Done::Added };
    let target = format!("\"{}\" ({})", wanted.name, reach(&wanted.value));
    Ok(Prepared::Edit { before: found.map(|found| found.bytes), text, edit, done, target })
}

fn take_out(task: &Task<'_>, seen: Seen) -> Result<Planned, Failure> {
    let line = Line::new(&seen, &task.places);
    let prepared = (|| {
        let Some(found) = seen.read(&task.places)? else { return Ok(None) };
        let text = seen.text(&found, &task.places)?;
        let spot = seen.spot(&text, &task.args.name);
        let made = restore::made(task, seen.path.as_deref());
        let edit = crib_clients::remove(&text, spot, made.as_ref());
        let edit = edit.map_err(|refusal| survey::broken(&seen, &text, &refusal, &task.places))?;
        if edit.splice.is_none() {
            return Ok(None);
        }
        if let Some(path) = &seen.path {
            file::check_writable(&found, path, &task.places)?;
        }
        Ok(Some((found.bytes, text, edit)))
    })();
    match prepared {
        Ok(Some((bytes, text, edit))) => {
            let target = task.args.name.clone();
            let made = seen.path.as_deref().and_then(|path| restore::made_for_us(task, path)).filter(|_| edit.text.trim().is_empty());
            Ok(Planned::Change(Box::new(Change { seen, before: Some(bytes), text, edit, done: Done::Removed, target, made })))
        }
        Ok(None) if task.is_named() => Ok(Planned::Line(line.with(Done::Unchanged, format!("there is no \"{}\"", task.args.name)))),
        Ok(None) => Ok(Planned::Nothing),
        Err(failure) => Err(failure),
    }
}

impl Change {
    /// Says what will be done.
    pub(super) fn words(&self) -> String {
        match self.done {
            Done::Removed => format!("take out \"{}\"", self.target),
            Done::Updated => format!("change the entry to {}", self.target),
            Done::Added | Done::Unchanged | Done::Skipped | Done::Refused | Done::Restored => format!("add {}", self.target),
        }
    }

    pub(super) fn intent<'c>(&'c self, entry: &'c str) -> Option<Intent<'c>> {
        Some(Intent {
            client: self.seen.client.id,
            path: self.seen.path.as_deref()?,
            entry,
            before: self.before.as_deref(),
            after: self.made.is_none().then_some(self.edit.text.as_str()),
            splice: self.edit.splice.as_ref(),
        })
    }
}

fn reach(value: &Value) -> String {
    let target = survey::target(value);
    match survey::command_line(value).as_slice() {
        [_, args @ ..] if survey::starts_us(value) => format!("starts toolcrib {}", args.join(" ")),
        _ => target,
    }
}

/// Adds the entry to what is said of a file that is left alone, for people to put in themselves.
fn by_hand_then(task: &Task<'_>, client: &Client, failure: Failure) -> Failure {
    let is_left_alone = matches!(failure.code(), Some(Code::ClientFileBroken | Code::ClientFileRefused));
    let entry = task.wanted(client).ok().filter(|_| is_left_alone).and_then(|wanted| view::entry(client, &wanted));
    let Some(entry) = entry else { return failure };
    let hint = failure.remedy().map_or_else(|| "put the entry in by hand:".to_owned(), str::to_owned);
    failure.hint(format!("{hint}\n{}", entry.trim_end()))
}

pub(super) fn by_hand(client: &Client) -> Failure {
    let failure = Failure::usage(format!("{} takes servers by hand only", client.name));
    failure.hint(format!("the entry to put in: toolcrib connect {} --print", client.id))
}

fn missing(seen: &Seen, places: &Places) -> Failure {
    let client = seen.client;
    let failure = Failure::coded(Code::ClientMissing, format!("{} is not installed here", client.name));
    let mut signs: Vec<String> = client.directories(places).iter().map(|path| places::shown(path, places)).collect();
    let programs = client.programs().iter().filter(|name| program(name).is_none());
    let programs = programs.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    let failure = match signs.as_slice() {
        [] if programs.is_empty() => failure,
        [] => failure.because(format!("there is no program {programs}")),
        [only] if programs.is_empty() => failure.because(format!("there is no {only}")),
        _ => {
            signs.extend(Some(format!("a program {programs}")).filter(|_| !programs.is_empty()));
            failure.because(format!("there is neither {}", signs.join(" nor ")))
        }
    };
    failure.hint(format!("the entry to put in by hand: toolcrib connect {} --print", client.id))
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::Project => "project",
    }
}
