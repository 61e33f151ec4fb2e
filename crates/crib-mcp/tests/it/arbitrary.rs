//! Generators of JSON and of protocol values.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Any JSON value of moderate size.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((name(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub(crate) fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec((name(), value()), 0..8).prop_map(|members| members.into_iter().collect())
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| Number::from_f64(n).map_or(Value::Null, Value::Number)),
        text().prop_map(Value::String),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ -~]{0,40}", 2 => any::<String>(), 1 => "[a-z\\\\\"\n\t\u{0}-\u{1f}é世😀]{0,60}"]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[a-z]{1,6}", 1 => Just("_meta".to_owned()), 1 => text()]
}

/// A value written in one of the many ways JSON allows: with space, and with characters escaped.
pub(crate) fn written(value: Value) -> impl Strategy<Value = String> {
    any::<u64>().prop_map(move |seed| {
        let mut out = String::new();
        write(&value, &mut Dice(seed), &mut out);
        out
    })
}

/// A cheap generator: what it draws must depend on the seed alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn space(dice: &mut Dice, out: &mut String) {
    out.push_str(["", "", "", " ", "\n", "\t ", "\r\n"][usize::try_from(dice.roll(7)).unwrap()]);
}

fn write(value: &Value, dice: &mut Dice, out: &mut String) {
    match value {
        Value::String(text) => string(text, dice, out),
        Value::Array(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                space(dice, out);
                write(element, dice, out);
                space(dice, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                space(dice, out);
                string(name, dice, out);
                space(dice, out);
                out.push(':');
                space(dice, out);
                write(member, dice, out);
                space(dice, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn string(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if dice.roll(8) == 0 {
            let is_upper = dice.roll(2) == 0;
            for unit in c.encode_utf16(&mut [0; 2]) {
                let digits = format!("{unit:04x}");
                out.push_str("\\u");
                out.push_str(&if is_upper { digits.to_uppercase() } else { digits });
            }
        } else if c < ' ' || c == '"' || c == '\\' {
            let quoted = serde_json::to_string(&c).unwrap();
            out.push_str(quoted.get(1..quoted.len() - 1).unwrap());
        } else {
            out.push(c);
        }
    }
    out.push('"');
}

/// A content block of 2026-07-28.
pub(crate) fn block() -> impl Strategy<Value = Value> {
    let annotations = prop_oneof![
        Just(json!({})),
        Just(json!({ "annotations": { "audience": ["user"], "priority": 0.5, "lastModified": "2025-01-12T15:00:58Z" } }))
    ];
    let meta = prop_oneof![Just(json!({})), object().prop_map(|meta| json!({ "_meta": meta }))];
    let base = prop_oneof![
        text().prop_map(|text| json!({ "type": "text", "text": text })),
        Just(json!({ "type": "image", "data": "aGk=", "mimeType": "image/png" })),
        Just(json!({ "type": "audio", "data": "aGk=", "mimeType": "audio/wav" })),
        (text(), text()).prop_map(|(name, title)| json!({ "type": "resource_link", "uri": "file:///a%20b", "name": name, "title": title, "size": 3, "icons": [{ "src": "https://x.example/i.png" }] })),
        text().prop_map(|text| json!({ "type": "resource", "resource": { "uri": "file:///a", "mimeType": "text/plain", "text": text } })),
        Just(json!({ "type": "resource", "resource": { "uri": "file:///a", "blob": "aGk=" } })),
    ];
    (base, annotations, meta).prop_map(|(base, annotations, meta)| merge([base, annotations, meta]))
}

pub(crate) fn merge(parts: impl IntoIterator<Item = Value>) -> Value {
    let members = parts.into_iter().flat_map(|part| part.as_object().cloned().unwrap_or_default());
    Value::Object(members.collect())
}

/// A complete `CallToolResult` of 2026-07-28 with members nobody knows.
pub(crate) fn call_result() -> impl Strategy<Value = Value> {
    let structured = prop_oneof![Just(json!({})), value().prop_map(|value| json!({ "structuredContent": value }))];
    let meta = prop_oneof![
        Just(json!({})),
        Just(json!({ "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "a", "version": "1" } } })),
        Just(json!({ "_meta": { "x.example/y": 12 } }))
    ];
    (proptest::collection::vec(block(), 0..5), structured, meta, any::<bool>(), value()).prop_map(
        |(content, structured, meta, is_error, vendor)| {
            merge([json!({ "resultType": "complete", "content": content, "isError": is_error, "vendor": vendor }), structured, meta])
        },
    )
}

/// A tool of 2026-07-28.
pub(crate) fn tool() -> impl Strategy<Value = Value> {
    let property = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        Just(json!({ "type": "string", "x-mcp-header": "Region" })),
        Just(json!({ "$ref": "#/$defs/a" }))
    ];
    let input = proptest::collection::vec(("[a-z]{1,5}", property), 0..5).prop_map(|properties| {
        let properties: Map<String, Value> = properties.into_iter().collect();
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": properties, "$defs": { "a": { "type": "number", "multipleOf": 0.1 } } })
    });
    let output = prop_oneof![
        Just(json!({})),
        Just(json!({ "outputSchema": { "type": "array", "items": { "type": "string" } } })),
        Just(json!({ "outputSchema": { "anyOf": [{ "type": "object" }] } })),
        Just(json!({ "outputSchema": { "type": "object", "properties": { "a": true }, "required": ["a"] } })),
    ];
    (input, output, text()).prop_map(|(input, output, description)| {
        merge([json!({ "name": "a", "title": "A", "description": description, "inputSchema": input, "annotations": { "readOnlyHint": true }, "icons": [{ "src": "https://x.example/i.png" }], "_meta": { "ui": { "resourceUri": "ui://a" } }, "vendor": 1 }), output])
    })
}

/// A field of a form of 2026-07-28.
fn field() -> impl Strategy<Value = Value> {
    let common = prop_oneof![Just(json!({})), Just(json!({ "title": "T", "description": "D" }))];
    let kind = prop_oneof![
        Just(json!({ "type": "string", "minLength": 1, "format": "email", "default": "a" })),
        Just(json!({ "type": "integer", "minimum": 1, "default": 3 })),
        Just(json!({ "type": "number", "maximum": 1e3 })),
        Just(json!({ "type": "boolean", "default": true })),
        Just(json!({ "type": "string", "enum": ["a", "b"], "default": "a" })),
        Just(json!({ "type": "string", "enum": ["a"], "enumNames": ["A"] })),
        text().prop_map(|title| json!({ "type": "string", "oneOf": [{ "const": "a", "title": title }], "default": "a" })),
        Just(json!({ "type": "array", "items": { "type": "string", "enum": ["a"] }, "default": ["a"] })),
        Just(json!({ "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A" }] } })),
    ];
    (common, kind).prop_map(|(common, kind)| merge([common, kind]))
}

/// The parameters of `elicitation/create`.
pub(crate) fn elicitation() -> impl Strategy<Value = Value> {
    let form = (proptest::collection::vec(("[a-c]{1,2}", field()), 0..3), any::<bool>()).prop_map(|(fields, says_mode)| {
        let properties: Map<String, Value> = fields.into_iter().collect();
        let mode = if says_mode { json!({ "mode": "form" }) } else { json!({}) };
        merge([mode, json!({ "message": "m", "requestedSchema": { "type": "object", "properties": properties } })])
    });
    prop_oneof![4 => form, 1 => Just(json!({ "mode": "url", "message": "m", "url": "https://x.example/a" }))]
}

fn sampled() -> impl Strategy<Value = Value> {
    let block = || {
        prop_oneof![
            4 => text().prop_map(|text| json!({ "type": "text", "text": text })),
            1 => Just(json!({ "type": "image", "data": "aGk=", "mimeType": "image/png" })),
            1 => Just(json!({ "type": "audio", "data": "aGk=", "mimeType": "audio/wav" })),
            1 => Just(json!({ "type": "tool_use", "id": "1", "name": "a", "input": {} })),
            1 => value().prop_map(|value| json!({ "type": "tool_result", "toolUseId": "1", "content": [], "structuredContent": value })),
        ]
    };
    prop_oneof![block(), proptest::collection::vec(block(), 0..3).prop_map(Value::Array)]
}

/// The parameters of `sampling/createMessage`.
pub(crate) fn sampling() -> impl Strategy<Value = Value> {
    let message = (sampled(), any::<bool>())
        .prop_map(|(content, is_user)| json!({ "role": if is_user { "user" } else { "assistant" }, "content": content }));
    let tools =
        prop_oneof![3 => Just(json!({})), 1 => tool().prop_map(|tool| json!({ "tools": [tool], "toolChoice": { "mode": "auto" } }))];
    (proptest::collection::vec(message, 0..4), tools)
        .prop_map(|(messages, tools)| merge([json!({ "messages": messages, "maxTokens": 5, "includeContext": "none" }), tools]))
}

/// A `CreateMessageResult`.
pub(crate) fn sample() -> impl Strategy<Value = Value> {
    sampled().prop_map(|content| json!({ "role": "assistant", "model": "m", "content": content, "stopReason": "endTurn" }))
}
