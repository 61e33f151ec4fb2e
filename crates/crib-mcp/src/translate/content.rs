//! Content blocks: what an older revision has no block for becomes the nearest thing it has.

use crate::json::{Chunks, Json, Payload, Pieces};
use crate::revision::Revision;

/// An embedded resource needs a URI; audio has none of its own.
const AUDIO_URI: &str = "urn:toolcrib:audio";

/// Rewrites the elements of an array; `None` where none of them changes.
pub(super) fn map(array: &Json, change: impl Fn(&Json) -> Option<Chunks>) -> Option<Chunks> {
    let elements = array.to_elements().ok()?;
    let changed: Vec<Option<Chunks>> = elements.iter().map(change).collect();
    if changed.iter().all(Option::is_none) {
        return None;
    }
    let new = elements.into_iter().zip(changed).map(|(old, new)| new.unwrap_or_else(|| old.into()));
    Some(join(new))
}

/// Writes an array.
pub(super) fn join(elements: impl IntoIterator<Item = Chunks>) -> Chunks {
    let mut out = Pieces::default();
    out.text("[");
    for (i, element) in elements.into_iter().enumerate() {
        if i > 0 {
            out.text(",");
        }
        out.chunks(&element);
    }
    out.text("]");
    out.finish()
}

/// Returns what a block becomes in a revision; `None` where it stays.
pub(super) fn down(block: &Json, to: Revision) -> Option<Chunks> {
    if to.has_structured_content() {
        return None;
    }
    let block = block.to_object().ok()?;
    match block.text("type")?.as_ref() {
        "audio" if !to.has_audio() => Some(embedded(&block)),
        "resource_link" => Some(linked(&block)),
        _ => None,
    }
}

fn embedded(audio: &Payload) -> Chunks {
    let empty = Json::from_static("\"\"");
    let mut resource = Pieces::default();
    resource.text("{\"uri\":").json(&Json::of(AUDIO_URI));
    if let Some(mime) = audio.get("mimeType") {
        resource.text(",\"mimeType\":").json(&mime);
    }
    resource.text(",\"blob\":").json(&audio.get("data").unwrap_or(empty)).text("}");
    let mut edit = audio.edit();
    edit.set("type", Json::from_static("\"resource\"")).set("resource", resource.finish()).remove("data").remove("mimeType");
    edit.finish()
}

fn linked(link: &Payload) -> Chunks {
    let label = ["title", "name"].into_iter().find_map(|key| link.text(key)).unwrap_or_default();
    let uri = link.text("uri").unwrap_or_default();
    let text = if label.is_empty() { uri.into_owned() } else { format!("{label} ({uri})") };
    let mut edit = link.edit();
    edit.set("type", Json::from_static("\"text\"")).set("text", Json::of(&text));
    for key in ["name", "title", "uri", "description", "mimeType", "size", "icons"] {
        edit.remove(key);
    }
    edit.finish()
}

/// Makes a text block.
pub(super) fn text(text: &str) -> Chunks {
    let mut out = Pieces::default();
    out.text("{\"type\":\"text\",\"text\":").json(&Json::of(text)).text("}");
    out.finish()
}

/// Tells whether a block is text.
pub(super) fn is_text(block: &Json) -> bool {
    block.to_object().is_ok_and(|block| block.text("type").as_deref() == Some("text"))
}
