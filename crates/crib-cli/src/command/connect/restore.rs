//! `connect --restore`: every byte as it was.

use std::path::{Path, PathBuf};

use crib_clients::{Splice, find};
use crib_model::Code;

use super::journal::{self, Change, Run, Shelf, Standing};
use super::view::{Done, Line, Report};
use super::{Task, consent, file, unknown, view};
use crate::failure::Failure;
use crate::output::Output;
use crate::places::shown;

/// A file that will get its bytes back.
struct Step {
    /// Which change of which run.
    run: usize,
    change: usize,
    /// The bytes now and then.
    now: Option<Vec<u8>>,
    then: Option<Vec<u8>>,
}

pub(super) fn run(task: &Task<'_>, output: &Output) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for name in &task.args.clients {
        ids.push(find(name).map(|client| client.id).or_else(|| (name == "toolcrib").then_some("toolcrib")).ok_or_else(|| unknown(name))?);
    }
    let mut runs = journal::runs(&task.own.data);
    let chosen = choose(&runs, &ids);
    let mut report = Report::default();
    let mut steps = Vec::new();
    for (run, change) in chosen {
        let Some((owner, known)) = runs.get(run).and_then(|owner| Some((owner, owner.journal.changes.get(change)?))) else { continue };
        match step(task, owner, known) {
            Ok(Some((now, then))) => steps.push(Step { run, change, now, then }),
            Ok(None) => report.lines.push(Line::of(known, &task.places).with(Done::Unchanged, "is as it was".to_owned())),
            Err(failure) => report.refuse(Line::of(known, &task.places), failure),
        }
    }
    if steps.is_empty() && report.is_empty() {
        output.say("there is no change to take back");
        return view::report(task, report, output);
    }
    let changes = |step: &Step| runs.get(step.run).and_then(|run| run.journal.changes.get(step.change)).cloned();
    if task.args.dry_run {
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        let diffs: Vec<(String, String, String)> =
            steps.iter().filter_map(|step| Some((shown(&changes(step)?.path, &task.places), text(&step.now), text(&step.then)))).collect();
        return view::diffs(diffs.iter().map(|(path, now, then)| (path.clone(), now.as_str(), then.as_str())), report, output);
    }
    if !steps.is_empty() {
        let files = steps.iter().filter_map(|step| {
            let words = if step.then.is_some() { "give back what was there" } else { "delete: there was none" };
            let change = changes(step)?;
            Some((client_name(&change), shown(&change.path, &task.places), words.to_owned()))
        });
        consent::ask(task, &files.collect::<Vec<_>>(), output)?;
    }
    let _shelf = Shelf::open(&task.own.data)?;
    give_back(task, &mut runs, steps, &mut report)?;
    report.left = choose(&runs, &ids).len();
    view::report(task, report, output)
}

/// Returns the changes of the newest run that has any left, or the newest change of each file of the named clients.
fn choose(runs: &[Run], ids: &[&str]) -> Vec<(usize, usize)> {
    let open = |run: &Run| -> Vec<usize> {
        let changes = run.journal.changes.iter().enumerate().filter(|(_, change)| !change.is_restored);
        changes.filter(|(_, change)| ids.is_empty() || ids.contains(&change.client.as_str())).map(|(at, _)| at).collect()
    };
    if ids.is_empty() {
        let newest = runs.iter().enumerate().find(|(_, run)| !open(run).is_empty());
        return newest.map(|(at, run)| open(run).into_iter().map(|change| (at, change)).collect()).unwrap_or_default();
    }
    let mut seen: Vec<&Path> = Vec::new();
    let mut chosen = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        for change in open(run) {
            let Some(path) = run.journal.changes.get(change).map(|change| change.path.as_path()) else { continue };
            if !seen.contains(&path) {
                seen.push(path);
                chosen.push((at, change));
            }
        }
    }
    chosen
}

type Bytes = Option<Vec<u8>>;

/// Works out the bytes of one file now and then; `None` when they are the same.
fn step(task: &Task<'_>, run: &Run, change: &Change) -> Result<Option<(Bytes, Bytes)>, Failure> {
    let found = file::read(&change.path, &task.places)?;
    let now = found.as_ref().map(|found| found.bytes.clone());
    let then = run.backup(change)?;
    match change.standing(now.as_deref()) {
        Standing::AsBefore => return Ok(None),
        Standing::AsWritten => {}
        Standing::Changed if task.args.force => {}
        Standing::Changed => return Err(changed(task, change, now.as_deref(), then.as_deref())),
    }
    if let Some(found) = &found {
        file::check_writable(found, &change.path, &task.places)?;
    }
    Ok(Some((now, then)))
}

/// Somebody has worked on the file since: what would be lost is shown.
fn changed(task: &Task<'_>, change: &Change, now: Option<&[u8]>, then: Option<&[u8]>) -> Failure {
    let path = shown(&change.path, &task.places);
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let diff = crib_clients::unified(&path, &text(now), &text(then));
    let mut failure =
        Failure::coded(Code::ClientFileChanged, format!("{path} has changed since; giving back its old bytes would do this:"));
    for line in diff.lines() {
        failure = failure.detail(line);
    }
    let client = &change.client;
    failure.hint(format!("take out our entry alone: toolcrib connect {client} --remove\nor give back the old bytes: toolcrib connect {client} --restore --force"))
}

fn give_back(task: &Task<'_>, runs: &mut [Run], steps: Vec<Step>, report: &mut Report) -> Result<(), Failure> {
    for step in steps {
        let Some(run) = runs.get_mut(step.run) else { continue };
        let Some(change) = run.journal.changes.get_mut(step.change) else { continue };
        let line = Line::of(change, &task.places);
        let before = step.now.as_deref().map_or(file::Before::Absent, file::Before::Bytes);
        let result = match (&step.then, &step.now) {
            (Some(then), now) => file::replace(&change.path, before, then, &task.places).and_then(|_made| match (now, change.mode) {
                // It is gone, and what is made in its place can be read by nobody else.
                (None, Some(mode)) => Ok(file::set_mode(&change.path, mode)?),
                (Some(_), _) | (None, None) => Ok(()),
            }),
            (None, Some(now)) => file::delete(&change.path, now, &task.places).map(|()| file::remove_directories(&change.directories)),
            (None, None) => Ok(()),
        };
        match result {
            Ok(()) => {
                change.is_restored = true;
                run.save()?;
                let words = if step.then.is_some() { "every byte is as it was" } else { "deleted, as there was none before" };
                report.lines.push(line.with(Done::Restored, words.to_owned()));
            }
            Err(failure) => report.refuse(line, failure),
        }
    }
    Ok(())
}

fn client_name(change: &Change) -> &'static str {
    find(&change.client).map_or("Toolcrib", |client| client.name)
}

/// Returns the directories that were made for a file, if the file itself was: it was not there before our entry was.
pub(super) fn made_for_us(task: &Task<'_>, path: &Path) -> Option<Vec<PathBuf>> {
    let runs = journal::runs(&task.own.data);
    let made = |change: &&Change| change.path == path && !change.is_restored && change.was_absent();
    let made = runs.iter().flat_map(|run| &run.journal.changes).find(made)?;
    (!path.is_symlink()).then(|| made.directories.clone())
}

/// Returns the change that put our entry into a file, if it is known.
pub(super) fn made(task: &Task<'_>, path: Option<&Path>) -> Option<Splice> {
    let path = path?;
    let runs = journal::runs(&task.own.data);
    runs.iter().flat_map(|run| &run.journal.changes).find(|change| change.path == path && !change.is_restored)?.splice()
}
