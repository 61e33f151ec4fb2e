//! The reference of the configuration in the guide says what the schema says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const BEGIN: &str = "<!-- reference: generated from the schema -->\n";
const END: &str = "<!-- end of the reference -->\n";

/// Headings of the sections and what each describes; the empty name is the whole file.
const SECTIONS: [(&str, &str); 11] = [
    ("Top level", ""),
    ("`gateway`", "Gateway"),
    ("`gateway.webSocket`", "WebSocket"),
    ("A server: `servers.NAME`", "Server"),
    ("`servers.NAME.tools`", "Tools"),
    ("`servers.NAME.sandbox`", "Sandbox"),
    ("`pins`, of the gateway or of a server", "Pins"),
    ("A key: `keys[]`", "Key"),
    ("`packages`", "Packages"),
    ("`observability`", "Observability"),
    ("`cluster`", "Cluster"),
];

fn page(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(language).join("configuration.md")
}

fn fields<'s>(schema: &'s Value, name: &str) -> impl Iterator<Item = (&'s String, &'s Value)> {
    let at = if name.is_empty() { "/properties".to_owned() } else { format!("/definitions/{name}/properties") };
    schema.pointer(&at).and_then(Value::as_object).into_iter().flatten()
}

/// Returns a default as it would be written; nothing for what is empty.
fn default(field: &Value) -> String {
    match field.get("default") {
        Some(Value::String(text)) if !text.is_empty() => format!("`{text}`"),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => format!("`{value}`"),
        Some(Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

fn reference(schema: &Value) -> String {
    let mut text = String::from(BEGIN);
    for (heading, name) in SECTIONS {
        write!(text, "\n### {heading}\n\n| field | default | meaning |\n|---|---|---|\n").unwrap_or_default();
        for (field, about) in fields(schema, name) {
            let meaning = about.get("description").and_then(Value::as_str).unwrap_or_default().replace('|', "\\|");
            writeln!(text, "| `{field}` | {} | {meaning} |", default(about)).unwrap_or_default();
        }
    }
    text + "\n" + END
}

#[test]
fn the_reference_is_what_the_schema_says() -> std::io::Result<()> {
    let wanted = reference(&crib_control::schema());
    let found = fs::read_to_string(page(""))?;
    let (before, rest) = found.split_once(BEGIN).unwrap_or((&found, END));
    let (_, after) = rest.split_once(END).unwrap_or_default();
    let fresh = format!("{before}{wanted}{after}");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        return fs::write(page(""), &fresh);
    }
    assert!(found == fresh, "docs/guide/configuration.md is stale; run the test with UPDATE_SCHEMA=1");
    Ok(())
}

#[test]
fn every_field_is_described() {
    let schema = crib_control::schema();
    for (_, name) in SECTIONS {
        let bare: Vec<_> = fields(&schema, name).filter(|(_, about)| about.get("description").is_none()).collect();
        assert!(bare.is_empty(), "{name}: {bare:?}");
    }
}

/// A translation cannot be generated; it can be complete.
#[test]
fn the_translated_reference_names_every_field() -> std::io::Result<()> {
    let schema = crib_control::schema();
    let text = fs::read_to_string(page("zh-CN"))?;
    let (_, text) = text.split_once("\n## 参考\n").unwrap_or_default();
    let text = text.split("\n## ").next().unwrap_or_default();
    let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
    assert_eq!(sections.len(), SECTIONS.len(), "as many sections");
    for ((heading, name), section) in SECTIONS.into_iter().zip(sections) {
        let told = |field: &String| section.lines().any(|line| line.starts_with(&format!("| `{field}` |")));
        let missing: Vec<_> = fields(&schema, name).map(|(field, _)| field).filter(|field| !told(field)).collect();
        assert!(missing.is_empty(), "{heading}: {missing:?}");
        let rows = section.lines().filter(|line| line.starts_with("| `")).count();
        let known = fields(&schema, name).count();
        assert!(rows == known, "{heading}: {rows} rows for {known} fields");
    }
    Ok(())
}
