//! Catalogues: files that list servers one may run, and not servers that are to run.

use crib_store::SecretName;

use super::{docker, toolhive};
use crate::config::Server;
use crate::secrets;
use crate::tree::{Language, Node, Span, Value};
use crate::variables::Unset;
use crate::world::World;

/// Whose catalogue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `catalog.yaml` of Docker's MCP gateway.
    Docker,
    /// `registry.yaml` of the same: the names of what is enabled, and nothing of what they are.
    DockerEnabled,
    /// `registry.json` of ToolHive.
    ToolHive,
}

/// One server of a catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Listed<'n> {
    pub(crate) name: &'n str,
    /// Where the name stands.
    pub(crate) key: &'n Span,
    pub(crate) node: &'n Node,
    is_remote: bool,
}

/// A server of a catalogue as we run it, and what it has to be told.
pub(crate) type Told = Result<(Server, Option<Unset>), (Span, String)>;

/// Tells catalogues from files of settings.
pub(crate) fn kind(root: &Node, language: Language) -> Option<Kind> {
    let values = |name: &str| root.get(name).and_then(Node::as_map).unwrap_or_default().iter().map(|(_, node)| node);
    let has = |node: &Node, names: &[&str]| names.iter().any(|name| node.get(name).is_some());
    if values("registry").any(|node| has(node, &["image", "remote", "sseEndpoint", "type"])) {
        return Some(Kind::Docker);
    }
    if values("registry").any(|node| has(node, &["ref"])) {
        return Some(Kind::DockerEnabled);
    }
    let is_image = |node: &Node| has(node, &["image"]) && !has(node, &["command", "url", "run", "builtin"]);
    let is_listing = values("servers").any(is_image) || values("remote_servers").next().is_some();
    // In YAML, which is ours, an `image` is a mistake.
    (language == Language::Json && is_listing).then_some(Kind::ToolHive)
}

/// Returns the servers of a catalogue, in its order.
pub(crate) fn listed(root: &Node, kind: Kind) -> Vec<Listed<'_>> {
    let places: &[(&str, bool)] = match kind {
        Kind::Docker | Kind::DockerEnabled => &[("registry", false)],
        Kind::ToolHive => &[("servers", false), ("remote_servers", true)],
    };
    let servers = |&(name, is_remote): &(&str, bool)| {
        let members = root.get(name).and_then(Node::as_map).unwrap_or_default();
        members.iter().map(move |(key, node)| Listed { name: key.name.as_str(), key: &key.span, node, is_remote })
    };
    places.iter().flat_map(servers).collect()
}

/// Translates a server of a catalogue; `settings` are what the user has set for it, in Docker's `config.yaml`.
pub(crate) fn server(listed: &Listed<'_>, kind: Kind, settings: &Node, world: &dyn World) -> Told {
    match kind {
        Kind::Docker | Kind::DockerEnabled => docker::server(listed.name, listed.node, settings),
        Kind::ToolHive => toolhive::server(listed.name, listed.node, listed.is_remote, world),
    }
}

/// Refers to a secret of a server.
pub(super) fn secret(name: &str, node: &Node) -> Result<String, (Span, String)> {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '-' }).collect();
    let name = SecretName::parse(&plain).map_err(|error| (node.span.clone(), error.to_string()))?;
    Ok(secrets::reference(&name))
}

/// Returns the elements of a list that is named in a map.
pub(super) fn elements<'n>(node: &'n Node, name: &str) -> impl Iterator<Item = &'n Node> {
    node.get(name).and_then(Node::as_list).unwrap_or_default().iter()
}

pub(super) fn text<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    node.get(name).and_then(Node::as_text).filter(|text| !text.is_empty())
}

/// A value as it stands in a variable.
pub(super) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}
