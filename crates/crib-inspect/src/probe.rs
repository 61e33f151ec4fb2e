//! Which tools may be called without being asked to: those that say they change nothing, with arguments that fit.

use serde_json::{Map, Value, json};

/// Whether a tool says that it changes nothing.
pub(crate) fn is_read_only(tool: &Value) -> bool {
    tool.get("annotations").and_then(|hints| hints.get("readOnlyHint")) == Some(&Value::Bool(true))
}

pub(crate) fn name(tool: &Value) -> Option<&str> {
    tool.get("name")?.as_str()
}

pub(crate) fn required(tool: &Value) -> Vec<&str> {
    let required = tool.get("inputSchema").and_then(|schema| schema.get("required")?.as_array());
    required.into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(crate) fn properties(tool: &Value) -> Option<&Map<String, Value>> {
    tool.get("inputSchema")?.get("properties")?.as_object()
}

/// Whether a client must run a tool as a task.
fn is_task(tool: &Value) -> bool {
    tool.get("execution").and_then(|execution| execution.get("taskSupport")?.as_str()) == Some("required")
}

/// Returns arguments that fit a tool, made of what its schema says; `None` where that is not enough.
pub(crate) fn arguments(tool: &Value) -> Option<Value> {
    if is_task(tool) {
        return None;
    }
    let properties = properties(tool);
    let mut arguments = Map::new();
    for name in required(tool) {
        let schema = properties.and_then(|properties| properties.get(name))?;
        arguments.insert(name.to_owned(), sample(name, schema)?);
    }
    Some(Value::Object(arguments))
}

fn sample(name: &str, schema: &Value) -> Option<Value> {
    let given = schema.get("default").or_else(|| schema.get("const"));
    let listed = || schema.get("enum")?.as_array()?.first();
    let example = || schema.get("examples")?.as_array()?.first();
    if let Some(value) = given.or_else(listed).or_else(example) {
        return Some(value.clone());
    }
    match schema.get("type").and_then(Value::as_str)? {
        "string" if name.to_ascii_lowercase().contains("timezone") => Some(json!("UTC")),
        "string" if ["path", "uri", "url", "file", "dir", "repo"].iter().any(|word| name.to_ascii_lowercase().contains(word)) => None,
        "string" if schema.get("format").is_some() || schema.get("pattern").is_some() => None,
        "string" => Some(json!("a")),
        "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or_else(|| json!(1))),
        "boolean" => Some(json!(false)),
        "array" if schema.get("minItems").is_none() => Some(json!([])),
        _ => None,
    }
}

/// Returns a tool that may be called again and again, and its arguments: a read-only one with the fewest arguments.
pub(crate) fn cheap_read(tools: &[Value]) -> Option<(&str, Value)> {
    let mut reads: Vec<(&str, Value)> =
        tools.iter().filter(|tool| is_read_only(tool)).filter_map(|tool| Some((name(tool)?, arguments(tool)?))).collect();
    reads.sort_by_key(|(name, arguments)| (arguments.as_object().map_or(0, Map::len), name.len()));
    reads.into_iter().next()
}
