//! Arguments as people type them, and what is wrong with a line.

use std::fmt;

use crib_model::Fault;
use serde_json::{Map, Value};

/// Why a command was not done.
#[derive(Clone, Debug)]
pub enum Mistake {
    /// The line makes no sense.
    Line { message: String, hint: Option<String> },
    /// The server is gone or silent.
    Fault(Fault),
}

// === impl Mistake ===

impl Mistake {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Line { message: message.into(), hint: None }
    }

    pub(super) fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Line { message, .. } => Self::Line { message, hint: Some(text.into()) },
            Self::Fault(fault) => Self::Fault(fault.hint(text)),
        }
    }
}

impl From<Fault> for Mistake {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { message, hint: Some(hint) } => write!(f, "{message}\nhint: {hint}"),
            Self::Line { message, hint: None } => f.write_str(message),
            Self::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

impl std::error::Error for Mistake {}

pub(super) fn json(text: &str) -> Result<Value, Mistake> {
    serde_json::from_str(text).map_err(|error| Mistake::new(format!("`{text}` is not JSON: {error}")))
}

/// Reads `name=text` by the tool's schema, and `name:=JSON`.
pub(super) fn typed(words: &[&str], schema: Option<&Value>) -> Result<Map<String, Value>, Mistake> {
    if let [whole] = words
        && whole.starts_with('{')
        && let Value::Object(arguments) = json(whole)?
    {
        return Ok(arguments);
    }
    let mut arguments = Map::new();
    for word in words {
        let (name, value) = pair(word)?;
        let value = match name.strip_suffix(':') {
            Some(name) => (name, json(value)?),
            None => (name, by_schema(value, schema.and_then(|schema| schema.get("properties")?.get(name)))),
        };
        arguments.insert(value.0.to_owned(), value.1);
    }
    Ok(arguments)
}

/// Reads `name=text`; arguments of prompts are texts.
pub(super) fn texts(words: &[&str]) -> Result<Map<String, Value>, Mistake> {
    words.iter().map(|word| pair(word).map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))).collect()
}

fn pair(word: &str) -> Result<(&str, &str), Mistake> {
    word.split_once('=').ok_or_else(|| Mistake::new(format!("`{word}` is no argument")).hint("arguments are name=text or name:=JSON"))
}

/// Takes a text for what the schema says it is; a text that is nothing of it stays one.
pub(crate) fn by_schema(text: &str, schema: Option<&Value>) -> Value {
    let kinds: Vec<&str> = match schema.and_then(|schema| schema.get("type")) {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    if kinds.is_empty() || kinds.contains(&"string") {
        return Value::String(text.to_owned());
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_typed_by_the_schema() {
        let schema = json!({ "properties": { "a": { "type": "number" }, "b": { "type": "string" }, "c": { "type": ["array", "null"] } } });
        let arguments = typed(&["a=1", "b=1", "c=[1]", "d=1", "e:=1"], Some(&schema)).unwrap();
        assert_eq!(Value::Object(arguments), json!({ "a": 1, "b": "1", "c": [1], "d": "1", "e": 1 }));
        assert!(typed(&["a"], None).is_err() && typed(&["a:={"], None).is_err());
    }
}
