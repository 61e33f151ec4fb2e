//! A tool as the command line shows it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A tool as the gateway lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tool {
    pub(crate) server: String,
    pub(crate) server_tool: String,
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) input_schema: Value,
    #[serde(default)]
    pub(crate) output_schema: Option<Value>,
    #[serde(default)]
    pub(crate) annotations: Map<String, Value>,
}

/// One argument of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: String,
    pub(crate) is_required: bool,
    pub(crate) schema: &'a Value,
}

impl Tool {
    /// Returns the name people type.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.server, self.server_tool)
    }

    /// Returns the arguments, required ones first, else as the server lists them.
    pub(crate) fn parameters(&self) -> Vec<Parameter<'_>> {
        let required: Vec<&str> =
            self.input_schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = self.input_schema.get("properties").and_then(Value::as_object);
        let mut parameters: Vec<Parameter<'_>> = properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| Parameter { name, kind: kind(schema), is_required: required.contains(&name.as_str()), schema })
            .collect();
        let place = |parameter: &Parameter<'_>| required.iter().position(|name| *name == parameter.name).unwrap_or(usize::MAX);
        parameters.sort_by_key(place);
        parameters
    }

    /// Returns `add(a: number, b: number, [c: string])`.
    pub(crate) fn signature(&self) -> String {
        let show = |parameter: &Parameter<'_>| {
            let Parameter { name, kind, .. } = parameter;
            if parameter.is_required { format!("{name}: {kind}") } else { format!("[{name}: {kind}]") }
        };
        let parameters: Vec<String> = self.parameters().iter().map(show).collect();
        format!("{}({})", self.server_tool, parameters.join(", "))
    }

    /// Returns the first line of the description.
    pub(crate) fn summary(&self) -> &str {
        let text = self.description.as_deref().or(self.title.as_deref()).unwrap_or_default();
        text.trim().lines().next().unwrap_or_default()
    }

    /// Returns the schema of an argument.
    pub(crate) fn schema_of(&self, name: &str) -> Option<&Value> {
        self.input_schema.get("properties")?.get(name)
    }
}

/// Names a type in one word, `string[]` or `"a"|"b"`.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array).filter(|values| values.len() <= 6) {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join("|");
    }
    let mut kinds = kinds(schema);
    kinds.retain(|kind| *kind != "null");
    match kinds.as_slice() {
        [] => "any".to_owned(),
        ["array"] => format!("{}[]", schema.get("items").map_or_else(|| "any".to_owned(), kind)),
        kinds => kinds.join("|"),
    }
}

/// Returns the types a schema names, also in alternatives.
pub(crate) fn kinds(schema: &Value) -> Vec<&str> {
    let mut found = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    let alternatives = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    for kind in alternatives.flat_map(kinds) {
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    found
}
