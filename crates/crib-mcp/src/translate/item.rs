//! Entries of lists.

use crate::json::{Chunks, Json};
use crate::method::Method;
use crate::revision::Revision;
use crate::translate::schema;

/// Returns one tool, resource, template or prompt as a list of revision `to` shows it.
///
/// Members that an older revision does not know stay: its schemas are open.
#[must_use]
pub fn list_item(method: &Method, item: &Json, to: Revision) -> Json {
    change(method, item, to).map_or_else(|| item.clone(), |new| Json::trusted(new.into_bytes()))
}

/// Returns what an entry becomes; `None` where it stays.
pub(super) fn change(method: &Method, item: &Json, to: Revision) -> Option<Chunks> {
    if *method != Method::ToolsList || to.is_modern() {
        return None;
    }
    let tool = item.to_object().ok()?;
    let mut edit = tool.edit();
    if let Some(input) = tool.get("inputSchema").and_then(|input| schema::down(&input)) {
        edit.set("inputSchema", input);
    }
    if let Some(output) = tool.get("outputSchema") {
        if !to.has_structured_content() || !schema::is_legacy_output(&output) {
            edit.remove("outputSchema");
        } else if let Some(output) = schema::down(&output) {
            edit.set("outputSchema", output);
        }
    }
    (!edit.is_unchanged()).then(|| edit.finish())
}

/// Returns under which name a list holds its entries.
pub(super) fn list_key(method: &Method) -> Option<&'static str> {
    if *method == Method::ToolsList {
        Some("tools")
    } else if *method == Method::ResourcesList {
        Some("resources")
    } else if *method == Method::ResourcesTemplatesList {
        Some("resourceTemplates")
    } else if *method == Method::PromptsList {
        Some("prompts")
    } else {
        None
    }
}
