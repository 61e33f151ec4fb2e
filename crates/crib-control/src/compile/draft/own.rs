//! What is done to a file of our own format before it is read, and where things stand in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::problem::{File, Problem};
use crate::tree::{Node, Span, Value};
use crate::variables::{self, Reading, Unset};
use crate::world::World;

/// Puts values in the place of variables; servers that are switched off may use what is not set. Returns what other
/// servers need that has no value, by their names.
pub(super) fn expand_own(root: &mut Node, source: &str, world: &dyn World) -> Result<BTreeMap<String, Unset>, Unset> {
    let mut missing = BTreeMap::new();
    let Value::Map(members) = &mut root.value else { return Ok(missing) };
    for (key, node) in members {
        if key.name == "servers"
            && let Value::Map(servers) = &mut node.value
        {
            let enabled = servers.iter_mut().filter(|(_, server)| server.get("enabled").and_then(Node::as_bool) != Some(false));
            for (name, server) in enabled {
                let unset = variables::expand_server(server, source, Reading::own(world))?;
                missing.extend(unset.map(|unset| (name.name.clone(), unset)));
            }
        } else {
            variables::expand(node, source, Reading::own(world))?;
        }
    }
    Ok(missing)
}

/// Finds a secret where none belongs; servers are looked at one by one later.
pub(super) fn stray_secret(root: &Node) -> Option<Span> {
    variables::stray_secret(root, &["servers", "secret"])
}

/// Returns where the name of a server stands.
pub(super) fn named(root: &Node, name: &str) -> Span {
    let servers = root.get("servers").and_then(Node::as_map).unwrap_or_default();
    let key = servers.iter().map(|(key, _)| key).find(|key| key.name == name);
    key.map_or_else(|| root.locate(&["servers"]), |key| key.span.clone())
}

pub(super) fn unset_problem(file: &Arc<File>, unset: Unset) -> Problem {
    let mut problem = Problem::at(file, unset.span, unset.message);
    problem.hint = unset.hint;
    problem
}
