//! Sampling: several blocks in one message, and tools, exist since 2025-11-25; audio since 2025-03-26.

use crate::json::{Chunks, Edit, Json, Payload};
use crate::method::Method;
use crate::revision::Revision;
use crate::scan::Kind;
use crate::translate::{content, item};

pub(super) fn request_down(params: &Payload, to: Revision) -> Result<Payload, String> {
    let mut edit = params.edit();
    if to.has_rich_input() {
        if let Some(tools) = params.get("tools").and_then(|tools| content::map(&tools, |tool| item::change(&Method::ToolsList, tool, to))) {
            edit.set("tools", tools);
        }
        if let Some(messages) = params.get("messages").and_then(|messages| content::map(&messages, results_down)) {
            edit.set("messages", messages);
        }
        return Ok(super::finish(&edit, params));
    }
    if params.object.has("tools") || params.object.has("toolChoice") {
        return Err(format!("{to} has no sampling with tools"));
    }
    let messages = params.get("messages").and_then(|messages| messages.to_elements().ok()).unwrap_or_default();
    let mut single: Vec<Chunks> = Vec::with_capacity(messages.len());
    let mut is_changed = false;
    for message in messages {
        is_changed |= split(&message, to, &mut single)?;
    }
    if is_changed {
        edit.set("messages", content::join(single));
    }
    Ok(super::finish(&edit, params))
}

/// 2025-11-25 wants an object for the structured content of a tool result; what is none is said in text.
fn results_down(message: &Json) -> Option<Chunks> {
    let message = message.to_object().ok()?;
    let content = body_down(&message.get("content")?)?;
    Some(message.edit().set("content", content).finish())
}

fn body_down(body: &Json) -> Option<Chunks> {
    if body.kind() == Kind::Array { content::map(body, tool_result_down) } else { tool_result_down(body) }
}

fn tool_result_down(block: &Json) -> Option<Chunks> {
    let block = block.to_object().ok()?;
    let is_result = block.text("type").as_deref() == Some("tool_result");
    let fits = matches!(block.object.kind("structuredContent"), None | Some(Kind::Object));
    if !is_result || fits {
        return None;
    }
    let mut edit = block.edit();
    let said = block.get("content").and_then(|blocks| blocks.to_elements().ok()).unwrap_or_default();
    if !said.iter().any(content::is_text) {
        let structured = block.get("structuredContent").map(|json| content::text(json.as_str()));
        edit.set("content", content::join(said.into_iter().map(Chunks::from).chain(structured)));
    }
    Some(edit.remove("structuredContent").finish())
}

/// A message with several blocks becomes as many messages of the same role.
fn split(message: &Json, to: Revision, out: &mut Vec<Chunks>) -> Result<bool, String> {
    let Some((parts, body)) = message.to_object().ok().and_then(|parts| Some((parts.clone(), parts.get("content")?))) else {
        out.push(message.clone().into());
        return Ok(false);
    };
    if body.kind() != Kind::Array {
        check(&body, to)?;
        out.push(message.clone().into());
        return Ok(false);
    }
    for block in body.to_elements().unwrap_or_default() {
        check(&block, to)?;
        out.push(parts.edit().set("content", block).finish());
    }
    Ok(true)
}

fn check(block: &Json, to: Revision) -> Result<(), String> {
    let kind = block.to_object().ok().and_then(|block| block.text("type").map(std::borrow::Cow::into_owned)).unwrap_or_default();
    match kind.as_str() {
        "text" | "image" => Ok(()),
        "audio" if to.has_audio() => Ok(()),
        _ => Err(format!("{to} has no `{kind}` content in sampling")),
    }
}

/// A server of an older revision gets one block: the only one, the texts as one, or else the first it can read.
pub(super) fn response_down(edit: &mut Edit<'_>, result: &Payload, to: Revision) {
    let Some(body) = result.get("content") else { return };
    if to.has_rich_input() {
        if let Some(content) = body_down(&body) {
            edit.set("content", content);
        }
        return;
    }
    let is_list = body.kind() == Kind::Array;
    let blocks = if is_list { body.to_elements().unwrap_or_default() } else { vec![body] };
    let readable: Vec<&Json> = blocks.iter().filter(|block| check(block, to).is_ok()).collect();
    let texts: Vec<String> = readable.iter().filter_map(|block| text_of(block)).collect();
    match readable.as_slice() {
        [_] if !is_list => {}
        [only] => {
            edit.set("content", (*only).clone());
        }
        [first, ..] if texts.is_empty() => {
            edit.set("content", (*first).clone());
        }
        _ => {
            edit.set("content", content::text(&texts.join("\n")));
        }
    }
}

fn text_of(block: &Json) -> Option<String> {
    block.to_object().ok()?.text("text").map(std::borrow::Cow::into_owned)
}
