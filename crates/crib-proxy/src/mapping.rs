//! URIs and task ids in results, as clients see them behind an endpoint that serves many servers.

use crib_mcp::{Chunks, Json, Kind, Method, Payload, Pieces};
use crib_model::Slug;
use crib_registry::uri_out;

/// How the URIs of one upstream look to the client.
#[derive(Clone, Copy)]
pub(crate) enum Uris<'a> {
    /// As the upstream writes them.
    AsIs,
    Of(&'a Slug),
}

impl Uris<'_> {
    pub(crate) fn out(self, uri: &str) -> String {
        match self {
            Self::AsIs => uri.to_owned(),
            Uris::Of(slug) => uri_out(slug, uri),
        }
    }
}

/// Rewrites the URIs of a result; `None` when nothing has to change.
pub(crate) fn result(method: &Method, result: &Payload, uris: Uris<'_>) -> Option<Payload> {
    if matches!(uris, Uris::AsIs) {
        return None;
    }
    match method {
        // Most content is text, and only what names a resource has one to rename.
        Method::ToolsCall | Method::PromptsGet if !result.names_uri() => None,
        Method::ToolsCall => edit_list(result, "content", |item| content(item, uris)),
        Method::PromptsGet => edit_list(result, "messages", |message| {
            let payload = message.to_object().ok()?;
            let inside = payload.get("content")?;
            let inside = if inside.kind() == Kind::Array { array(&inside, |item| content(item, uris))? } else { content(&inside, uris)? };
            let mut edit = payload.edit();
            edit.set("content", inside);
            Some(edit.finish())
        }),
        Method::ResourcesRead | Method::ResourcesDirectoryRead => {
            let key = if result.object.has("contents") { "contents" } else { "resources" };
            edit_list(result, key, |item| with_uri(&item.to_object().ok()?, uris))
        }
        _ => None,
    }
}

/// Rewrites the URI of a content block that holds or names a resource.
fn content(item: &Json, uris: Uris<'_>) -> Option<Chunks> {
    let block = item.to_object().ok()?;
    match block.text("type")?.as_ref() {
        "resource_link" => with_uri(&block, uris),
        "resource" => {
            let inside = with_uri(&block.get("resource")?.to_object().ok()?, uris)?;
            let mut edit = block.edit();
            edit.set("resource", inside);
            Some(edit.finish())
        }
        _ => None,
    }
}

/// Rewrites the `uri` of an object.
pub(crate) fn with_uri(object: &Payload, uris: Uris<'_>) -> Option<Chunks> {
    let uri = object.text("uri")?;
    let mut edit = object.edit();
    edit.set("uri", Json::of(&uris.out(&uri)));
    Some(edit.finish())
}

fn edit_list(payload: &Payload, key: &'static str, change: impl Fn(&Json) -> Option<Chunks>) -> Option<Payload> {
    let list = array(&payload.get(key)?, change)?;
    let mut edit = payload.edit();
    edit.set(key, list);
    Some(edit.to_payload())
}

/// Changes elements of an array; `None` when none changes.
fn array(list: &Json, change: impl Fn(&Json) -> Option<Chunks>) -> Option<Chunks> {
    let elements = list.to_elements().ok()?;
    let changed: Vec<Option<Chunks>> = elements.iter().map(change).collect();
    if changed.iter().all(Option::is_none) {
        return None;
    }
    let mut out = Pieces::with_capacity(list.bytes().len() + 128);
    out.text("[");
    for (at, (element, change)) in elements.iter().zip(&changed).enumerate() {
        if at > 0 {
            out.text(",");
        }
        match change {
            Some(change) => out.chunks(change),
            None => out.json(element),
        };
    }
    out.text("]");
    Some(out.finish())
}

/// Rewrites the URIs of one entry of `skills/list` and of the files it names.
pub(crate) fn skill(item: &Json, uris: Uris<'_>) -> Chunks {
    let Ok(entry) = item.to_object() else { return item.clone().into() };
    if matches!(uris, Uris::AsIs) {
        return item.clone().into();
    }
    let mut edit = entry.edit();
    if let Some(uri) = entry.text("uri") {
        edit.set("uri", Json::of(&uris.out(&uri)));
    }
    let files = entry.get("resources").filter(|files| files.kind() == Kind::Array);
    if let Some(files) = files.and_then(|files| array(&files, |file| with_uri(&file.to_object().ok()?, uris))) {
        edit.set("resources", files);
    }
    edit.finish()
}
