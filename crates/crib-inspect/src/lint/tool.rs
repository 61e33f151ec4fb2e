//! One tool: its name, texts, schemas and annotations.

use crib_mcp::Json;
use crib_mcp::header::ParamHeaders;
use crib_policy::Validator;
use crib_registry::pins::{Confidence, scan_definition};
use serde_json::{Map, Value};

use super::schema::{Input, check_input};
use super::{Report, Rule, names};

/// What OpenAI keeps of a description.
const DESCRIPTION_CHARS_MAX: usize = 1024;
/// Below this a description says little.
const DESCRIPTION_CHARS_MIN: usize = 15;

pub(super) fn check(tool: &Value, report: &mut Report) {
    let Some(name) = tool.get("name").and_then(Value::as_str) else {
        report.add(Rule::NameMissing, None, "/tools", "a tool has no name");
        return;
    };
    names::check(name, report);
    description(name, tool, report);
    input(name, tool, report);
    output(name, tool, report);
    annotations(name, tool, report);
    for finding in scan_definition(&Json::of(tool)) {
        let rule = if finding.confidence == Confidence::High { Rule::Poison } else { Rule::Suspicious };
        report.add(rule, Some(name), &finding.place, format!("{}: {}", finding.rule.describe(), finding.excerpt));
    }
}

fn description(name: &str, tool: &Value, report: &mut Report) {
    let text = tool.get("description").and_then(Value::as_str).unwrap_or_default().trim();
    let length = text.chars().count();
    if text.is_empty() {
        report.add(Rule::DescriptionMissing, Some(name), "/description", "the tool has no description");
    } else if length < DESCRIPTION_CHARS_MIN {
        report.add(Rule::DescriptionShort, Some(name), "/description", format!("{length} characters say little"));
    } else if length > DESCRIPTION_CHARS_MAX {
        report.add(Rule::DescriptionLong, Some(name), "/description", format!("{length} characters"));
    }
}

fn input(name: &str, tool: &Value, report: &mut Report) {
    let Some(schema) = tool.get("inputSchema").filter(|schema| !schema.is_null()) else {
        report.add(Rule::SchemaMissing, Some(name), "/inputSchema", "the tool has no `inputSchema`");
        return;
    };
    let Some(root) = schema.as_object() else {
        report.add(Rule::SchemaRoot, Some(name), "/inputSchema", "the schema is not an object");
        return;
    };
    if root.get("type").and_then(Value::as_str) != Some("object") {
        let found = root.get("type").map_or_else(|| "no type".to_owned(), Value::to_string);
        report.add(Rule::SchemaRoot, Some(name), "/inputSchema/type", format!("the root has {found}"));
    }
    for union in ["oneOf", "anyOf", "allOf"].into_iter().filter(|union| root.contains_key(*union)) {
        report.add(Rule::SchemaRootUnion, Some(name), &format!("/inputSchema/{union}"), format!("`{union}` at the root"));
    }
    if let Err(why) = Validator::compile(&Json::of(schema)) {
        report.add(Rule::SchemaInvalid, Some(name), "/inputSchema", why.to_string());
    }
    if let Err(why) = ParamHeaders::from_schema(&Json::of(schema)) {
        report.add(Rule::SchemaHeader, Some(name), "/inputSchema", why);
    }
    check_input(&Input { name, root: schema }, report);
}

fn output(name: &str, tool: &Value, report: &mut Report) {
    let Some(schema) = tool.get("outputSchema").filter(|schema| !schema.is_null()) else {
        report.add(Rule::OutputMissing, Some(name), "", "the result has no schema");
        return;
    };
    if let Err(why) = Validator::compile(&Json::of(schema)) {
        report.add(Rule::OutputInvalid, Some(name), "/outputSchema", why.to_string());
    } else if schema.get("type").and_then(Value::as_str) != Some("object") {
        report.add(Rule::OutputRoot, Some(name), "/outputSchema", "the root is not `\"type\": \"object\"`");
    }
}

const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

fn annotations(name: &str, tool: &Value, report: &mut Report) {
    let none = Map::new();
    let hints = match tool.get("annotations") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(hints)) => hints,
        Some(_) => {
            report.add(Rule::AnnotationsType, Some(name), "/annotations", "the annotations are no object");
            return;
        }
    };
    for hint in HINTS {
        if hints.get(hint).is_some_and(|value| !value.is_boolean()) {
            report.add(Rule::AnnotationsType, Some(name), &format!("/annotations/{hint}"), format!("`{hint}` is neither true nor false"));
        }
    }
    let is_true = |hint: &str| hints.get(hint) == Some(&Value::Bool(true));
    if is_true("readOnlyHint") && is_true("destructiveHint") {
        report.add(Rule::AnnotationsConflict, Some(name), "/annotations", "read-only and destructive at once");
    } else if !hints.contains_key("readOnlyHint") {
        report.add(Rule::AnnotationsMissing, Some(name), "/annotations", "nothing says whether the tool changes anything");
    }
}
