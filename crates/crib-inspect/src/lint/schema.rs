//! The schema of a tool's arguments: shape, size and keywords.

use std::collections::BTreeSet;

use crib_mcp::Json;
use crib_policy::Validator;
use serde_json::{Map, Value};

use super::{Report, Rule};

/// What OpenAI's strict mode takes.
const DEPTH_MAX: usize = 10;
const PROPERTIES_MAX: usize = 5000;
const NAME_CHARS_MAX: usize = 120_000;
const ENUM_VALUES_MAX: usize = 1000;
const ENUM_LONG_MAX: usize = 250;
/// Schemas inside one schema that are looked at.
const NODES_MAX: usize = 20_000;
/// Levels that are followed.
const WALK_DEPTH_MAX: usize = 100;

/// Keywords that OpenAI's strict mode or Gemini's `parameters` refuse.
const REFUSED: [&str; 21] = [
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "uniqueItems",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$dynamicRef",
];

/// Keywords whose value maps free names to schemas.
const MAPS: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is a schema or a list of them.
const NESTED: [&str; 15] = [
    "items",
    "additionalProperties",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "prefixItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// The schema of one tool.
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) root: &'a Value,
}

#[derive(Default)]
struct Walk<'a> {
    nodes: usize,
    depth: usize,
    properties: usize,
    name_chars: usize,
    enum_values: usize,
    keywords: BTreeSet<&'a str>,
    refs: BTreeSet<&'a str>,
    not_strict: bool,
    undescribed: Vec<String>,
}

/// Looks at every schema inside a schema.
pub(super) fn check_input(input: &Input<'_>, report: &mut Report) {
    let mut walk = Walk::default();
    walk.schema(input, input.root, ("/inputSchema", 0), report);
    let name = Some(input.name);
    let place = "/inputSchema";
    if walk.depth > DEPTH_MAX {
        report.add(Rule::SchemaDepth, name, place, format!("{} levels", walk.depth));
    }
    if walk.properties > PROPERTIES_MAX || walk.name_chars > NAME_CHARS_MAX {
        report.add(Rule::SchemaSize, name, place, format!("{} properties, {} characters of names", walk.properties, walk.name_chars));
    }
    if walk.enum_values > ENUM_VALUES_MAX {
        report.add(Rule::SchemaEnumSize, name, place, format!("{} values in enums", walk.enum_values));
    }
    if !walk.keywords.is_empty() {
        let told: Vec<String> = walk.keywords.iter().map(|keyword| format!("`{keyword}`")).collect();
        report.add(Rule::SchemaKeyword, name, place, told.join(", "));
    }
    if walk.not_strict {
        report.add(Rule::SchemaStrict, name, place, "not for OpenAI's strict mode as it is");
    }
    if !walk.undescribed.is_empty() {
        let shown: Vec<String> = walk.undescribed.iter().take(5).map(|name| format!("`{name}`")).collect();
        let more = walk.undescribed.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        report.add(
            Rule::ParameterDescription,
            name,
            place,
            format!("{} parameters without a description: {}{more}", walk.undescribed.len(), shown.join(", ")),
        );
    }
    references(input, &walk, report);
}

fn references(input: &Input<'_>, walk: &Walk<'_>, report: &mut Report) {
    let name = Some(input.name);
    let remote: Vec<&&str> = walk.refs.iter().filter(|reference| !reference.starts_with('#')).collect();
    for reference in &remote {
        report.add(Rule::SchemaRemoteRef, name, "/inputSchema", format!("`$ref` to `{reference}`"));
    }
    if walk.refs.len() > remote.len() {
        report.add(Rule::SchemaRef, name, "/inputSchema", format!("{} different `$ref`", walk.refs.len() - remote.len()));
    }
    if walk.refs.iter().any(|reference| leads_to_itself(input.root, reference)) {
        report.add(Rule::SchemaRecursive, name, "/inputSchema", "the schema contains itself");
    }
}

/// Whether what a reference leads to contains, over other references, the same reference.
fn leads_to_itself(root: &Value, reference: &str) -> bool {
    let mut open = vec![reference.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        let Some(target) = next.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { continue };
        for found in refs_in(target) {
            if found == reference {
                return true;
            }
            if seen.len() < 1000 && seen.insert(found.clone()) {
                open.push(found);
            }
        }
    }
    false
}

fn refs_in(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(next) = open.pop() {
        match next {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                open.extend(members.values());
            }
            Value::Array(elements) => open.extend(elements),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

impl<'a> Walk<'a> {
    fn schema(&mut self, input: &Input<'a>, schema: &'a Value, (place, depth): (&str, usize), report: &mut Report) {
        self.nodes += 1;
        let Some(members) = schema.as_object() else { return };
        if self.nodes > NODES_MAX || depth > WALK_DEPTH_MAX {
            return;
        }
        self.keywords.extend(REFUSED.into_iter().filter(|keyword| members.contains_key(*keyword)));
        self.refs.extend(members.get("$ref").and_then(Value::as_str));
        self.enums(input, members, place, report);
        array(input, members, place, report);
        default(input, schema, place, report);
        if members.contains_key("properties") || members.get("type").and_then(Value::as_str) == Some("object") {
            self.depth = self.depth.max(depth + 1);
            self.object(input, members, (place, depth), report);
        }
        for (keyword, value) in members {
            let place = format!("{place}/{keyword}");
            match value {
                Value::Object(schemas) if MAPS.contains(&keyword.as_str()) => {
                    for (name, schema) in schemas {
                        self.schema(input, schema, (&format!("{place}/{name}"), depth + 1), report);
                    }
                }
                Value::Array(schemas) if NESTED.contains(&keyword.as_str()) => {
                    for (at, schema) in schemas.iter().enumerate() {
                        self.schema(input, schema, (&format!("{place}/{at}"), depth), report);
                    }
                }
                Value::Object(_) if NESTED.contains(&keyword.as_str()) => self.schema(input, value, (&place, depth), report),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {}
            }
        }
    }

    fn object(&mut self, input: &Input<'a>, members: &'a Map<String, Value>, (place, _): (&str, usize), report: &mut Report) {
        let none = Map::new();
        let properties = members.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: BTreeSet<&str> =
            members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for name in required.iter().filter(|name| !properties.contains_key(**name)) {
            report.add(
                Rule::SchemaRequired,
                Some(input.name),
                &format!("{place}/required"),
                format!("`{name}` is required and not described"),
            );
        }
        self.not_strict |= properties.keys().any(|name| !required.contains(name.as_str()));
        self.not_strict |= members.get("additionalProperties") != Some(&Value::Bool(false));
        for (name, schema) in properties {
            self.properties += 1;
            self.name_chars += name.chars().count();
            if schema.get("description").and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
                self.undescribed.push(name.clone());
            }
            let says_type =
                ["type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"].iter().any(|keyword| schema.get(*keyword).is_some());
            if !says_type {
                report.add(Rule::SchemaUntyped, Some(input.name), &format!("{place}/properties/{name}"), "nothing says its type");
            }
        }
    }

    fn enums(&mut self, input: &Input<'a>, members: &'a Map<String, Value>, place: &str, report: &mut Report) {
        let Some(values) = members.get("enum").and_then(Value::as_array) else { return };
        self.enum_values += values.len();
        let place = format!("{place}/enum");
        if values.iter().any(|value| !value.is_string() && !value.is_null()) {
            report.add(Rule::SchemaEnumType, Some(input.name), &place, "not all values are texts");
        }
        let chars: usize = values.iter().filter_map(Value::as_str).map(|text| text.chars().count()).sum();
        if values.len() > ENUM_LONG_MAX && chars > 15_000 {
            report.add(Rule::SchemaEnumSize, Some(input.name), &place, format!("{} values, {chars} characters", values.len()));
        }
    }
}

fn array(input: &Input<'_>, members: &Map<String, Value>, place: &str, report: &mut Report) {
    let is_array = members.get("type").and_then(Value::as_str) == Some("array");
    if is_array && !members.contains_key("items") && !members.contains_key("prefixItems") {
        report.add(Rule::SchemaItems, Some(input.name), place, "an array without `items`");
    }
}

fn default(input: &Input<'_>, schema: &Value, place: &str, report: &mut Report) {
    let Some(default) = schema.get("default") else { return };
    let mut wrapped = serde_json::json!({ "type": "object", "properties": { "value": schema } });
    if let (Some(definitions), Some(object)) = (input.root.get("$defs"), wrapped.as_object_mut()) {
        object.insert("$defs".to_owned(), definitions.clone());
    }
    let Ok(validator) = Validator::compile(&Json::of(&wrapped)) else { return };
    let is_optional_null = default.is_null();
    if !is_optional_null && validator.check(Some(&Json::of(&serde_json::json!({ "value": default })))).is_err() {
        report.add(Rule::SchemaDefault, Some(input.name), &format!("{place}/default"), format!("{default} does not fit"));
    }
}
