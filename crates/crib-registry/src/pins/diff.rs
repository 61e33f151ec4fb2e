//! What is different between two definitions, for people.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::TextDiff;

use super::visible;

/// A part of a definition that is another one, in the words of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Added {
        parameters: usize,
    },
    Removed {
        parameters: usize,
    },
    /// A member of the definition, `description` or `annotations`.
    Member(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: &usize| if *n == 1 { "" } else { "s" };
        match self {
            Self::Added { parameters } => write!(f, "+{parameters} parameter{}", plural(parameters)),
            Self::Removed { parameters } => write!(f, "-{parameters} parameter{}", plural(parameters)),
            Self::Member(name) => f.write_str(&visible(name)),
        }
    }
}

/// Names what differs between two canonical definitions; nothing where one of the texts was not kept.
#[must_use]
pub fn parts(old: &str, new: &str) -> Vec<Part> {
    let (Some(old), Some(new)) = (object(old), object(new)) else { return Vec::new() };
    let mut parts = Vec::new();
    for name in names(&old, &new) {
        if old.get(name) == new.get(name) {
            continue;
        }
        if name != "inputSchema" {
            parts.push(Part::Member(name.clone()));
            continue;
        }
        let (before, after) = (parameters(&old), parameters(&new));
        let (added, removed) = (after.difference(&before).count(), before.difference(&after).count());
        parts.extend((added > 0).then_some(Part::Added { parameters: added }));
        parts.extend((removed > 0).then_some(Part::Removed { parameters: removed }));
        if added == 0 && removed == 0 {
            parts.push(Part::Member("parameters".to_owned()));
        }
    }
    parts
}

/// Writes what differs between two canonical definitions as a unified diff of their members: texts by lines, the rest as
/// indented JSON. Hidden characters are spelt out. A definition that is not there is the empty text.
#[must_use]
pub fn unified(old: &str, new: &str) -> String {
    if let Some(new) = text(new) {
        return lines("instructions", &text(old).unwrap_or_default(), &new);
    }
    let (old, new) = (object(old).unwrap_or_default(), object(new).unwrap_or_default());
    let changed = names(&old, &new).into_iter().filter(|name| old.get(*name) != new.get(*name));
    changed.map(|name| lines(&visible(name), &shown(old.get(name)), &shown(new.get(name)))).collect()
}

/// Returns a canonical definition without its name.
pub(super) fn without_name(text: &str) -> Option<String> {
    let mut members = object(text)?;
    members.remove("name");
    serde_json::to_string(&members).ok()
}

/// The members in an order that people read in: name, title, description, then the rest.
fn names<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> Vec<&'a String> {
    const FIRST: [&str; 5] = ["name", "title", "description", "inputSchema", "outputSchema"];
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

fn lines(name: &str, old: &str, new: &str) -> String {
    let (old, new) = (ended(old), ended(new));
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(2)
        .header(&format!("approved {name}"), &format!("new {name}"))
        .to_string()
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => visible(text),
        Some(value) => visible(&serde_json::to_string_pretty(value).unwrap_or_default()),
    }
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// The text of instructions, which are a string and not an object.
fn text(canonical: &str) -> Option<String> {
    let text: String = serde_json::from_str(canonical).ok()?;
    Some(visible(&text))
}

fn parameters(definition: &Map<String, Value>) -> BTreeSet<&String> {
    let properties = definition.get("inputSchema").and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().collect()).unwrap_or_default()
}
