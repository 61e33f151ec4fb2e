//! What an update changes about a server's tools: the new version is started once, in its sandbox, and what it lists is
//! compared with what is pinned, or with what the version before lists.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crib_control::pins::FilePins;
use crib_control::{Compiled, CompiledServer, Package, Source};
use crib_inspect::Abilities;
use crib_mcp::{ClientCaps, Json};
use crib_model::Clock as _;
use crib_package::Locked;
use crib_registry::pins::{
    Book, Definition, Held, HeldWhy, INSTRUCTIONS, ListedTools, Mode, NewTools, Pins as _, Policy, Record, unified, visible,
};
use serde::Serialize;
use serde_json::json;

use super::super::approve::diff_line;
use super::{EVERYTHING, shortened};
use crate::failure::Failure;
use crate::instance::package;
use crate::machine::Machine;
use crate::shop::{self, Shop};
use crate::tongue::said;
use crate::trial::{Listed, Trial};
use crate::{config, pins};

/// Longest wait for a version to start, and again for its list.
const WAIT: Duration = Duration::from_secs(30);
/// What is told of a new tool: how its description begins.
const ADDED_LINES: usize = 3;

/// What is known of the tools of an update.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub(super) enum Tools {
    Compared(Compared),
    Skipped {
        why: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

/// Two lists side by side.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    against: Against,
    /// Tools that are as they were.
    same: usize,
    changes: Vec<Change>,
    /// Whether what is new or changed waits for approval.
    held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Against {
    /// What was approved.
    Pins,
    /// What the version before lists.
    Before,
}

#[derive(Debug, Serialize)]
struct Change {
    tool: String,
    kind: Kind,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Added,
    Changed,
    Renamed,
    Removed,
}

/// A server as its versions are started.
struct Case<'a> {
    shop: &'a Arc<Shop>,
    server: CompiledServer,
    package: Package,
    /// What its pins are kept under, where the configuration has it.
    compiled: Option<Compiled>,
    origin: String,
}

/// Starts what was pulled, and says what is different about its tools. It is never a reason to fail.
pub(super) async fn look(shop: &Arc<Shop>, name: &str, before: &Locked, after: &Locked) -> Tools {
    let compared = match Case::new(shop, name, after) {
        Ok(case) => Box::pin(case.compare(before, after)).await,
        Err(failure) => Err(failure),
    };
    match compared {
        Ok(compared) => Tools::Compared(compared),
        Err(failure) => Tools::Skipped { why: failure.one_line(), hint: failure.remedy().map(str::to_owned) },
    }
}

impl<'a> Case<'a> {
    fn new(shop: &'a Arc<Shop>, name: &str, after: &Locked) -> Result<Self, Failure> {
        let own = config::own()?;
        let find = |compiled: &Compiled| compiled.servers.iter().find(|server| server.name == name).cloned();
        let known = find(&own).filter(|server| matches!(server.source, Source::Package(_)));
        let (server, compiled) = match known {
            Some(server) => (server, Some(own)),
            None => {
                let made = config::made(name, &json!({ "run": shop::pinned(after) }))?;
                (find(&made).ok_or_else(|| Failure::usage(format!("`{name}` is no name for a server")))?, None)
            }
        };
        let origin = server.source.origin();
        let Source::Package(package) = server.bind(&*pins::source())?.source else {
            return Err(Failure::usage(format!("`{name}` is no package")));
        };
        Ok(Self { shop, server, package, compiled, origin })
    }

    async fn compare(&self, before: &Locked, after: &Locked) -> Result<Compared, Failure> {
        let kept = pins::file().map(|file| file.read()).transpose().map_err(|error| error.fault())?.unwrap_or_default();
        let slug = self.server.slug.as_str();
        // As the command line itself lists them: a client that can do nothing.
        let mut kind = format!("{:?}", ClientCaps::none().set);
        let record = kept.record(slug, &self.origin).filter(|record| !record.tools.is_empty());
        let is_usual = record.is_none_or(|record| record.kinds.contains(&kind));
        if let Some(other) = record.filter(|_| !is_usual).and_then(|record| record.kinds.first()) {
            kind.clone_from(other);
        }
        let abilities = if is_usual { Abilities::None } else { Abilities::Full };
        let new = self.list(after, abilities).await?;
        let (mut book, against) = match record {
            Some(_) => (kept.clone(), Against::Pins),
            None => {
                let old = self.list(before, abilities).await?;
                let mut book = Book::default();
                book.judge(&self.listed(&old, &kind), Policy { mode: Mode::Warn, ..Policy::default() }, 0);
                (book, Against::Before)
            }
        };
        let listed = self.listed(&new, &kind);
        let changes = changes(&mut book, &listed);
        let differs = |change: &&Change| change.kind != Kind::Removed && change.tool != INSTRUCTIONS;
        let same = new.tools.len().saturating_sub(changes.iter().filter(differs).count());
        let held =
            against == Against::Pins && self.server.pins.mode == Mode::Hold && changes.iter().any(|change| change.kind != Kind::Removed);
        if held && is_usual {
            self.keep(&new, &kind)?;
        }
        Ok(Compared { against, same, changes, held })
    }

    /// Writes down what waits, so that it can be approved before anybody asks for it.
    fn keep(&self, new: &Listed, kind: &str) -> Result<(), Failure> {
        let (Some(file), Some(compiled)) = (pins::file(), &self.compiled) else { return Ok(()) };
        let pins = FilePins::open(file, compiled.pin_policies(), Arc::new(Machine)).map_err(|error| error.fault())?;
        pins.judge(&self.server.slug, kind, &new.tools, new.instructions.as_deref());
        Ok(())
    }

    fn listed<'b>(&'b self, list: &'b Listed, kind: &'b str) -> ListedTools<'b> {
        let Listed { tools, instructions } = list;
        ListedTools { slug: self.server.slug.as_str(), origin: &self.origin, kind, tools, instructions: instructions.as_deref() }
    }

    /// Starts one version in its sandbox, and reads its list.
    async fn list(&self, locked: &Locked, abilities: Abilities) -> Result<Listed, Failure> {
        let trial = Trial { shop: self.shop, server: &self.server, package: &self.package, abilities, wait: WAIT };
        let listed = trial.list(locked).await;
        listed.map_err(|fault| package::remedied(fault, locked, self.server.slug.as_str(), &[]).into())
    }
}

/// Compares a list with what the book trusts.
fn changes(book: &mut Book, listed: &ListedTools<'_>) -> Vec<Change> {
    let before = book.record(listed.slug, listed.origin).cloned().unwrap_or_default();
    let policy = Policy { mode: Mode::Hold, new_tools: NewTools::Hold, ..Policy::default() };
    let held = book.judge(listed, policy, Machine.unix().as_secs()).verdict.held;
    let mut changes: Vec<Change> = held.iter().filter_map(|held| change(&before, listed, held)).collect();
    let names = listed.tools.iter().filter_map(|tool| tool.to_object().ok()?.text("name").map(std::borrow::Cow::into_owned));
    let names: BTreeSet<String> = names.collect();
    let renamed = |name: &str| held.iter().any(|held| matches!(&held.why, HeldWhy::Renamed { from } if from == name));
    let is_shown = |pins: &[crib_registry::pins::Pin]| pins.iter().any(|pin| pin.kinds.contains(listed.kind));
    let gone = before.tools.iter().filter(|(name, pins)| *name != INSTRUCTIONS && !names.contains(*name) && is_shown(pins));
    let removed = gone.filter(|(name, _)| !renamed(name)).map(|(name, _)| Change {
        tool: visible(name),
        kind: Kind::Removed,
        message: "is not there any more".to_owned(),
        diff: String::new(),
    });
    changes.extend(removed);
    changes
}

fn change(before: &Record, listed: &ListedTools<'_>, held: &Held) -> Option<Change> {
    let definition = match held.at {
        Some(at) => Definition::of(listed.tools.get(at)?),
        None => Definition::of(&Json::string(listed.instructions.unwrap_or_default())),
    };
    let source = if let HeldWhy::Renamed { from } = &held.why { from } else { &held.name };
    let old = before.trusted(source, Some(listed.kind));
    let (kind, message) = match (&held.why, old) {
        // Numbers that are spelt otherwise are the same to the program that listed them here.
        (HeldWhy::Changed { parts }, Some(pin)) if parts.is_empty() && !pin.text.is_empty() => return None,
        (HeldWhy::Changed { parts }, _) if parts.is_empty() => (Kind::Changed, "changed".to_owned()),
        (HeldWhy::Changed { parts }, _) => {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            (Kind::Changed, format!("changed ({})", parts.join(", ")))
        }
        (HeldWhy::New, _) => (Kind::Added, "is new".to_owned()),
        (HeldWhy::Renamed { .. }, _) => (Kind::Renamed, held.why.to_string()),
        (HeldWhy::Suspicious { .. } | HeldWhy::Unjudged, Some(_)) => (Kind::Changed, held.why.to_string()),
        (HeldWhy::Suspicious { .. } | HeldWhy::Unjudged, None) => (Kind::Added, held.why.to_string()),
    };
    let diff = unified(old.map_or("", |pin| &pin.text), &definition.text);
    Some(Change { tool: visible(&held.name), kind, message, diff })
}

impl Tools {
    /// Says it in lines, of each tool no more than so many of what is different.
    pub(super) fn lines(&self, server: &str, diff_max: usize) -> Vec<String> {
        match self {
            Self::Skipped { why, hint } => {
                let mut lines = vec![said(&format!("tools       not compared: {why}")).into_owned()];
                lines.extend(hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("            {line}")));
                lines
            }
            Self::Compared(compared) => compared.lines(server, diff_max),
        }
    }
}

impl Compared {
    fn lines(&self, server: &str, diff_max: usize) -> Vec<String> {
        let tools = self.changes.iter().filter(|change| change.tool != INSTRUCTIONS);
        let count = |kind: Kind| tools.clone().filter(|change| change.kind == kind).count();
        let counts = [
            (count(Kind::Added), "added"),
            (count(Kind::Removed), "removed"),
            (count(Kind::Changed), "changed"),
            (count(Kind::Renamed), "renamed"),
        ];
        let mut head: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| said(&format!("{count} {what}")).into_owned()).collect();
        head.push(said(&format!("{} as before", self.same)).into_owned());
        let mut lines = vec![said(&format!("tools       {}", head.join(", "))).into_owned()];
        let rest = if self.held { format!("toolcrib approve {server} --diff") } else { EVERYTHING.to_owned() };
        for change in &self.changes {
            lines.push(format!("{server}.{} {}", change.tool, said(&change.message)));
            // Of a new tool everything is new, and shown where it is approved.
            let is_new = change.kind == Kind::Added;
            let diff = change.diff.lines().filter(|line| !is_new || (line.starts_with('+') && !line.starts_with("+++")));
            let diff: Vec<String> = diff.map(|line| format!("  {}", diff_line(line))).collect();
            lines.extend(if is_new { diff.into_iter().take(ADDED_LINES).collect() } else { shortened(diff, diff_max, &rest) });
        }
        if self.held {
            let held = format!("what is new or changed is held back until it is approved: toolcrib approve {server} --diff");
            lines.push(said(&held).into_owned());
        }
        lines
    }
}
