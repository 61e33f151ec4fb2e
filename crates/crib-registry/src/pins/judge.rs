//! What of a list may be shown.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crib_mcp::Json;
use serde::{Deserialize, Serialize};

use super::INSTRUCTIONS;
use super::book::{Book, KINDS_MAX, PENDING_MAX, Pending, Record};
use super::canonical::Definition;
use super::diff::{self, Part};
use super::poison::{self, Confidence, Finding};
use super::port::{Mode, NewTools, Policy};

/// A server's list of tools, as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    pub slug: &'a str,
    /// What the server is, so that two servers of one name do not share their trust.
    pub origin: &'a str,
    /// The kind of clients the list was read for.
    pub kind: &'a str,
    pub tools: &'a [Json],
    pub instructions: Option<&'a str>,
}

/// Why a definition is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum HeldWhy {
    /// It is another one than was approved.
    Changed { parts: Vec<Part> },
    /// The server did not have it when it was trusted.
    New,
    /// It is that of a tool that is gone, under another name.
    Renamed { from: String },
    /// It holds what a definition has no use for.
    Suspicious { findings: Vec<Finding> },
    /// What is trusted could not be looked up.
    Unjudged,
}

/// A tool that is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where it stands in the list; `None` for the server's instructions.
    pub at: Option<usize>,
    /// The server's own name for it.
    pub name: String,
    pub why: HeldWhy,
}

/// What of a list is held back, and what is odd about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// In the order of the list.
    pub held: Vec<Held>,
    /// What differs and is shown all the same, because the configuration wants only to be warned.
    pub warned: Vec<Held>,
    /// What was found in definitions that are shown, by the tool's name.
    pub findings: Vec<(String, Vec<Finding>)>,
}

impl Verdict {
    /// Holds back everything, for where nothing could be compared.
    #[must_use]
    pub fn all_held(tools: &[Json]) -> Self {
        let name = |tool: &Json| tool.to_object().ok().and_then(|members| members.text("name").map(Cow::into_owned));
        let tools =
            tools.iter().enumerate().filter_map(|(at, tool)| Some(Held { at: Some(at), name: name(tool)?, why: HeldWhy::Unjudged }));
        let instructions = Held { at: None, name: INSTRUCTIONS.to_owned(), why: HeldWhy::Unjudged };
        Self { held: std::iter::once(instructions).chain(tools).collect(), ..Self::default() }
    }
}

/// A verdict, and whether the book has to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    pub has_changed: bool,
}

/// An item of a list with what it is compared by.
struct Item<'a> {
    at: Option<usize>,
    name: String,
    definition: Definition,
    json: Option<&'a Json>,
    text: Option<&'a str>,
}

impl Book {
    /// Compares a list with what is pinned. A server that was never seen, for a kind of clients that was never seen, is
    /// taken at its word, but for what no definition has a use for.
    pub fn judge(&mut self, listed: &Listed<'_>, policy: Policy, now: u64) -> Judged {
        if policy.mode == Mode::Off {
            return Judged::default();
        }
        let items = items(listed);
        let record = self.open(listed.slug, listed.origin);
        let before = record.clone();
        // A server that lists nothing yet has not said what it is.
        let is_first = !record.kinds.contains(listed.kind) && record.kinds.len() < KINDS_MAX;
        if is_first && !listed.tools.is_empty() {
            record.kinds.insert(listed.kind.to_owned());
        }
        record.settle(listed.kind, &items);
        let present: BTreeSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
        let mut bench = Bench { kind: listed.kind, is_first, policy, now, present, verdict: Verdict::default() };
        for item in &items {
            bench.judge(record, item);
        }
        let has_changed = *record != before;
        if has_changed || record.seen.saturating_add(SEEN_EVERY) < now {
            record.seen = now;
        }
        let has_changed = *record != before;
        Judged { verdict: bench.verdict, has_changed }
    }
}

/// How often it is written down that a server is still there, in seconds.
const SEEN_EVERY: u64 = 24 * 3600;

fn items<'a>(listed: &Listed<'a>) -> Vec<Item<'a>> {
    let mut items = Vec::with_capacity(listed.tools.len() + 1);
    if let Some(text) = listed.instructions.filter(|text| !text.is_empty()) {
        let definition = Definition::of(&Json::string(text));
        items.push(Item { at: None, name: INSTRUCTIONS.to_owned(), definition, json: None, text: Some(text) });
    }
    for (at, tool) in listed.tools.iter().enumerate() {
        // What has no name the catalogue leaves out itself.
        let name = tool.to_object().ok().and_then(|members| members.text("name").map(Cow::into_owned));
        if let Some(name) = name.filter(|name| name != INSTRUCTIONS) {
            items.push(Item { at: Some(at), name, definition: Definition::of(tool), json: Some(tool), text: None });
        }
    }
    items
}

impl Record {
    /// Forgets what waited for this kind of clients and is not listed to them any more.
    fn settle(&mut self, kind: &str, items: &[Item<'_>]) {
        let is_listed = |name: &str, digest: &str| items.iter().any(|item| item.name == name && item.definition.digest == digest);
        for (name, waiting) in &mut self.pending {
            if !is_listed(name, &waiting.digest) {
                waiting.kinds.remove(kind);
            }
        }
        self.pending.retain(|_, waiting| !waiting.kinds.is_empty());
    }
}

/// One list in front of the judge.
struct Bench<'a> {
    kind: &'a str,
    is_first: bool,
    policy: Policy,
    now: u64,
    present: BTreeSet<&'a str>,
    verdict: Verdict,
}

impl Bench<'_> {
    fn judge(&mut self, record: &mut Record, item: &Item<'_>) {
        let findings = item.findings();
        let is_known = record.tools.get(&item.name).is_some_and(|pins| pins.iter().any(|pin| pin.digest == item.definition.digest));
        if is_known {
            record.pin(&item.name, &item.definition, self.kind, self.now);
            return self.note(item, findings);
        }
        match self.objection(record, item, &findings) {
            None => {
                record.pin(&item.name, &item.definition, self.kind, self.now);
                self.note(item, findings);
            }
            Some(why) => {
                self.wait(record, item, &why);
                let held = Held { at: item.at, name: item.name.clone(), why };
                let list = if self.policy.mode == Mode::Hold { &mut self.verdict.held } else { &mut self.verdict.warned };
                list.push(held);
            }
        }
    }

    /// Returns why a definition that is not trusted yet cannot simply be.
    fn objection(&self, record: &Record, item: &Item<'_>, findings: &[Finding]) -> Option<HeldWhy> {
        if let Some(pin) = record.trusted(&item.name, Some(self.kind)) {
            return Some(HeldWhy::Changed { parts: diff::parts(&pin.text, &item.definition.text) });
        }
        let worst = if self.policy.is_strict { Confidence::Low } else { Confidence::High };
        let grave: Vec<Finding> = findings.iter().filter(|finding| finding.confidence >= worst).cloned().collect();
        if !grave.is_empty() {
            return Some(HeldWhy::Suspicious { findings: grave });
        }
        if self.is_first || self.policy.new_tools == NewTools::Accept || item.at.is_none() && !record.knows_tools() {
            return None;
        }
        Some(record.same_under_another_name(item, &self.present).map_or(HeldWhy::New, |from| HeldWhy::Renamed { from }))
    }

    fn wait(&self, record: &mut Record, item: &Item<'_>, why: &HeldWhy) {
        let has_room = record.pending.len() < PENDING_MAX;
        match record.pending.get_mut(&item.name) {
            Some(waiting) if waiting.digest == item.definition.digest => {
                waiting.kinds.insert(self.kind.to_owned());
            }
            Some(waiting) => *waiting = Pending::new(&item.definition, self.kind, why.clone(), self.now),
            None if has_room => {
                record.pending.insert(item.name.clone(), Pending::new(&item.definition, self.kind, why.clone(), self.now));
            }
            None => {}
        }
    }

    fn note(&mut self, item: &Item<'_>, findings: Vec<Finding>) {
        if !findings.is_empty() {
            self.verdict.findings.push((item.name.clone(), findings));
        }
    }
}

impl Item<'_> {
    fn findings(&self) -> Vec<Finding> {
        match self.json {
            Some(json) => poison::scan_definition(json),
            None => poison::scan_text(self.text.unwrap_or_default()),
        }
    }
}

impl Record {
    fn knows_tools(&self) -> bool {
        self.tools.keys().any(|name| name != INSTRUCTIONS)
    }

    /// Finds a tool that is gone and had this definition but for its name.
    fn same_under_another_name(&self, item: &Item<'_>, present: &BTreeSet<&str>) -> Option<String> {
        let nameless = diff::without_name(&item.definition.text)?;
        let gone = self.tools.iter().filter(|(name, _)| !present.contains(name.as_str()));
        gone.filter(|(_, pins)| pins.iter().any(|pin| diff::without_name(&pin.text).as_ref() == Some(&nameless)))
            .map(|(name, _)| name.clone())
            .next()
    }
}

// === what people read ===

impl fmt::Display for HeldWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { parts } if parts.is_empty() => f.write_str("changed since it was approved"),
            Self::Changed { parts } => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(f, "changed since it was approved ({})", parts.join(", "))
            }
            Self::New => f.write_str("is new since the server was approved"),
            Self::Renamed { from } => write!(f, "is `{}` under a new name", super::visible(from)),
            Self::Unjudged => f.write_str("could not be compared with what was approved"),
            Self::Suspicious { findings } => {
                let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule.describe()).collect();
                rules.dedup();
                write!(f, "looks like an attack: {}", rules.join(", "))
            }
        }
    }
}
