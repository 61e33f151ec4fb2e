//! `connect --import`: the servers of clients come under this gateway.

mod asked;
mod entries;
mod from;
mod verify;

use std::path::{Path, PathBuf};

use crib_clients::{Imported, Language, Splice, Spot, Value};
use crib_control::Problem;
use crib_control::inputs::Input;
use serde::Serialize;

use super::journal::{Intent, Shelf};
use super::package::{self, Come, Packaged, Way};
use super::survey::{self, OUR_SERVERS, Seen};
use super::{Task, consent, file, outcome};
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::places::shown;
use crate::tongue::{said, word};
use entries::Runs;
pub(in crate::command) use verify::verify;

/// What is said of a server that comes from a package, and as a command.
const UNCONFINED: &str = "unconfined";
/// What is said where packages came in.
const IN_SANDBOX: &str = "sandbox   more for a server: toolcrib run NAME --allow-net HOST   (--allow-read, --allow-write)\n          without it: toolcrib connect --restore, then toolcrib connect --import --no-confine";
const WITHOUT_SANDBOX: &str = "sandbox   what is unconfined may do what you may; into the sandbox: toolcrib connect --restore, then toolcrib connect --import --confine";

/// What became of one server of a client.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    client: &'static str,
    done: Fate,
    /// Where it leads.
    to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    words: String,
    /// For what comes from a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    confinement: Option<Confinement>,
}

/// What confines a server of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Confinement {
    Sandbox,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Imported,
    /// As a package that runs in the sandbox.
    Confined,
    /// Under another name, since there is another server of this one.
    Renamed,
    /// The same server is there already.
    Same,
    Skipped,
}

#[derive(Debug, Default)]
struct Harvest {
    rows: Vec<Row>,
    servers: Vec<Found>,
    failures: Vec<Failure>,
}

/// A server that is to come in.
#[derive(Debug)]
struct Found {
    imported: Imported,
    packaged: Option<Packaged>,
    /// What a person has to answer.
    needs: Vec<Input>,
    /// Its row.
    row: usize,
}

pub(super) fn run(task: &Task<'_>, output: &Output) -> Result<(), Failure> {
    let path = target(task);
    let found = file::read(&path, &task.places)?;
    let bytes = found.as_ref().map(|found| found.bytes.clone());
    let original = text(task, &path, bytes.as_deref().unwrap_or_default())?;
    let text = if bytes.is_none() { "version: 1\n".to_owned() } else { original.clone() };
    let known = crib_clients::entries(&text, Language::Yaml, OUR_SERVERS).map_err(|refusal| broken(task, &path, &text, &refusal))?;
    let mut harvest = Harvest::default();
    match &task.args.from {
        Some(file) => from::gather(task, file, &known, &mut harvest)?,
        None => task.seen()?.iter().for_each(|seen| gather(task, seen, &known, &mut harvest)),
    }
    if harvest.rows.is_empty() && harvest.failures.is_empty() {
        output.say("no servers were found in the files of your clients");
    }
    if task.args.dry_run {
        let way = package::choose(task, &[], output)?;
        harvest.name_packages(way);
        let after = write(&text, &harvest.servers).map_err(|refusal| broken(task, &path, &text, &refusal))?;
        output.data(&crib_clients::unified(&shown(&path, &task.places), &original, &after))?;
        return finish(task, harvest, None, &path, output);
    }
    if harvest.servers.is_empty() {
        return finish(task, harvest, None, &path, output);
    }
    if let Some(found) = &found {
        file::check_writable(found, &path, &task.places)?;
    }
    let names: Vec<&str> = harvest.servers.iter().map(|found| found.imported.name.as_str()).collect();
    consent::ask(task, &[("Toolcrib", shown(&path, &task.places), format!("add {}", names.join(", ")))], output)?;
    harvest.settle_inputs(task, output)?;
    if harvest.servers.is_empty() {
        return finish(task, harvest, None, &path, output);
    }
    let packaged = harvest.servers.iter().filter(|found| found.packaged.is_some()).map(|found| found.imported.name.as_str());
    match package::choose(task, &packaged.collect::<Vec<_>>(), output)? {
        Way::Unconfined => harvest.name_packages(Way::Unconfined),
        Way::Confined => crate::runtime::on_all_cores(harvest.fetch(task, output))?,
    }
    let after = write(&text, &harvest.servers).map_err(|refusal| broken(task, &path, &text, &refusal))?;
    if after == original {
        return finish(task, harvest, None, &path, output);
    }
    verify(&path, &after)?;
    let shelf = Shelf::open(&task.own.data)?;
    let splice = Splice::between(&original, &after);
    let intent = Intent {
        client: "toolcrib",
        path: &path,
        entry: "servers",
        before: bytes.as_deref(),
        after: Some(&after),
        splice: splice.as_ref(),
    };
    let mut run = shelf.begin(&[intent])?;
    let before = bytes.as_deref().map_or(file::Before::Absent, file::Before::Bytes);
    let directories = file::replace(&path, before, after.as_bytes(), &task.places)?;
    if let Some(change) = run.journal.changes.first_mut() {
        change.directories = directories;
    }
    run.save()?;
    finish(task, harvest, Some(&run.folder), &path, output)
}

fn target(task: &Task<'_>) -> PathBuf {
    task.args.config.as_ref().map_or_else(|| task.own.config.clone(), |path| task.places.project.join(path))
}

fn text(task: &Task<'_>, path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    let text = crib_clients::decode(bytes).map_err(|refusal| broken(task, path, &String::from_utf8_lossy(bytes), &refusal));
    text.map(str::to_owned)
}

fn broken(task: &Task<'_>, path: &Path, text: &str, refusal: &crib_clients::Refusal) -> Failure {
    let file = crib_control::File { path: PathBuf::from(shown(path, &task.places)), text: text.to_owned() };
    let problem = Problem::at(&std::sync::Arc::new(file), refusal.span.clone(), refusal.message.clone());
    Failure::problems(&[problem.hint("nothing was changed; mend the file, or write another one: --config FILE")])
}

/// Takes the servers of one client.
fn gather(task: &Task<'_>, seen: &Seen, known: &[(String, Value)], harvest: &mut Harvest) {
    match entries::of(task, seen) {
        Ok(entries) => take(task, Given { seen, from: seen.client.id, entries }, known, harvest),
        Err(failure) => harvest.failures.push(failure),
    }
}

/// The servers of one file.
struct Given<'a> {
    /// Whose words they are in.
    seen: &'a Seen,
    /// Where people are told that they come from.
    from: &'static str,
    entries: Vec<(String, Value, Runs)>,
}

fn take(task: &Task<'_>, given: Given<'_>, known: &[(String, Value)], harvest: &mut Harvest) {
    let Given { seen, from, entries } = given;
    let declared = asked::of(task, seen);
    for (name, entry, runs) in entries {
        // What leads to us would lead us to ourselves.
        if name == task.args.name || survey::leads_to(&entry, &task.endpoint) || survey::starts_us(&entry) {
            continue;
        }
        let row = |name: String, done: Fate, words: String| Row {
            name,
            client: from,
            done,
            to: survey::target(&entry),
            words,
            confinement: None,
        };
        match crib_clients::import(&name, &entry, seen.client) {
            Ok(None) => {}
            Err(why) => harvest.rows.push(row(name, Fate::Skipped, why.0)),
            Ok(Some(mut imported)) => {
                entries::place(&mut imported, &runs);
                let needs = match asked::take(&mut imported, &declared) {
                    Ok(needs) => needs,
                    Err(why) => {
                        harvest.rows.push(row(name, Fate::Skipped, why));
                        continue;
                    }
                };
                let lost = imported.lost.iter().map(|lost| format!("`{lost}`")).collect::<Vec<_>>().join(", ");
                let lost = if lost.is_empty() { String::new() } else { format!("without {lost}") };
                let packaged = package::read(task, &imported.value);
                let (packaged, odd) = match packaged {
                    Some(Ok(packaged)) => (Some(packaged), String::new()),
                    Some(Err(why)) => (None, format!("{UNCONFINED}: {why}")),
                    None => (None, String::new()),
                };
                let (done, words) = settle(&mut imported, packaged.as_ref(), from, known, &harvest.servers);
                let odd = if matches!(done, Fate::Imported | Fate::Renamed) { odd } else { String::new() };
                let words = [words, lost, odd].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
                harvest.rows.push(row(imported.name.clone(), done, words));
                if matches!(done, Fate::Imported | Fate::Renamed) {
                    harvest.servers.push(Found { imported, packaged, needs, row: harvest.rows.len() - 1 });
                }
            }
        }
    }
}

impl Harvest {
    /// Says of every server of a package how it comes in, without fetching it.
    fn name_packages(&mut self, way: Way) {
        for Found { imported, packaged, row, .. } in &mut self.servers {
            let (Some(packaged), Some(row)) = (packaged, self.rows.get_mut(*row)) else { continue };
            match way {
                Way::Confined => imported.value = packaged.entry(&imported.value),
                Way::Unconfined => {
                    row.confinement = Some(Confinement::None);
                    row.add(UNCONFINED);
                }
            }
        }
    }

    /// Fetches every package, and leaves out what is refused.
    async fn fetch(&mut self, task: &Task<'_>, output: &Output) -> Result<(), Failure> {
        let mut left = Vec::new();
        for mut found in std::mem::take(&mut self.servers) {
            if let (Some(packaged), Some(row)) = (&found.packaged, self.rows.get_mut(found.row)) {
                let came = Box::pin(packaged.fetch(task, &found.imported, output)).await?;
                row.confinement = Some(Confinement::Sandbox);
                if row.done == Fate::Imported {
                    row.done = Fate::Confined;
                } else {
                    row.add("in the sandbox");
                }
                match came {
                    Come::In(value) => found.imported.value = value,
                    Come::Later(value, why) => {
                        found.imported.value = value;
                        row.add(&format!("is fetched when it is first called: {why}"));
                    }
                    Come::Not(why) => {
                        (row.done, row.words, row.confinement) = (Fate::Skipped, why, None);
                        continue;
                    }
                }
                row.to = found.imported.value.member("run").and_then(Value::as_text).unwrap_or_default().to_owned();
            }
            left.push(found);
        }
        self.servers = left;
        Ok(())
    }
}

impl Row {
    fn add(&mut self, words: &str) {
        if !self.words.is_empty() {
            self.words.push_str("; ");
        }
        self.words.push_str(words);
    }
}

/// Finds a name for a server among those that are there.
fn settle(
    imported: &mut Imported,
    packaged: Option<&Packaged>,
    client: &str,
    known: &[(String, Value)],
    taken: &[Found],
) -> (Fate, String) {
    let taken = || taken.iter().map(|found| (&found.imported.name, &found.imported.value));
    let all = || known.iter().map(|(name, value)| (name, value)).chain(taken());
    let here = |name: &str| all().find(|(known, _)| slug(known) == slug(name)).map(|(_, value)| value);
    let wanted = imported.name.clone();
    let Some(other) = here(&wanted) else { return (Fate::Imported, String::new()) };
    let is_it = |other: &Value| *other == imported.value || packaged.is_some_and(|packaged| packaged.is(other));
    if is_it(other) {
        return (Fate::Same, "is there already".to_owned());
    }
    // Brought in before under a name of its own.
    let is_same = |name: &str, value: &Value| name.starts_with(&format!("{wanted}-")) && is_it(value);
    if let Some((name, _)) = all().find(|(name, value)| is_same(name, value)) {
        return (Fate::Same, format!("is there already, as `{name}`"));
    }
    let candidates = std::iter::once(format!("{wanted}-{client}")).chain((2..100).map(|number| format!("{wanted}-{client}-{number}")));
    for candidate in candidates {
        if here(&candidate).is_none() {
            imported.name = candidate;
            return (Fate::Renamed, format!("there is another `{wanted}`"));
        }
    }
    (Fate::Skipped, format!("there are too many called `{wanted}`"))
}

/// Names that are told apart here only may be one name behind the gateway.
fn slug(name: &str) -> crib_model::Slug {
    crib_model::Slug::from_name(name)
}

/// Writes the servers in the order in which they were found.
fn write(text: &str, servers: &[Found]) -> Result<String, crib_clients::Refusal> {
    let mut after = text.to_owned();
    // Each one is put in front of the others.
    for Found { imported: server, .. } in servers.iter().rev() {
        let spot = Spot { language: Language::Yaml, place: OUR_SERVERS, name: &server.name };
        after = crib_clients::upsert(&after, spot, &server.value)?.text;
    }
    Ok(after)
}

fn finish(task: &Task<'_>, harvest: Harvest, backup: Option<&Path>, path: &Path, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        config: &'a Path,
        servers: &'a [Row],
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<&'a Path>,
    }
    let Harvest { rows, servers, failures } = harvest;
    if output.is_json {
        output.document("import", &Document { config: path, servers: &rows, backup })?;
    } else if !rows.is_empty() && !task.args.dry_run {
        let cells = |row: &Row| {
            let done = match row.done {
                Fate::Imported => "imported",
                Fate::Confined => "confined",
                Fate::Renamed => "renamed",
                Fate::Same => "same",
                Fate::Skipped => "skipped",
            };
            vec![row.name.clone(), word("import", done).to_owned(), row.client.to_owned(), row.to.clone(), said(&row.words).into_owned()]
        };
        output.data(&table(&["NAME", "", "FROM", "TO", ""], &rows.iter().map(cells).collect::<Vec<_>>()))?;
    }
    if !output.is_json {
        for failure in &failures {
            output.failure(failure);
        }
    }
    if task.args.dry_run && !output.is_json {
        for row in rows.iter().filter(|row| !row.words.is_empty()) {
            output.say(&format!("{}  {}  {}", row.name, row.client, said(&row.words)));
        }
    }
    if backup.is_some() {
        let count = if servers.len() == 1 { "1 server".to_owned() } else { format!("{} servers", servers.len()) };
        output.say(&format!(
            "\n{count} added to {}\nnext      toolcrib serve   ·   toolcrib connect\nundo      toolcrib connect --restore",
            shown(path, &task.places)
        ));
        for (kind, way) in [(Confinement::Sandbox, IN_SANDBOX), (Confinement::None, WITHOUT_SANDBOX)] {
            if rows.iter().any(|row| row.confinement == Some(kind)) {
                output.say(way);
            }
        }
    }
    outcome(&failures, !rows.is_empty(), output)
}
