//! A file of settings as a tree that remembers where everything stood, whatever language it was written in.

mod jsonc;
mod toml;
mod yaml;

use std::ops::Range;

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

    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
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
