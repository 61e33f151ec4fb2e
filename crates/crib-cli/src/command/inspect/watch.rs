//! `inspect --watch`: a server that is being written, started again whenever one of its files changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_inspect::{Bell, Changes, Client, Decline, Files, Look, Tap};
use crib_model::Fault;
use serde_json::{Value, json};

use super::target::{self, Found};
use super::{log, options, recorders};
use crate::args::Inspect;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;
use crate::tongue::said;

/// A server that changes its own files when it starts is started again and again: from this many times on, each within
/// this time of the last, it is said, and waited for.
const HASTY: u32 = 4;
const HASTE: Duration = Duration::from_secs(2);
/// How long is waited for then, at most.
const CALM_MAX: Duration = Duration::from_secs(10);
/// Files that are named; others are counted.
const FILES_SHOWN: usize = 5;

/// What is watched, and what was seen of it last.
struct Watching<'a> {
    args: &'a Inspect,
    output: &'a Output,
    files: Files,
    bell: Bell,
    tap: Arc<Tap>,
    /// The server as it was when it last worked.
    last: Option<Look>,
    /// How often it was started again in haste.
    hasty: u32,
}

/// What ends a state of the server.
enum Next {
    Files(Vec<PathBuf>),
    Lists,
    Gone(Fault),
    Stop,
}

/// Watches until somebody has seen enough.
pub(super) async fn watch(args: &Inspect, verbosity: u8, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let found = target::find(args, output).await?;
    let files = Files::of(places(args, &found)?).await;
    let bell = Bell::default();
    let mut sinks = recorders(args, &found)?;
    sinks.push(bell.sink());
    if verbosity > 0 && !output.is_json {
        sinks.push(log(verbosity - 1, output, None));
    }
    let watching = Watching { args, output, files, bell, tap: Tap::new(sinks), last: None, hasty: 0 };
    Box::pin(watching.run(found, &mut signals)).await
}

/// Returns the files that were named, or those that belong to the server.
fn places(args: &Inspect, found: &Found) -> Result<Vec<PathBuf>, Failure> {
    let named = args.task.watch.iter().flatten();
    let places: Vec<PathBuf> = named.map(std::path::absolute).collect::<Result<_, _>>()?;
    if let Some(gone) = places.iter().find(|place| !place.exists()) {
        return Err(Failure::usage(format!("there is no file or folder `{}`", gone.display())));
    }
    if !places.is_empty() {
        return Ok(places);
    }
    if found.places.is_empty() && found.is_started() {
        let message = format!("which files belong to `{}` is not known", found.target.name);
        return Err(Failure::usage(message).hint("name the folder: --watch=DIR"));
    }
    Ok(found.places.clone())
}

impl Watching<'_> {
    async fn run(mut self, found: Found, signals: &mut Signals) -> Result<(), Failure> {
        let mut found = Some(found);
        loop {
            let begin = Instant::now();
            let next = match found.take() {
                Some(found) => {
                    let next = Box::pin(self.of(&found, begin, signals)).await;
                    found.close().await;
                    next?
                }
                None => self.waited(signals).await,
            };
            let Next::Files(files) = next else { return Ok(()) };
            self.say_files(&files)?;
            if self.calmed(begin, &files, signals).await.is_none() {
                return Ok(());
            }
            // A folder says anew how it is started.
            let again = tokio::select! {
                again = Box::pin(target::find(self.args, self.output)) => again,
                _ = signals.stop() => return Ok(()),
            };
            match again {
                Ok(again) => found = Some(again),
                Err(failure) => self.say_failure("failed", &failure)?,
            }
        }
    }

    /// Starts the server and looks at it until its files change, or somebody has seen enough.
    async fn of(&mut self, found: &Found, begin: Instant, signals: &mut Signals) -> Result<Next, Failure> {
        let options = options(self.args);
        let started = tokio::select! {
            started = Client::connect(&found.target, &options, &self.tap, Arc::new(Decline)) => started,
            files = self.files.changed() => return Ok(Next::Files(files)),
            _ = signals.stop() => return Ok(Next::Stop),
        };
        let client = match started {
            Ok(client) => client,
            Err(fault) => return self.failed(found, "failed", fault, signals).await,
        };
        let next = self.followed(&client, begin, signals).await;
        client.close().await;
        match next {
            Ok(Next::Gone(fault)) => self.failed(found, "gone", fault, signals).await,
            next => next,
        }
    }

    /// Looks at a running server, and again whenever it tells of changed lists.
    async fn followed(&mut self, client: &Client, begin: Instant, signals: &mut Signals) -> Result<Next, Failure> {
        client.follow_lists();
        let mut event = Event::Started(begin);
        loop {
            let looked = tokio::select! {
                looked = Look::take(client) => looked,
                files = self.files.changed() => return Ok(Next::Files(files)),
                _ = signals.stop() => return Ok(Next::Stop),
            };
            match looked {
                Ok(look) => self.say_look(look, &event)?,
                Err(fault) => return Ok(Next::Gone(fault)),
            }
            let next = tokio::select! {
                files = self.files.changed() => Next::Files(files),
                () = self.bell.rung() => Next::Lists,
                fault = client.gone() => Next::Gone(fault),
                _ = signals.stop() => Next::Stop,
            };
            if !matches!(next, Next::Lists) {
                return Ok(next);
            }
            event = Event::Told;
        }
    }

    /// Says why there is no server, and waits for its files.
    async fn failed(&mut self, found: &Found, event: &'static str, fault: Fault, signals: &mut Signals) -> Result<Next, Failure> {
        let failure = found.explained(Failure::from(fault));
        // Nothing would ever change.
        if self.files.places().is_empty() {
            return Err(failure);
        }
        self.say_failure(event, &failure)?;
        Ok(self.waited(signals).await)
    }

    async fn waited(&mut self, signals: &mut Signals) -> Next {
        tokio::select! {
            files = self.files.changed() => Next::Files(files),
            _ = signals.stop() => Next::Stop,
        }
    }

    /// Lets time pass where a server seems to write what is watched. `None` where somebody has seen enough.
    async fn calmed(&mut self, begin: Instant, files: &[PathBuf], signals: &mut Signals) -> Option<()> {
        self.hasty = if begin.elapsed() < HASTE { self.hasty + 1 } else { 0 };
        if self.hasty < HASTY {
            return Some(());
        }
        if self.hasty == HASTY {
            let file = files.first().map(|file| file.display().to_string()).unwrap_or_default();
            self.output.warn(&format!("`{file}` changes whenever the server starts; name what is to be watched: --watch=DIR"));
        }
        let calm = CALM_MAX.min(HASTE * (self.hasty - HASTY + 1));
        tokio::select! {
            () = tokio::time::sleep(calm) => Some(()),
            _ = signals.stop() => None,
        }
    }
}

/// Why it was looked again.
enum Event {
    /// It was started, at that time.
    Started(Instant),
    /// It told of changed lists.
    Told,
}

impl Watching<'_> {
    fn say_look(&mut self, look: Look, event: &Event) -> Result<(), Failure> {
        let changes = self.last.as_ref().map(|last| Changes::between(last, &look));
        let after_ms = match event {
            Event::Started(begin) => u64::try_from(begin.elapsed().as_millis()).ok(),
            Event::Told => None,
        };
        match changes {
            None => self.say_first(&look, after_ms.unwrap_or_default())?,
            Some(changes) => self.say_changes(&look, &changes, after_ms)?,
        }
        self.last = Some(look);
        Ok(())
    }

    fn say_first(&self, look: &Look, after_ms: u64) -> Result<(), Failure> {
        let (places, files) = (self.files.places(), self.files.count());
        if self.output.is_json {
            return row(
                "ready",
                json!({
                    "after_ms": after_ms, "watched": places, "files": files, "overview": look.overview, "lint": look.lint,
                }),
            );
        }
        self.output.data(&format!("{}\n{}", look.overview.told(said), look.lint.told(said)))?;
        if places.is_empty() {
            self.output.say("watching  what it tells of its lists; Ctrl-C ends it");
        }
        for place in places {
            self.output.say(&format!("watching  {}; Ctrl-C ends it", place.display()));
        }
        if self.files.is_full() {
            self.output.warn(&format!("there are more than {files} files; name a smaller folder: --watch=DIR"));
        }
        Ok(())
    }

    fn say_changes(&self, look: &Look, changes: &Changes, after_ms: Option<u64>) -> Result<(), Failure> {
        let lint = &look.lint;
        if self.output.is_json {
            let name = if after_ms.is_some() { "restarted" } else { "listed" };
            let counts = json!({ "tools": lint.tools, "errors": lint.errors, "warnings": lint.warnings, "advice": lint.advice });
            let mut event = json!({ "lint": counts, "changes": changes });
            if let (Some(members), Some(after)) = (event.as_object_mut(), after_ms) {
                members.insert("after_ms".to_owned(), json!(after));
            }
            return row(name, event);
        }
        let (tools, errors, warnings) = (lint.tools, lint.errors, lint.warnings);
        let head = match after_ms {
            Some(after) => format!("restarted in {after} ms: {tools} tools, {errors} errors, {warnings} warnings"),
            None => format!("listed anew: {tools} tools, {errors} errors, {warnings} warnings"),
        };
        self.output.data(&format!("{}\n{}", said(&head), changes.told(said)))
    }

    fn say_files(&self, files: &[PathBuf]) -> Result<(), Failure> {
        if self.output.is_json {
            return row("changed", json!({ "files": files }));
        }
        let base = self.files.places().iter().find(|place| files.iter().all(|file| file.starts_with(place) && file != *place));
        let name = |file: &PathBuf| base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(file).display().to_string();
        let names: Vec<String> = files.iter().take(FILES_SHOWN).map(name).collect();
        let more = if files.len() > FILES_SHOWN { format!(", +{}", files.len() - FILES_SHOWN) } else { String::new() };
        self.output.prose(&format!("\nchanged  {}{more}", names.join(", ")))
    }

    fn say_failure(&self, event: &str, failure: &Failure) -> Result<(), Failure> {
        if self.output.is_json {
            let error: Value = serde_json::from_str(&failure.to_json()).unwrap_or_default();
            return row(event, error);
        }
        self.output.failure(failure);
        self.output.say("waiting for its files to change; Ctrl-C ends it");
        Ok(())
    }
}

/// Prints an event for programs, in one line.
fn row(event: &str, mut value: Value) -> Result<(), Failure> {
    if let Some(members) = value.as_object_mut() {
        members.insert("event".to_owned(), json!(event));
    }
    Output::row("watch", &value)
}
