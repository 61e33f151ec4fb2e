//! What was done, what would be, and how things are.

use std::path::PathBuf;

use crib_clients::{Client, Places, Scope, Spot, Support};
use serde::Serialize;

use super::journal::Change;
use super::plan::by_hand;
use super::survey::{self, Seen, State, Wanted};
use super::{Task, check, outcome};
use crate::failure::Failure;
use crate::output::{Output, padded, table};
use crate::places::shown;
use crate::tongue::said;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// What became of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Added,
    Updated,
    Removed,
    Restored,
    Unchanged,
    Skipped,
    Refused,
}

/// One file of a report.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) client: String,
    name: String,
    path: String,
    pub(super) done: Done,
    words: String,
    /// What the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<String>,
    /// What is left for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<serde_json::Value>,
}

/// What became of all files.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backup: Option<PathBuf>,
    /// Changes that could be taken back as well.
    #[serde(skip)]
    pub(super) left: usize,
    #[serde(skip)]
    pub(super) is_gateway_missing: bool,
    #[serde(skip)]
    failures: Vec<Failure>,
}

impl Line {
    pub(super) fn new(seen: &Seen, places: &Places) -> Self {
        Self::blank(seen.client.id, seen.client.name, seen.shown(places))
    }

    pub(super) fn of(change: &Change, places: &Places) -> Self {
        let name = crib_clients::find(&change.client).map_or("Toolcrib", |client| client.name);
        Self::blank(&change.client, name, shown(&change.path, places))
    }

    pub(super) fn blank(client: &str, name: &str, path: String) -> Self {
        let (client, name) = (client.to_owned(), name.to_owned());
        Self { client, name, path, done: Done::Skipped, words: String::new(), check: None, note: None, error: None }
    }

    pub(super) fn with(mut self, done: Done, words: String) -> Self {
        self.done = done;
        self.words = words;
        self
    }

    /// A changed file: the client may want something from its user.
    pub(super) fn changed(mut self, client: &'static Client) -> Self {
        self.note = Some(client.note).filter(|note| !note.is_empty() && self.done != Done::Removed);
        self.words = match self.done {
            Done::Added => format!("added {}", self.words),
            Done::Updated => format!("changed {}", self.words),
            Done::Removed => format!("took out \"{}\"", self.words),
            Done::Restored | Done::Unchanged | Done::Skipped | Done::Refused => self.words,
        };
        self
    }

    fn mark(&self) -> String {
        let is_bad = self.check.as_deref().is_some_and(|answer| !check::is_good(answer));
        match self.done {
            Done::Refused => format!("{RED}✗{RESET}"),
            Done::Skipped => "–".to_owned(),
            Done::Added | Done::Updated | Done::Removed | Done::Restored | Done::Unchanged if is_bad => format!("{YELLOW}!{RESET}"),
            Done::Added | Done::Updated | Done::Removed | Done::Restored | Done::Unchanged => format!("{GREEN}✓{RESET}"),
        }
    }
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A file that was left alone, and why.
    pub(super) fn refuse(&mut self, line: Line, failure: Failure) {
        let mut line = line.with(Done::Refused, "left alone".to_owned());
        line.error = serde_json::from_str::<serde_json::Value>(&failure.to_json())
            .ok()
            .and_then(|mut whole| whole.get_mut("error").map(serde_json::Value::take));
        self.lines.push(line);
        self.failures.push(failure);
    }

    /// Returns the first thing that went wrong.
    pub(super) fn into_failure(self) -> Option<Failure> {
        self.failures.into_iter().next()
    }
}

/// Shows what became of the files.
pub(super) fn report(task: &Task<'_>, mut report: Report, output: &Output) -> Result<(), Failure> {
    let place = |line: &Line| crib_clients::clients().position(|client| client.id == line.client);
    report.lines.sort_by_key(place);
    let changed =
        report.lines.iter().filter(|line| matches!(line.done, Done::Added | Done::Updated | Done::Removed | Done::Restored)).count();
    let is_any_done = report.lines.iter().any(|line| line.done != Done::Refused);
    if output.is_json {
        output.document("connect", &report)?;
        return outcome(&report.failures, is_any_done, output);
    }
    if let ([_], [failure]) = (report.lines.as_slice(), report.failures.as_slice()) {
        return Err(failure.clone());
    }
    if !report.is_empty() {
        output.data(&lines(&report.lines))?;
    }
    for failure in &report.failures {
        output.failure(failure);
    }
    if task.args.remove && report.is_empty() {
        output.say("nothing was changed");
    }
    if let Some(backup) = report.backup.as_ref().filter(|_| changed > 0) {
        let files = if changed == 1 { "1 file".to_owned() } else { format!("{changed} files") };
        output.say(&format!("\n{files} changed, backup in {}\nundo      toolcrib connect --restore", shown(backup, &task.places)));
    }
    if report.left > 0 {
        output.say("\nan earlier change is left: toolcrib connect --restore");
    }
    if report.is_gateway_missing {
        output.say(&format!("\nno gateway runs at {}\nnext      toolcrib serve", task.endpoint));
    }
    outcome(&report.failures, is_any_done, output)
}

fn lines(lines: &[Line]) -> String {
    let width = |cell: fn(&Line) -> usize| lines.iter().map(cell).max().unwrap_or(0);
    let (names, paths) = (width(|line| crib_words::width(&line.name)), width(|line| crib_words::width(&line.path)));
    let mut out = String::new();
    for line in lines {
        let mut tail = vec![said(&line.words).into_owned()];
        tail.extend(line.check.as_ref().map(|answer| said(&format!("checked: {answer}")).into_owned()));
        let is_checked = line.check.as_deref().is_some_and(|answer| answer == "connected");
        tail.extend(line.note.filter(|_| !is_checked).map(|note| said(note).into_owned()));
        let (name, path) = (padded(&line.name, names), padded(&line.path, paths));
        let text = format!("  {}  {name}  {path}  {}", line.mark(), tail.join("   "));
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// Shows what would change.
pub(super) fn diffs<'t>(files: impl Iterator<Item = (String, &'t str, &'t str)>, report: Report, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Diffs {
        diffs: Vec<Diff>,
        lines: Vec<Line>,
    }
    #[derive(Serialize)]
    struct Diff {
        path: String,
        diff: String,
    }
    let diffs: Vec<Diff> = files.map(|(path, before, after)| Diff { diff: crib_clients::unified(&path, before, after), path }).collect();
    let is_any = !diffs.is_empty();
    let Report { lines: left, failures, .. } = report;
    if output.is_json {
        output.document("connect-diff", &Diffs { diffs, lines: left })?;
        return outcome(&failures, is_any, output);
    }
    for diff in &diffs {
        output.data(&diff.diff)?;
    }
    if let (false, [failure]) = (is_any, failures.as_slice()) {
        return Err(failure.clone());
    }
    for failure in &failures {
        output.failure(failure);
    }
    if !is_any && failures.is_empty() {
        output.say("nothing would change");
    }
    outcome(&failures, is_any, output)
}

/// Returns a file with our entry and nothing else.
pub(super) fn entry(client: &Client, wanted: &Wanted<'_>) -> Option<String> {
    let spot = Spot { language: client.language, place: client.place, name: wanted.name };
    crib_clients::upsert("", spot, &wanted.value).ok().map(|edit| edit.text)
}

/// `connect --print`: the entries, for people who put them in themselves.
pub(super) fn print(task: &Task<'_>, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Entries {
        entries: Vec<Entry>,
    }
    #[derive(Serialize)]
    struct Entry {
        client: &'static str,
        name: &'static str,
        path: String,
        text: String,
    }
    let mut entries = Vec::new();
    for seen in task.seen()? {
        let wanted = task.wanted(seen.client)?;
        let text = entry(seen.client, &wanted).ok_or_else(|| by_hand(seen.client))?;
        entries.push(Entry { client: seen.client.id, name: seen.client.name, path: seen.shown(&task.places), text });
    }
    if output.is_json {
        return output.document("connect-entries", &Entries { entries });
    }
    for (number, entry) in entries.iter().enumerate() {
        let place = if entry.path.is_empty() { crib_clients::find(entry.client).map_or("", |client| client.note) } else { &entry.path };
        output.say(&format!("{}{}: {place}", if number == 0 { "" } else { "\n" }, entry.name));
        output.data(&entry.text)?;
    }
    Ok(())
}

/// A client in the list.
#[derive(Debug, Serialize)]
struct Row {
    client: &'static str,
    name: &'static str,
    #[serde(rename = "isInstalled")]
    is_installed: bool,
    /// None where there is nothing to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    /// How it would reach us.
    by: &'static str,
}

/// `connect --list`: every client and its state.
pub(super) fn list(task: &Task<'_>, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Rows {
        clients: Vec<Row>,
    }
    let all = if task.is_named() {
        task.seen()?
    } else {
        crib_clients::clients().map(|client| survey::look(client, task.scope, &task.places)).collect()
    };
    let mut clients: Vec<Row> = all.iter().map(|seen| row(task, seen)).collect();
    clients.sort_by_key(|row| !row.is_installed);
    if output.is_json {
        return output.document("clients", &Rows { clients });
    }
    let cells = |row: &Row| {
        let (state, by) = (said(row.state.as_deref().unwrap_or("-")).into_owned(), said(row.by).into_owned());
        vec![row.client.to_owned(), row.name.to_owned(), state, by, row.path.clone()]
    };
    output.data(&table(&["CLIENT", "NAME", "STATE", "BY", "FILE"], &clients.iter().map(cells).collect::<Vec<_>>()))
}

fn row(task: &Task<'_>, seen: &Seen) -> Row {
    let client = seen.client;
    let by = match client.support {
        Support::Full if client.takes_urls() && !task.args.stdio => "url",
        Support::Full => "stdio",
        Support::Import | Support::Print => "by hand",
    };
    let state = match task.wanted(client) {
        _ if !seen.is_installed && task.scope == Scope::User => None,
        _ if seen.path.is_none() => None,
        Err(failure) => Some(failure.one_line()),
        Ok(wanted) => match seen.state(&wanted, &task.places) {
            State::Apart if seen.is_installed => Some("found".to_owned()),
            State::Apart => None,
            State::Connected => Some("has it".to_owned()),
            State::Known(name) => Some(format!("has it, as {name}")),
            State::Elsewhere(entry) => Some(format!("leads to {}", survey::target(&entry))),
            State::Broken(_) => Some("broken file".to_owned()),
        },
    };
    Row { client: client.id, name: client.name, is_installed: seen.is_installed, state, path: seen.shown(&task.places), by }
}
