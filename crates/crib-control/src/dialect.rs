//! Files of MCP clients, read as they are. They belong to other programs, so whatever is not about reaching a server
//! is passed over in silence.

mod docker;
mod entry;
pub(crate) mod listing;
mod toolhive;
mod wishes;

use crate::tree::{Key, Language, Node, Span, Value};
use crate::world::World;

pub(crate) use entry::{is_enabled, server};

/// A server in a foreign file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) key: Span,
    pub(crate) node: Node,
}

/// Members only our own format has, or that say which format a file is of.
const OWN: &[&str] = &["version", "gateway", "include", "keys", "packages", "observability", "cluster"];

/// What a server of our own format is run by, and no other.
const OWN_WAYS: &[&str] = &["run", "builtin"];

/// The members servers stand under, in the order in which they are looked for: Claude, Cursor and most others; Amp;
/// Cody; Codex, Grok and Vibe; Zed; Goose.
const PLACES: &[&str] = &["mcpServers", "amp.mcpServers", "cody.mcpServers", "mcp_servers", "context_servers", "extensions"];

/// Tells our own format from others.
pub(crate) fn is_ours(root: &Node, language: Language) -> bool {
    let has = |name: &&str| root.get(name).is_some();
    if PLACES.iter().any(has) || root.get("mcp").is_some() || root.get("inputs").is_some() {
        return false;
    }
    if OWN.iter().any(has) {
        return true;
    }
    // `servers` alone: VS Code writes JSON, we write YAML. Ways to run a server that only we know tell JSON of ours.
    match language {
        Language::Json => has_own_ways(root),
        Language::Yaml | Language::Toml => root.get("servers").is_some() || !is_bare(root),
    }
}

fn has_own_ways(root: &Node) -> bool {
    let is_own = |(_, node): &(Key, Node)| OWN_WAYS.iter().any(|way| node.get(way).is_some());
    root.get("servers").and_then(Node::as_map).is_some_and(|servers| servers.iter().any(is_own))
}

/// Finds the servers of a foreign file; what comes later wins.
///
/// # Errors
/// There is no place for servers in the file; gives where to point.
pub(crate) fn servers(root: &Node, world: &dyn World) -> Result<Vec<Found>, Span> {
    let mut found = Vec::new();
    let mut is_known = false;
    let places = PLACES.iter().filter_map(|name| root.get(name)).chain(root.get("servers"));
    let mcp = root.get("mcp").map(|mcp| mcp.get("servers").unwrap_or(mcp));
    for place in places.chain(mcp) {
        is_known = true;
        collect(place, &mut found);
    }
    // Claude Code keeps the servers of a project under its directory.
    let directory = world.directory().display().to_string();
    if let Some(project) = root.get("projects").and_then(|projects| projects.get(&directory)?.get("mcpServers")) {
        is_known = true;
        collect(project, &mut found);
    }
    if !is_known && is_bare(root) {
        is_known = true;
        collect(root, &mut found);
    }
    if is_known { Ok(found) } else { Err(root.span.start..root.span.start) }
}

/// A map of names to things that can be started or reached, and nothing else.
fn is_bare(root: &Node) -> bool {
    let is_server = |(_, node): &(Key, Node)| entry::COMMAND.iter().chain(entry::URL).any(|name| node.get(name).is_some());
    root.as_map().is_some_and(|members| !members.is_empty() && members.iter().all(is_server))
}

fn collect(place: &Node, found: &mut Vec<Found>) {
    let mut add = |name: &str, key: &Span, node: &Node| {
        found.retain(|earlier: &Found| earlier.name != name);
        found.push(Found { name: name.to_owned(), key: key.clone(), node: node.clone() });
    };
    match &place.value {
        Value::Map(members) => {
            for (key, node) in members.iter().filter(|(_, node)| node.as_map().is_some()) {
                add(&key.name, &key.span, node);
            }
        }
        // Continue and Vibe have lists with names inside.
        Value::List(elements) => {
            for node in elements {
                if let Some(name) = node.get("name").and_then(Node::as_text) {
                    add(name, &node.locate(&["name"]), node);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
