//! Finished results.

use crate::json::{Chunks, Edit, Json, Payload};
use crate::meta;
use crate::method::Method;
use crate::revision::Revision;
use crate::scan::Kind;
use crate::translate::{content, item};

const COMPLETE: Json = Json::from_static("\"complete\"");

/// Returns a finished result in the dialect of `to`. Where the dialects agree, these are the bytes of the result.
///
/// `server_info` is put into `_meta` for a modern client when the server did not introduce itself.
#[must_use]
pub fn result(method: &Method, result: &Payload, from: Revision, to: Revision, server_info: Option<&Json>) -> Chunks {
    let mut edit = result.edit();
    if to.is_modern() {
        add_modern(&mut edit, method, result, from);
        if from.is_modern() && server_info.is_none() {
            return edit.finish();
        }
        let mut meta = result.edit_meta();
        if let Some(info) = server_info {
            meta.set_missing(meta::SERVER_INFO, info.clone());
        }
        if !from.is_modern() {
            meta.remove(meta::RELATED_TASK);
        }
        set_meta(&mut edit, &meta);
        return edit.finish();
    }
    if from.is_modern() {
        strip_modern(&mut edit, method);
        let mut meta = result.edit_meta();
        meta.remove(meta::SERVER_INFO).remove(meta::SUBSCRIPTION_ID);
        set_meta(&mut edit, &meta);
    }
    if to < from {
        down(&mut edit, method, result, to);
    }
    edit.finish()
}

/// Puts a changed `_meta` in its place; one that has become empty is left out.
pub(super) fn set_meta(edit: &mut Edit<'_>, meta: &Edit<'_>) {
    if meta.is_unchanged() {
        return;
    }
    if meta.leaves_nothing() {
        edit.remove("_meta");
    } else {
        edit.set("_meta", meta.finish());
    }
}

/// A legacy server's own members of these names mean nothing; a modern server's are only completed.
fn add_modern(edit: &mut Edit<'_>, method: &Method, result: &Payload, from: Revision) {
    let mut put = |name: &'static str, value: Json| {
        if from.is_modern() {
            edit.set_missing(name, value);
        } else {
            edit.set(name, value);
        }
    };
    put("resultType", COMPLETE);
    let is_complete = !from.is_modern() || result.object.raw("resultType").is_none_or(|kind| kind == COMPLETE.bytes().as_ref());
    if is_complete && is_cacheable(method) {
        put("ttlMs", Json::from_static("0"));
        put("cacheScope", Json::from_static("\"private\""));
    }
    if !from.is_modern() && *method == Method::ToolsCall {
        edit.set_missing("content", Json::from_static("[]"));
    }
}

fn strip_modern(edit: &mut Edit<'_>, method: &Method) {
    edit.remove("resultType");
    if is_cacheable(method) {
        edit.remove("ttlMs").remove("cacheScope");
    }
}

/// Tells whether a complete result must say how long it may be kept (2026-07-28 "Caching").
pub(super) fn is_cacheable(method: &Method) -> bool {
    matches!(
        method,
        Method::Discover
            | Method::ToolsList
            | Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesTemplatesList
            | Method::ResourcesRead
    )
}

fn down(edit: &mut Edit<'_>, method: &Method, result: &Payload, to: Revision) {
    if let Some(key) = item::list_key(method) {
        let items = result.get(key).and_then(|items| content::map(&items, |entry| item::change(method, entry, to)));
        if let Some(items) = items {
            edit.set(key, items);
        }
    } else if *method == Method::ToolsCall {
        down_call(edit, result, to);
    } else if *method == Method::PromptsGet
        && let Some(messages) = result.get("messages").and_then(|messages| content::map(&messages, |message| down_message(message, to)))
    {
        edit.set("messages", messages);
    }
}

fn down_message(message: &Json, to: Revision) -> Option<Chunks> {
    if to.has_structured_content() {
        return None;
    }
    let message = message.to_object().ok()?;
    let block = content::down(&message.get("content")?, to)?;
    Some(message.edit().set("content", block).finish())
}

/// Content that an old client would miss is said in text, unless the tool has said it in text already.
fn down_call(edit: &mut Edit<'_>, result: &Payload, to: Revision) {
    let content = result.get("content");
    let fitting = content.as_ref().and_then(|content| content::map(content, |block| content::down(block, to)));
    let keeps_structure = match result.object.kind("structuredContent") {
        Some(kind) => to.has_structured_content() && kind == Kind::Object,
        None => true,
    };
    let mut blocks = Vec::new();
    if !keeps_structure {
        edit.remove("structuredContent");
        let current = fitting.clone().map(|new| Json::trusted(new.into_bytes())).or_else(|| content.clone());
        blocks = current.and_then(|content| content.to_elements().ok()).unwrap_or_default();
    }
    if !keeps_structure && !blocks.iter().any(content::is_text) {
        let structured = result.get("structuredContent").map(|json| content::text(json.as_str()));
        edit.set("content", content::join(blocks.into_iter().map(Chunks::from).chain(structured)));
    } else if let Some(fitting) = fitting {
        edit.set("content", fitting);
    } else if content.is_none() {
        edit.set("content", Json::from_static("[]"));
    }
}
