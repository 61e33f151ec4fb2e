//! Finds the `x-mcp-header` annotations of an input schema and checks the rules about where they may stand.

use serde_json::{Map, Value};

use super::{ParamHeader, ParamHeaders};
use crate::json::Json;

const ANNOTATION: &str = "x-mcp-header";

/// Keywords whose value is data, not a schema: what looks like an annotation there is none.
const DATA: [&str; 4] = ["default", "const", "enum", "examples"];

/// Keywords whose value maps free names to schemas.
const MAPS: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

pub(super) fn read(schema: &Json) -> Result<Option<ParamHeaders>, String> {
    let bytes = schema.bytes();
    let may_have = memchr::memmem::find(bytes, ANNOTATION.as_bytes()).is_some() || memchr::memmem::find(bytes, b"\\u").is_some();
    if !may_have {
        return Ok(None);
    }
    let value: Value = schema.read().map_err(|e| format!("the input schema cannot be read: {e}"))?;
    let mut walk = Walk { path: Vec::new(), found: ParamHeaders::default() };
    walk.schema(&value, Reach::Static)?;
    Ok((!walk.found.entries.is_empty()).then_some(walk.found))
}

/// Whether only `properties` lie between the root and here.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Static,
    Dynamic,
}

struct Walk {
    path: Vec<String>,
    found: ParamHeaders,
}

impl Walk {
    fn schema(&mut self, schema: &Value, reach: Reach) -> Result<(), String> {
        match schema {
            Value::Object(members) => self.members(members, reach),
            Value::Array(schemas) => schemas.iter().try_for_each(|schema| self.schema(schema, Reach::Dynamic)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn members(&mut self, members: &Map<String, Value>, reach: Reach) -> Result<(), String> {
        if let Some(name) = members.get(ANNOTATION) {
            self.annotation(name, members, reach)?;
        }
        for (keyword, value) in members {
            let keyword = keyword.as_str();
            if let Some(schemas) = value.as_object().filter(|_| MAPS.contains(&keyword)) {
                self.map(schemas, if keyword == "properties" { reach } else { Reach::Dynamic })?;
            } else if !DATA.contains(&keyword) {
                self.schema(value, Reach::Dynamic)?;
            }
        }
        Ok(())
    }

    fn map(&mut self, schemas: &Map<String, Value>, reach: Reach) -> Result<(), String> {
        for (name, schema) in schemas {
            self.path.push(name.clone());
            self.schema(schema, reach)?;
            self.path.pop();
        }
        Ok(())
    }

    fn annotation(&mut self, name: &Value, schema: &Map<String, Value>, reach: Reach) -> Result<(), String> {
        let Some(name) = name.as_str() else {
            return Err(format!("`{ANNOTATION}` must be a string"));
        };
        if reach == Reach::Dynamic || self.path.is_empty() {
            return Err(format!("`{ANNOTATION}` \"{}\" is not on a property reachable through `properties` alone", name.escape_debug()));
        }
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("`{ANNOTATION}` \"{}\" is not an HTTP token", name.escape_debug()));
        }
        if self.found.entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name)) {
            return Err(format!("`{ANNOTATION}` \"{name}\" is used twice"));
        }
        if !is_primitive(schema.get("type")) {
            return Err(format!("`{ANNOTATION}` \"{name}\" is on a property that is not a string, integer or boolean"));
        }
        self.found.entries.push(ParamHeader { path: self.path.clone(), name: name.to_owned() });
        Ok(())
    }
}

/// A nullable primitive is one too: null means that the header is omitted.
fn is_primitive(kind: Option<&Value>) -> bool {
    let is_one = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    match kind {
        Some(Value::Array(kinds)) => kinds.iter().any(is_one) && kinds.iter().all(|kind| is_one(kind) || kind == "null"),
        Some(kind) => is_one(kind),
        None => false,
    }
}

/// RFC 9110 `tchar`.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}
