//! `toolcrib connect`: our entry in the files of clients, put in and taken out without touching anything else.

mod check;
mod consent;
pub(super) mod file;
mod import;
mod journal;
mod package;
mod plan;
mod restore;
mod survey;
mod view;

use crib_clients::{Client, Local, Places, Remote, Scope, Support};

use crate::args::{Connect, ScopeName};
use crate::background;
use crate::client::{USUAL, usual};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::places::{self, Own};
use consent::Asked;
pub(super) use import::verify;
use journal::{Intent, Shelf};
use plan::Change;
pub(super) use survey::{OUR_SERVERS, Seen, State, Wanted};
use view::{Line, Report};

/// What starts a gateway of the client's own.
const OWN_GATEWAY: &[&str] = &["serve", "--stdio"];

/// What a run works with.
pub(super) struct Task<'a> {
    pub(super) args: &'a Connect,
    pub(super) places: Places,
    pub(super) own: Own,
    pub(super) scope: Scope,
    /// The URL entries lead to.
    pub(super) endpoint: String,
    /// This program, for clients that start it.
    pub(super) program: String,
}

pub(super) fn run(args: &Connect, output: &Output) -> Result<(), Failure> {
    let task = Task::new(args)?;
    if args.list {
        return view::list(&task, output);
    }
    if args.print {
        return view::print(&task, output);
    }
    if args.restore {
        return restore::run(&task, output);
    }
    if args.import {
        return import::run(&task, output);
    }
    let (changes, mut report) = plan::plan(&task)?;
    if args.dry_run {
        return view::diffs(
            changes.iter().map(|change| (change.seen.shown(&task.places), change.text.as_str(), change.edit.text.as_str())),
            report,
            output,
        );
    }
    if changes.is_empty() {
        check_standing(&task, &mut report, output)?;
        return view::report(&task, report, output);
    }
    let asked: Vec<Asked> =
        changes.iter().map(|change| (change.seen.client.name, change.seen.shown(&task.places), change.words())).collect();
    consent::ask(&task, &asked, output)?;
    apply(&task, &changes, &mut report)?;
    check_standing(&task, &mut report, output)?;
    view::report(&task, report, output)
}

impl<'a> Task<'a> {
    pub(super) fn new(args: &'a Connect) -> Result<Self, Failure> {
        let places = places::places()?;
        let own = places::own(&places);
        let running = if args.url.is_none() { background::find().map(|gateway| gateway.url) } else { None };
        let url = args.url.clone().or(running).or_else(usual).unwrap_or_else(|| USUAL.to_owned());
        let url = url.trim_end_matches('/').trim_end_matches("/mcp");
        crib_transport::Endpoint::parse(url)?;
        let scope = match args.scope {
            ScopeName::User => Scope::User,
            ScopeName::Project => Scope::Project,
        };
        if args.key_env.as_deref().is_some_and(|name| !is_variable(name)) {
            // It may be the key itself, which is not repeated.
            return Err(Failure::usage("--key-env takes the name of a variable, not the key")
                .hint("export TOOLCRIB_KEY=…   and   --key-env TOOLCRIB_KEY"));
        }
        let program = std::env::current_exe()?.display().to_string();
        Ok(Self { args, own, scope, endpoint: format!("{url}/mcp"), program, places })
    }

    /// Returns what stands in the file of a client.
    ///
    /// # Errors
    /// The client has no words for it.
    pub(super) fn wanted(&self, client: &Client) -> Result<Wanted<'_>, Failure> {
        let name = self.args.name.as_str();
        let value = if !self.args.stdio && !client.takes_urls() {
            let args = self.bridge();
            client.local(&Local { command: &self.program, args: &args.iter().map(String::as_str).collect::<Vec<_>>() }, name)
        } else if self.args.stdio {
            client.local(&Local { command: &self.program, args: OWN_GATEWAY }, name)
        } else {
            let remote = Remote { url: &self.endpoint, key: self.args.key_env.as_deref() };
            client.remote(&remote, name).ok_or_else(|| {
                let why = format!("the file of {} knows no variables, and a key does not belong into a file", client.name);
                Failure::usage(why).hint(format!("let it start a gateway of its own: toolcrib connect {} --stdio", client.id))
            })?
        };
        Ok(Wanted { name, value, endpoint: &self.endpoint })
    }

    /// Returns what a client that only starts programs is to start: the way to the gateway that was named, or one of its own.
    fn bridge(&self) -> Vec<String> {
        let mut args: Vec<String> = OWN_GATEWAY.iter().map(|arg| (*arg).to_owned()).collect();
        if self.args.url.is_some() {
            args.push(self.endpoint.clone());
            let header = |name: &String| ["-H".to_owned(), format!("Authorization: Bearer ${{env:{name}}}")];
            args.extend(self.args.key_env.iter().flat_map(header));
        }
        args
    }

    /// Returns the clients that were named, else those that are here.
    pub(super) fn seen(&self) -> Result<Vec<Seen>, Failure> {
        if self.args.clients.is_empty() {
            let all = crib_clients::clients().map(|client| survey::look(client, self.scope, &self.places));
            return Ok(all.filter(|seen| seen.is_installed).collect());
        }
        let mut found: Vec<Seen> = Vec::new();
        for name in &self.args.clients {
            let client = crib_clients::find(name).ok_or_else(|| unknown(name))?;
            if found.iter().all(|seen| seen.client.id != client.id) {
                found.push(survey::look(client, self.scope, &self.places));
            }
        }
        Ok(found)
    }

    fn is_named(&self) -> bool {
        !self.args.clients.is_empty()
    }
}

fn is_variable(name: &str) -> bool {
    let is_plain = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_plain && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::usage(format!("`{name}` is not a client that is known here"));
    match crib_control::nearest(name, crib_clients::clients().map(|client| client.id)) {
        Some(near) => failure.hint(format!("did you mean `toolcrib connect {near}`?   all of them: toolcrib connect --list")),
        None => failure.hint("all of them: toolcrib connect --list"),
    }
}

/// A client that is here, with what its file says about us.
pub(super) struct Standing {
    pub(super) client: &'static Client,
    pub(super) state: State,
}

impl Standing {
    /// Returns where an entry of ours leads that is not as `connect` would write it.
    pub(super) fn target(&self) -> Option<String> {
        if let State::Elsewhere(entry) = &self.state { Some(survey::target(entry)) } else { None }
    }

    /// Returns the program of ours the entry starts, if it is another one than this, and whether it is there.
    pub(super) fn starts(&self) -> Option<(String, bool)> {
        let State::Elsewhere(entry) = &self.state else { return None };
        let target = survey::target(entry);
        let is_there = std::path::Path::new(&target).is_file() || places::program(&target).is_some();
        survey::starts_us(entry).then_some((target, is_there))
    }

    pub(super) fn is_connected(&self) -> bool {
        match &self.state {
            State::Connected | State::Known(_) => true,
            State::Elsewhere(_) => self.starts().is_some_and(|(_, is_there)| is_there),
            State::Apart | State::Broken(_) => false,
        }
    }
}

/// Looks at every client that is installed.
pub(super) fn standing(task: &Task<'_>) -> Result<Vec<Standing>, Failure> {
    let mut found = Vec::new();
    for seen in task.seen()? {
        if seen.client.support == Support::Full
            && let Ok(wanted) = task.wanted(seen.client)
        {
            let state = seen.state(&wanted, &task.places);
            found.push(Standing { client: seen.client, state });
        }
    }
    Ok(found)
}

/// Writes the entries of these clients as they should be, without a word.
pub(super) fn mend(args: &Connect) -> Result<(), Failure> {
    let task = Task::new(args)?;
    let (changes, mut report) = plan::plan(&task)?;
    apply(&task, &changes, &mut report)?;
    report.into_failure().map_or(Ok(()), Err)
}

/// Keeps the bytes of all files, then writes one after the other. One that cannot be written holds up none of the others.
fn apply(task: &Task<'_>, changes: &[Change], report: &mut Report) -> Result<(), Failure> {
    let shelf = Shelf::open(&task.own.data)?;
    let intents: Vec<Intent<'_>> = changes.iter().filter_map(|change| change.intent(&task.args.name)).collect();
    let mut run = shelf.begin(&intents)?;
    for (at, change) in changes.iter().enumerate() {
        let Some(path) = &change.seen.path else { continue };
        let before = change.before.as_deref().map_or(file::Before::Absent, file::Before::Bytes);
        let line = Line::new(&change.seen, &task.places);
        let written = match (&change.made, change.before.as_deref()) {
            (Some(directories), Some(bytes)) => file::delete(path, bytes, &task.places).map(|()| {
                file::remove_directories(directories);
                Vec::new()
            }),
            (None, _) | (_, None) => file::replace(path, before, change.edit.text.as_bytes(), &task.places),
        };
        match written {
            Ok(directories) => {
                if let Some(change) = run.journal.changes.get_mut(at) {
                    change.directories = directories;
                }
                report.lines.push(line.with(change.done, change.target.clone()).changed(change.seen.client));
            }
            Err(failure) => report.refuse(line, failure),
        }
    }
    run.save()?;
    report.backup = Some(run.folder);
    Ok(())
}

/// Asks the clients themselves, where they can tell.
fn check_standing(task: &Task<'_>, report: &mut Report, output: &Output) -> Result<(), Failure> {
    if task.args.remove || task.args.no_check {
        return Ok(());
    }
    check::all(task, report, output)
}

/// Chooses how a command over several files ends. People have read every failure by then; programs get one line.
pub(super) fn outcome(failures: &[Failure], is_any_done: bool, output: &Output) -> Result<(), Failure> {
    let Some(first) = failures.first() else { return Ok(()) };
    let exit = if is_any_done { Exit::Partial } else { first.exit() };
    if !output.is_json {
        return Err(Failure::shown(exit));
    }
    if !is_any_done {
        return Err(first.clone());
    }
    let mut failure = Failure::new(exit, "partial", format!("{} files were left alone", failures.len()));
    for one in failures {
        failure = failure.because(one.one_line());
    }
    Err(failure)
}
