//! Changes to a definition by splicing: its name and URIs, and nothing else.

use crib_mcp::{Chunks, Json, Payload};
use crib_model::Slug;

use crate::uri::uri_out;

/// Where a tool of MCP Apps names its page; the flat form is older.
const UI: &str = "ui";
const RESOURCE_URI: &str = "resourceUri";
const FLAT_RESOURCE_URI: &str = "ui/resourceUri";

/// Gives a member of a definition a text value.
pub(crate) fn with_text(item: &Payload, key: &'static str, value: &str) -> Json {
    let mut edit = item.edit();
    edit.set(key, Json::of(value));
    to_json(edit.finish())
}

/// Writes a tool under its exposed name, with the URIs in its `_meta` mapped.
pub(crate) fn tool(item: &Payload, slug: &Slug, exposed: &str) -> Json {
    let mut edit = item.edit();
    edit.set("name", Json::of(exposed));
    if let Some(meta) = meta_out(item, slug) {
        edit.set("_meta", meta);
    }
    to_json(edit.finish())
}

/// Maps the UI resource URIs in the `_meta` of a tool or result; `None` where there are none.
#[must_use]
pub fn tool_uris_out(item: &Payload, slug: &Slug) -> Option<Json> {
    let meta = meta_out(item, slug)?;
    let mut edit = item.edit();
    edit.set("_meta", meta);
    Some(to_json(edit.finish()))
}

fn meta_out(item: &Payload, slug: &Slug) -> Option<Chunks> {
    let meta = item.meta.as_ref()?;
    let mut edit = item.edit_meta();
    if let Some(uri) = meta.text(FLAT_RESOURCE_URI) {
        edit.set(FLAT_RESOURCE_URI, Json::of(&uri_out(slug, &uri)));
    }
    if let Some(ui) = meta.get(UI).and_then(|ui| ui.to_object().ok())
        && let Some(uri) = ui.text(RESOURCE_URI)
    {
        let mut inner = ui.edit();
        inner.set(RESOURCE_URI, Json::of(&uri_out(slug, &uri)));
        edit.set(UI, inner.finish());
    }
    (!edit.is_unchanged()).then(|| edit.finish())
}

/// Takes back what an edit of checked JSON wrote.
fn to_json(chunks: Chunks) -> Json {
    Json::parse(&chunks.into_bytes()).unwrap_or_else(|_| Json::from_static("{}"))
}
