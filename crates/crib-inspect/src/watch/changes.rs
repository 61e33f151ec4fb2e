//! What is different between two looks at a server.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crib_mcp::{Json, meta};
use crib_registry::pins::{Part, canonical, parts, visible};
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::Look;
use crate::lint::{Finding, Severity};
use crate::overview::{self, Overview};
use crate::words::{Speak, label};

/// Lines that are shown of the differences in one definition.
const LINES_MAX: usize = 24;
/// Characters that are shown of one line of it.
const LINE_CHARS_MAX: usize = 160;
/// Entries of one kind that are shown to people.
const SHOWN_MAX: usize = 40;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Added,
    Removed,
    Changed,
}

/// What can be defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a server says of itself: its name and version, capabilities, instructions.
    Server,
    Tool,
    Prompt,
    Resource,
    ResourceTemplate,
}

/// A definition that is there, gone or another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: Kind,
    pub name: String,
    pub how: How,
    /// What of it changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// The lines that changed, with `-` and `+` before them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<String>,
    /// What people are shown of something that was added.
    #[serde(skip)]
    signature: Option<String>,
}

/// Everything that is different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub definitions: Vec<Change>,
    /// Findings that were not there before.
    pub findings_new: Vec<Finding>,
    pub findings_gone: Vec<Finding>,
    /// What is not as it should be about the lists themselves, since now.
    pub problems_new: Vec<String>,
}

/// Definitions by what and whose they are. A name that is there twice has two.
type Defined = BTreeMap<(Kind, String), Vec<Value>>;

// === impl Kind ===

impl Kind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::ResourceTemplate => "resource template",
        }
    }
}

// === impl How ===

impl How {
    const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

// === impl Changes ===

impl Changes {
    /// Compares two looks.
    #[must_use]
    pub fn between(old: &Look, new: &Look) -> Self {
        let is_in = |finding: &Finding, all: &[Finding]| all.iter().any(|other| key(other) == key(finding));
        let but = |all: &[Finding], without: &[Finding]| all.iter().filter(|finding| !is_in(finding, without)).cloned().collect();
        let problems_new = new.overview.problems.iter().filter(|problem| !old.overview.problems.contains(problem)).cloned().collect();
        Self {
            definitions: definitions(&defined(&old.overview), &defined(&new.overview)),
            findings_new: but(&new.lint.findings, &old.lint.findings),
            findings_gone: but(&old.lint.findings, &new.lint.findings),
            problems_new,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes them for people, one line each and the differences below.
    #[must_use]
    pub fn told(&self, speak: Speak) -> String {
        let mut out = String::new();
        // A text takes everything.
        self.write(&mut out, speak).unwrap_or_default();
        out
    }

    fn write(&self, f: &mut String, speak: Speak) -> std::fmt::Result {
        if self.is_empty() {
            return writeln!(f, "  {}", speak("nothing in its definitions changed"));
        }
        for change in self.definitions.iter().take(SHOWN_MAX) {
            let name = change.signature.clone().unwrap_or_else(|| visible(&change.name).replace('\n', " "));
            let parts: Vec<String> = change.parts.iter().map(ToString::to_string).collect();
            let gap = if parts.is_empty() { "" } else { "  " };
            let kind = label(speak, change.kind.as_str(), 0);
            writeln!(f, "  {} {kind} {name}{gap}{}", change.how.sign(), parts.join(", "))?;
            for line in &change.diff {
                writeln!(f, "      {}", overview::cut(line, LINE_CHARS_MAX))?;
            }
        }
        write_more(f, speak, self.definitions.len())?;
        for problem in &self.problems_new {
            writeln!(f, "  + {} {}", label(speak, "problem", 8), speak(&visible(problem)))?;
        }
        // What works in some places and could be better in others is advice, which most tools share: it is counted.
        let is_advice = |finding: &&Finding| finding.severity == Severity::Advice;
        for (sign, findings) in [('+', &self.findings_new), ('-', &self.findings_gone)] {
            let weighty: Vec<&Finding> = findings.iter().filter(|finding| !is_advice(finding)).collect();
            for finding in weighty.iter().take(SHOWN_MAX) {
                let about = finding.about.as_deref().map_or_else(|| speak("(the server)"), |about| visible(about).into());
                let severity = label(speak, finding.severity.as_str(), 8);
                writeln!(f, "  {sign} {severity} {}  {about}: {}", finding.rule.as_str(), speak(&visible(&finding.message)))?;
                if sign == '+' {
                    writeln!(f, "      {}{}", speak("fix: "), speak(&finding.fix))?;
                }
            }
            write_more(f, speak, weighty.len())?;
            let advice = findings.iter().filter(is_advice).count();
            if advice > 0 {
                writeln!(f, "  {sign} {}", speak(&format!("{advice} pieces of advice: --lint says which")))?;
            }
        }
        Ok(())
    }
}

fn write_more(f: &mut String, speak: Speak, count: usize) -> std::fmt::Result {
    if count > SHOWN_MAX { writeln!(f, "  {}", speak(&format!(" and {} more", count - SHOWN_MAX))) } else { Ok(()) }
}

/// What makes two findings one and the same.
fn key(finding: &Finding) -> (&str, Option<&String>, &str, &str) {
    (finding.rule.as_str(), finding.about.as_ref(), &finding.place, &finding.message)
}

fn defined(overview: &Overview) -> Defined {
    let mut all = Defined::new();
    let lists = [
        (Kind::Tool, &overview.tools, "name"),
        (Kind::Prompt, &overview.prompts, "name"),
        (Kind::Resource, &overview.resources, "uri"),
        (Kind::ResourceTemplate, &overview.resource_templates, "uriTemplate"),
    ];
    for (kind, items, member) in lists {
        for item in items {
            let name = item.get(member).and_then(Value::as_str).unwrap_or("(no name)").to_owned();
            all.entry((kind, name)).or_default().push(item.clone());
        }
    }
    let hello = &overview.hello;
    let info = hello.get("serverInfo").or_else(|| hello.get("_meta")?.get(meta::SERVER_INFO));
    for (name, value) in [("serverInfo", info), ("capabilities", hello.get("capabilities")), ("instructions", hello.get("instructions"))] {
        all.extend(value.map(|value| ((Kind::Server, name.to_owned()), vec![value.clone()])));
    }
    all.insert((Kind::Server, "revision".to_owned()), vec![Value::from(overview.revision)]);
    all
}

fn definitions(old: &Defined, new: &Defined) -> Vec<Change> {
    let mut changes = Vec::new();
    for ((kind, name), items) in new {
        let before = old.get(&(*kind, name.clone()));
        match before {
            None => {
                let signature = items.first().filter(|_| *kind == Kind::Tool).map(overview::signature);
                changes.push(Change { signature, ..change(*kind, name, How::Added) });
            }
            Some(before) if before.iter().map(text).eq(items.iter().map(text)) => {}
            Some(before) => {
                let (old, new) = (before.first().cloned().unwrap_or_default(), items.first().cloned().unwrap_or_default());
                let parts = if new.is_object() && *kind != Kind::Server { parts(&text(&old), &text(&new)) } else { Vec::new() };
                changes.push(Change { parts, diff: diff(&old, &new), ..change(*kind, name, How::Changed) });
            }
        }
    }
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    changes.extend(gone.map(|(kind, name)| change(*kind, name, How::Removed)));
    changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    changes
}

fn change(kind: Kind, name: &str, how: How) -> Change {
    Change { kind, name: name.to_owned(), how, parts: Vec::new(), diff: Vec::new(), signature: None }
}

/// The order of members says nothing.
fn text(value: &Value) -> String {
    canonical(&Json::of(value))
}

/// Returns the lines that differ, hidden characters spelt out.
fn diff(old: &Value, new: &Value) -> Vec<String> {
    let pretty = |value: &Value| match value.as_str() {
        Some(text) => visible(text),
        None => visible(&serde_json::to_string_pretty(value).unwrap_or_default()),
    };
    let (old, new) = (pretty(old), pretty(new));
    let diff = TextDiff::from_lines(&old, &new);
    let changed = diff.iter_all_changes().filter_map(|line| match line.tag() {
        ChangeTag::Delete => Some(format!("- {}", line.value().trim_end())),
        ChangeTag::Insert => Some(format!("+ {}", line.value().trim_end())),
        ChangeTag::Equal => None,
    });
    let mut lines: Vec<String> = changed.take(LINES_MAX + 1).collect();
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.push("…".to_owned());
    }
    lines
}
