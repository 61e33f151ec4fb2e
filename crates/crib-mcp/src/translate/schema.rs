//! Input and output schemas of tools in what the older revisions take for a schema.

use crate::json::{Chunks, Json};
use crate::scan::Kind;
use crate::translate::content;

/// Returns what an input or output schema becomes for a legacy revision; `None` where it stays.
///
/// The legacy schemas want an object under every property. `true` and `false` are valid schemas of 2020-12; `{}` and
/// `{"not":{}}` say the same.
pub(super) fn down(schema: &Json) -> Option<Chunks> {
    let schema = schema.to_object().ok()?;
    let properties = schema.get("properties")?.to_object().ok()?;
    let mut edit = properties.edit();
    for (name, value) in properties.object.members().filter(|(_, value)| value.kind() == Kind::Bool) {
        let same = if value.as_str() == "true" { "{}" } else { "{\"not\":{}}" };
        edit.set(name.into_owned(), Json::from_static(same));
    }
    if edit.is_unchanged() {
        return None;
    }
    let mut outer = schema.edit();
    outer.set("properties", edit.finish());
    Some(outer.finish())
}

/// Tells whether a legacy revision can hold an output schema: its root must say that it is an object.
pub(super) fn is_legacy_output(schema: &Json) -> bool {
    schema.to_object().is_ok_and(|schema| schema.text("type").as_deref() == Some("object"))
}

/// Returns the form fields of 2025-06-18 for a requested schema.
///
/// # Errors
/// Names the field the revision cannot express.
pub(super) fn form_2025_06_18(requested: &Json) -> Result<Option<Chunks>, String> {
    let Ok(requested) = requested.to_object() else { return Ok(None) };
    let Some(fields) = requested.get("properties").and_then(|fields| fields.to_object().ok()) else { return Ok(None) };
    let mut edit = fields.edit();
    for (name, field) in fields.object.members() {
        if let Some(plain) = field_2025_06_18(&name, &field)? {
            edit.set(name.into_owned(), plain);
        }
    }
    if edit.is_unchanged() {
        return Ok(None);
    }
    let mut outer = requested.edit();
    outer.set("properties", edit.finish());
    Ok(Some(outer.finish()))
}

fn field_2025_06_18(name: &str, field: &Json) -> Result<Option<Chunks>, String> {
    let Ok(field) = field.to_object() else { return Err(format!("the field `{name}` has no schema")) };
    let kind = field.text("type").unwrap_or_default();
    if !matches!(kind.as_ref(), "string" | "number" | "integer" | "boolean") {
        return Err(format!("the field `{name}` is of type `{kind}`"));
    }
    let mut edit = field.edit();
    if kind != "boolean" {
        edit.remove("default").remove("pattern");
    }
    if let Some(choices) = field.get("oneOf") {
        let choices = choices.to_elements().unwrap_or_default();
        let column = |key: &str| {
            let cell = |choice: &Json| choice.to_object().ok()?.get(key).filter(|value| value.kind() == Kind::String);
            choices.iter().map(cell).collect::<Option<Vec<Json>>>()
        };
        let (Some(values), Some(titles)) = (column("const"), column("title")) else {
            return Err(format!("the choices of the field `{name}` have no titles"));
        };
        edit.remove("oneOf").set("enum", content::join(values.into_iter().map(Chunks::from)));
        edit.set("enumNames", content::join(titles.into_iter().map(Chunks::from)));
    }
    Ok((!edit.is_unchanged()).then(|| edit.finish()))
}
