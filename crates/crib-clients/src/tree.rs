//! A file of settings as a tree that remembers where everything stood, whatever language it was written in.

mod jsonc;
mod toml;
mod yaml;

use std::ops::Range;
use std::path::Path;

/// Where something stands in a text, in bytes.
pub type Span = Range<usize>;

/// Deepest nesting of a file of settings.
const DEPTH_MAX: usize = 64;

/// The languages files of settings are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Json,
    Yaml,
    Toml,
}

impl Language {
    /// Chooses by the file's ending, and by the first character where the ending says nothing.
    #[must_use]
    pub fn of(path: &Path, text: &str) -> Self {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("json" | "jsonc" | "json5") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some("toml") => Self::Toml,
            Some(_) | None if text.trim_start().starts_with(['{', '/']) => Self::Json,
            Some(_) | None => Self::Yaml,
        }
    }
}

/// One value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    /// The number as written in JSON.
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a member and where it stands.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: String,
    pub span: Span,
}

/// Why a text is not a tree.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    pub message: String,
    pub span: Span,
}

/// Reads a text.
///
/// # Errors
/// Says what is wrong with the text and where.
pub fn parse(text: &str, language: Language) -> Result<Node, SyntaxError> {
    let node = match language {
        Language::Json => jsonc::parse(text)?,
        Language::Yaml => yaml::parse(text)?,
        Language::Toml => toml::parse(text)?,
    };
    match node.too_deep(DEPTH_MAX) {
        Some(span) => Err(SyntaxError { message: format!("nested more than {DEPTH_MAX} levels deep"), span }),
        None => Ok(node),
    }
}

impl Node {
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Returns the truth this says: as such, from a variable, or in the words of YAML 1.1.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) => truth(text),
            Value::Null | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub fn as_map(&self) -> Option<&[(Key, Self)]> {
        if let Value::Map(members) = &self.value { Some(members) } else { None }
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        if let Value::List(elements) = &self.value { Some(elements) } else { None }
    }

    /// Returns a member of the map this is.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_map()?.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// Returns where a member stands, as deep as the path leads: its name, else the nearest thing around it.
    #[must_use]
    pub fn locate(&self, path: &[&str]) -> Span {
        let Some((first, rest)) = path.split_first() else { return self.span.clone() };
        match &self.value {
            Value::Map(members) => match members.iter().find(|(key, _)| key.name == *first) {
                Some((key, _)) if rest.is_empty() => key.span.clone(),
                Some((_, node)) if node.as_map().is_none() && node.as_list().is_none() => node.span.clone(),
                Some((key, node)) => {
                    let inner = node.locate(rest);
                    if inner == node.span { key.span.clone() } else { inner }
                }
                None => self.span.clone(),
            },
            Value::List(elements) => {
                let element = first.parse::<usize>().ok().and_then(|at| elements.get(at));
                element.map_or_else(|| self.span.clone(), |node| node.locate(rest))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => self.span.clone(),
        }
    }

    /// Names what kind of value this is, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    fn too_deep(&self, left: usize) -> Option<Span> {
        if left == 0 {
            return Some(self.span.clone());
        }
        match &self.value {
            Value::List(elements) => elements.iter().find_map(|node| node.too_deep(left - 1)),
            Value::Map(members) => members.iter().find_map(|(_, node)| node.too_deep(left - 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
        }
    }
}

/// Reads a truth written as a word.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
