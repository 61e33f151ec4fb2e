//! Changing one entry in a file that belongs to another program: every other byte stays what it was.
//!
//! A change is a splice of the text, never a new text of a parsed value. After each change the text is read again and
//! compared with what it must mean now, so a slip in here refuses instead of writing.

mod json;
#[cfg(test)]
mod tests;
mod toml;
mod yaml;

use std::fmt;

use crate::text::Splice;
use crate::tree::{self, Language, Node, Span};
use crate::value::Value;

/// Where the entries of a file stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Members of the map at this path.
    Map(&'static [&'static str]),
    /// Elements of the list at this path, each with a `name`.
    List(&'static [&'static str]),
}

/// One entry of one file.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    pub language: Language,
    pub place: Place,
    pub name: &'a str,
}

/// What a change does to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub text: String,
    /// The change itself; `None` when everything is as it should be already.
    pub splice: Option<Splice>,
}

/// Why a file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub span: Span,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span }
    }

    /// Returns line and column, counted from 1.
    #[must_use]
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default().trim_start_matches('\u{feff}');
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Reads the bytes of a file as text.
///
/// # Errors
/// They are not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "the file is UTF-16; save it as UTF-8"
        } else {
            "the file is not UTF-8 from here on"
        };
        Refusal::new(message, at..at)
    })
}

/// Returns the entries of a file, in its order.
///
/// # Errors
/// The file cannot be read.
pub fn entries(text: &str, language: Language, place: Place) -> Result<Vec<(String, Value)>, Refusal> {
    let root = parse(text, language)?;
    let Some(node) = descend(&root, place.path()) else { return Ok(Vec::new()) };
    let named = |node: &Node| Some((node.get("name")?.as_text()?.to_owned(), Value::from(node)));
    Ok(match place {
        Place::Map(_) => node.as_map().unwrap_or_default().iter().map(|(key, node)| (key.name.clone(), Value::from(node))).collect(),
        Place::List(_) => node.as_list().unwrap_or_default().iter().filter_map(named).collect(),
    })
}

/// Returns one entry of a file.
///
/// # Errors
/// The file cannot be read.
pub fn entry(text: &str, spot: Spot<'_>) -> Result<Option<Value>, Refusal> {
    let found = entries(text, spot.language, spot.place)?;
    Ok(found.into_iter().find(|(name, _)| name == spot.name).map(|(_, value)| value))
}

/// Writes an entry, in the place of one of the same name if there is one. What others wrote into that one and says
/// nothing about how the server is reached stays.
///
/// # Errors
/// The file cannot be read, or cannot be changed without touching what is not ours.
pub fn upsert(text: &str, spot: Spot<'_>, value: &Value) -> Result<Edit, Refusal> {
    let root = parse(text, spot.language)?;
    let before = descend(&root, spot.place.path()).and_then(|node| spot.find(node)).map(Value::from);
    let wanted = before.as_ref().map_or_else(|| value.clone(), |before| merged(before, value));
    if before.as_ref() == Some(&wanted) {
        return Ok(Edit { text: text.to_owned(), splice: None });
    }
    let after = match spot.language {
        Language::Json => json::upsert(text, &root, spot, &wanted)?,
        Language::Toml => toml::upsert(text, &root, spot, &wanted)?,
        Language::Yaml => yaml::upsert(text, &root, spot, &wanted)?,
    };
    let expected = with(&Value::from(&root), spot, Some(&wanted));
    check(&after, spot, &[expected])?;
    Ok(Edit { splice: Splice::between(text, &after), text: after })
}

/// Takes an entry out; `made` is the change that put it there, if that is known, and brings back the very bytes.
///
/// # Errors
/// The file cannot be read, or cannot be changed without touching what is not ours.
pub fn remove(text: &str, spot: Spot<'_>, made: Option<&Splice>) -> Result<Edit, Refusal> {
    let root = parse(text, spot.language)?;
    if descend(&root, spot.place.path()).and_then(|node| spot.find(node)).is_none() {
        return Ok(Edit { text: text.to_owned(), splice: None });
    }
    let plain = with(&Value::from(&root), spot, None);
    let bare = without_hollow(&plain, spot.place.path());
    if let Some(after) = made.and_then(|made| made.undone(text))
        && parse(&after, spot.language).is_ok_and(|root| without_hollow(&Value::from(&root), spot.place.path()) == bare)
    {
        return Ok(Edit { splice: Splice::between(text, &after), text: after });
    }
    let after = match spot.language {
        Language::Json => json::remove(text, &root, spot)?,
        Language::Toml => toml::remove(text, &root, spot)?,
        Language::Yaml => yaml::remove(text, &root, spot)?,
    };
    check(&after, spot, &[plain, bare])?;
    Ok(Edit { splice: Splice::between(text, &after), text: after })
}

impl Place {
    #[must_use]
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Self::Map(path) | Self::List(path) => path,
        }
    }
}

impl Spot<'_> {
    /// Finds the entry in the map or list it belongs to.
    fn find<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        match self.place {
            Place::Map(_) => node.get(self.name),
            Place::List(_) => node.as_list()?.iter().find(|node| node.get("name").and_then(Node::as_text) == Some(self.name)),
        }
    }

    /// Returns the value as it stands in the file: elements of lists carry their name.
    fn element(&self, value: &Value) -> Value {
        match self.place {
            Place::Map(_) => value.clone(),
            Place::List(_) => {
                let name = [("name".to_owned(), Value::text(self.name))];
                let rest = value.members().iter().filter(|(name, _)| name != "name").cloned();
                Value::Map(name.into_iter().chain(rest).collect())
            }
        }
    }
}

pub(crate) fn parse(text: &str, language: Language) -> Result<Node, Refusal> {
    tree::parse(text, language).map_err(|error| Refusal::new(error.message, error.span))
}

fn descend<'n>(root: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, name| node.get(name))
}

/// Members that say how a server is reached. What is not among them survives an update.
const REACH: &[&str] = &[
    "type",
    "transport",
    "source",
    "command",
    "cmd",
    "executable",
    "args",
    "env",
    "envs",
    "env_keys",
    "env_vars",
    "environment",
    "cwd",
    "url",
    "uri",
    "httpUrl",
    "serverUrl",
    "baseUrl",
    "base_url",
    "headers",
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
    "requestOptions",
    "disabled",
    "enabled",
    "isActive",
];

fn merged(before: &Value, value: &Value) -> Value {
    let foreign = |(name, _): &&(String, Value)| !REACH.contains(&name.as_str()) && value.member(name).is_none();
    Value::Map(value.members().iter().chain(before.members().iter().filter(foreign)).cloned().collect())
}

/// Returns what the file means with another entry, or without it.
fn with(root: &Value, spot: Spot<'_>, wanted: Option<&Value>) -> Value {
    fn go(value: &Value, path: &[&str], spot: Spot<'_>, wanted: Option<&Value>) -> Value {
        if let Some((first, rest)) = path.split_first() {
            let mut members = value.members().to_vec();
            match members.iter_mut().find(|(name, _)| name == first) {
                Some((_, inner)) => *inner = go(inner, rest, spot, wanted),
                None => members.push(((*first).to_owned(), go(&Value::Null, rest, spot, wanted))),
            }
            return Value::Map(members);
        }
        match spot.place {
            Place::Map(_) => {
                let mut members: Vec<(String, Value)> = value.members().iter().filter(|(name, _)| name != spot.name).cloned().collect();
                members.extend(wanted.map(|wanted| (spot.name.to_owned(), wanted.clone())));
                Value::Map(members)
            }
            Place::List(_) => {
                let elements = if let Value::List(elements) = value { elements.clone() } else { Vec::new() };
                let is_ours = |element: &Value| element.member("name").and_then(Value::as_text) == Some(spot.name);
                let at = elements.iter().position(is_ours);
                let mut kept: Vec<Value> = elements.into_iter().filter(|element| !is_ours(element)).collect();
                if let Some(wanted) = wanted {
                    kept.insert(at.unwrap_or(kept.len()).min(kept.len()), spot.element(wanted));
                }
                Value::List(kept)
            }
        }
    }
    go(root, spot.place.path(), spot, wanted)
}

/// Drops the containers of our entry that hold nothing else.
fn without_hollow(value: &Value, path: &[&str]) -> Value {
    let Some((first, rest)) = path.split_first() else { return value.clone() };
    let members = value.members().iter().filter_map(|(name, inner)| {
        let inner = if name == first { without_hollow(inner, rest) } else { inner.clone() };
        (name != first || !inner.is_empty()).then(|| (name.clone(), inner))
    });
    Value::Map(members.collect())
}

/// Reads the changed text and compares it with what it must mean.
fn check(after: &str, spot: Spot<'_>, expected: &[Value]) -> Result<(), Refusal> {
    let unsafe_edit = || Refusal::new("this file is written in a way that cannot be changed safely", 0..0);
    let Ok(root) = parse(after, spot.language) else { return Err(unsafe_edit()) };
    let found = Value::from(&root);
    let is_same = |expected: &Value| match spot.place {
        // A new element may stand anywhere in the list.
        Place::List(path) => sorted(&found, path) == sorted(expected, path),
        Place::Map(_) => found == *expected,
    };
    if expected.iter().any(|expected| is_same(expected) || expected.is_empty() && found.is_empty()) { Ok(()) } else { Err(unsafe_edit()) }
}

/// The value with the list at the path in an order of its own.
fn sorted(value: &Value, path: &[&str]) -> Value {
    match (path.split_first(), value) {
        (Some((first, rest)), Value::Map(members)) => {
            let member = |(name, inner): &(String, Value)| (name.clone(), if name == first { sorted(inner, rest) } else { inner.clone() });
            Value::Map(members.iter().map(member).collect())
        }
        (None, Value::List(elements)) => {
            let mut elements = elements.clone();
            elements.sort_by_cached_key(|element| format!("{:?}", element.member("name")));
            Value::List(elements)
        }
        _ => value.clone(),
    }
}
