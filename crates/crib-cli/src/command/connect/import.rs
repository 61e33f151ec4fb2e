//! `connect --import`: the servers of clients come under this gateway.

use std::path::{Path, PathBuf};

use crib_clients::{Imported, Language, Scope, Splice, Spot, Value};
use crib_control::{Problem, World, compile};
use serde::Serialize;

use super::journal::{Intent, Shelf};
use super::survey::{self, OUR_SERVERS, Seen};
use super::{Task, consent, file, outcome};
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::places::shown;
use crate::tongue::{said, word};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Imported,
    /// Under another name, since there is another server of this one.
    Renamed,
    /// The same server is there already.
    Same,
    Skipped,
}

#[derive(Debug, Default)]
struct Harvest {
    rows: Vec<Row>,
    servers: Vec<Imported>,
    failures: Vec<Failure>,
}

pub(super) fn run(task: &Task<'_>, output: &Output) -> Result<(), Failure> {
    let path = target(task);
    let found = file::read(&path, &task.places)?;
    let bytes = found.as_ref().map(|found| found.bytes.clone());
    let original = text(task, &path, bytes.as_deref().unwrap_or_default())?;
    let text = if bytes.is_none() { "version: 1\n".to_owned() } else { original.clone() };
    let known = crib_clients::entries(&text, Language::Yaml, OUR_SERVERS).map_err(|refusal| broken(task, &path, &text, &refusal))?;
    let mut harvest = Harvest::default();
    for seen in task.seen()? {
        gather(task, &seen, &known, &mut harvest);
    }
    if harvest.rows.is_empty() && harvest.failures.is_empty() {
        output.say("no servers were found in the files of your clients");
    }
    let after = write(&text, &harvest.servers).map_err(|refusal| broken(task, &path, &text, &refusal))?;
    if task.args.dry_run {
        output.data(&crib_clients::unified(&shown(&path, &task.places), &original, &after))?;
        return finish(task, harvest, None, &path, output);
    }
    if harvest.servers.is_empty() {
        return finish(task, harvest, None, &path, output);
    }
    verify(&path, &after)?;
    if let Some(found) = &found {
        file::check_writable(found, &path, &task.places)?;
    }
    let names: Vec<&str> = harvest.servers.iter().map(|server| server.name.as_str()).collect();
    consent::ask(task, &[("Toolcrib", shown(&path, &task.places), format!("add {}", names.join(", ")))], output)?;
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
    let entries = (|| {
        let Some(found) = seen.read(&task.places)? else { return Ok(Vec::new()) };
        let text = seen.text(&found, &task.places)?;
        let spot = seen.spot(&text, "");
        crib_clients::entries(&text, spot.language, spot.place).map_err(|refusal| survey::broken(seen, &text, &refusal, &task.places))
    })();
    let entries = match entries {
        Ok(entries) => entries,
        Err(failure) => {
            harvest.failures.push(failure);
            return;
        }
    };
    for (name, entry) in entries {
        // What leads to us would lead us to ourselves.
        if name == task.args.name || survey::leads_to(&entry, &task.endpoint) || survey::starts_us(&entry) {
            continue;
        }
        let row = |name: String, done: Fate, words: String| Row { name, client: seen.client.id, done, to: survey::target(&entry), words };
        match crib_clients::import(&name, &entry, seen.client) {
            Ok(None) => {}
            Err(why) => harvest.rows.push(row(name, Fate::Skipped, why.0)),
            Ok(Some(mut imported)) => {
                in_project(task, &mut imported);
                let lost = imported.lost.iter().map(|lost| format!("`{lost}`")).collect::<Vec<_>>().join(", ");
                let lost = if lost.is_empty() { String::new() } else { format!("without {lost}") };
                let (done, words) = settle(&mut imported, seen.client.id, known, &harvest.servers);
                let words = [words, lost].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
                harvest.rows.push(row(imported.name.clone(), done, words));
                if matches!(done, Fate::Imported | Fate::Renamed) {
                    harvest.servers.push(imported);
                }
            }
        }
    }
}

/// A server of a project runs in the project.
fn in_project(task: &Task<'_>, imported: &mut Imported) {
    if let (Scope::Project, Value::Map(members)) = (task.scope, &mut imported.value)
        && members.iter().any(|(name, _)| name == "command")
        && members.iter().all(|(name, _)| name != "cwd")
    {
        members.push(("cwd".to_owned(), Value::text(task.places.project.display().to_string())));
    }
}

/// Finds a name for a server among those that are there.
fn settle(imported: &mut Imported, client: &str, known: &[(String, Value)], taken: &[Imported]) -> (Fate, String) {
    let here = |name: &str| {
        let known = known.iter().find(|(known, _)| slug(known) == slug(name)).map(|(_, value)| value);
        known.or_else(|| taken.iter().find(|server| slug(&server.name) == slug(name)).map(|server| &server.value))
    };
    let wanted = imported.name.clone();
    let Some(other) = here(&wanted) else { return (Fate::Imported, String::new()) };
    if *other == imported.value {
        return (Fate::Same, "is there already".to_owned());
    }
    // Brought in before under a name of its own.
    let all = known.iter().map(|(name, value)| (name, value)).chain(taken.iter().map(|server| (&server.name, &server.value)));
    let is_same = |name: &str, value: &Value| name.starts_with(&format!("{wanted}-")) && *value == imported.value;
    if let Some((name, _)) = all.into_iter().find(|(name, value)| is_same(name, value)) {
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
fn write(text: &str, servers: &[Imported]) -> Result<String, crib_clients::Refusal> {
    let mut after = text.to_owned();
    // Each one is put in front of the others.
    for server in servers.iter().rev() {
        let spot = Spot { language: Language::Yaml, place: OUR_SERVERS, name: &server.name };
        after = crib_clients::upsert(&after, spot, &server.value)?.text;
    }
    Ok(after)
}

/// A world in which every variable is set: whether they are is a matter of the day.
#[derive(Debug)]
struct Anything<'a> {
    text: &'a str,
    path: &'a Path,
    system: crate::world::System,
    value: &'a str,
}

impl World for Anything<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        Some(self.system.variable(name).unwrap_or_else(|| self.value.to_owned()))
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        if path == self.path { Ok(self.text.to_owned()) } else { self.system.read(path).or_else(|_| Ok("x".to_owned())) }
    }

    fn directory(&self) -> &Path {
        self.system.directory()
    }
}

/// Reads the new configuration the way the gateway will.
pub(in crate::command) fn verify(path: &Path, after: &str) -> Result<(), Failure> {
    let mut result = Ok(());
    // A variable may stand for a part of a text, or for a URL as a whole.
    for value in ["x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x", "http://127.0.0.1/x-x-x-x-x-x-x-x"] {
        let world = Anything { text: after, path, system: crate::world::System::new()?, value };
        match compile(&[path.to_owned()], &world) {
            Ok(_) => return Ok(()),
            Err(problems) => result = Err(Failure::problems(&problems)),
        }
    }
    result
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
    if backup.is_some() {
        let count = if servers.len() == 1 { "1 server".to_owned() } else { format!("{} servers", servers.len()) };
        output.say(&format!(
            "\n{count} added to {}\nnext      toolcrib serve   ·   toolcrib connect\nundo      toolcrib connect --restore",
            shown(path, &task.places)
        ));
    }
    outcome(&failures, !rows.is_empty(), output)
}
