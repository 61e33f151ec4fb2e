//! What this client says of itself and of what it can do.

use crib_mcp::{Revision, meta};
use serde_json::{Map, Value, json};

use crate::target::Abilities;

/// Returns what this client says of itself.
pub(super) fn client_info() -> Value {
    json!({ "name": "toolcrib-inspect", "title": "Toolcrib inspector", "version": env!("CARGO_PKG_VERSION") })
}

/// Returns the capabilities that are declared to a legacy server.
pub(super) fn legacy_capabilities(abilities: Abilities) -> Value {
    let mut declared = capabilities(abilities);
    if abilities.has_tasks() {
        let requests = json!({ "sampling": { "createMessage": {} }, "elicitation": { "create": {} } });
        declare(&mut declared, "tasks", json!({ "list": {}, "cancel": {}, "requests": requests }));
    }
    declared
}

fn capabilities(abilities: Abilities) -> Value {
    match abilities {
        Abilities::Full | Abilities::AtOnce => {
            json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": { "listChanged": true } })
        }
        Abilities::None => json!({}),
    }
}

fn declare(declared: &mut Value, name: &str, value: Value) {
    if let Some(declared) = declared.as_object_mut() {
        declared.insert(name.to_owned(), value);
    }
}

fn modern_capabilities(abilities: Abilities) -> Value {
    let mut declared = capabilities(abilities);
    if abilities.has_tasks() {
        declare(&mut declared, "extensions", json!({ meta::extension::TASKS: {} }));
    }
    declared
}

pub(crate) fn modern_meta(abilities: Abilities) -> Map<String, Value> {
    let mut own = Map::new();
    own.insert(meta::PROTOCOL_VERSION.to_owned(), json!(Revision::LATEST.as_str()));
    own.insert(meta::CLIENT_CAPABILITIES.to_owned(), modern_capabilities(abilities));
    own.insert(meta::CLIENT_INFO.to_owned(), client_info());
    own
}
