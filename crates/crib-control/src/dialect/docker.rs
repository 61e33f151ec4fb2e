//! A server of Docker's catalogue: an image or an address, with what the user has set.

use super::listing::{Told, elements, scalar, secret, text};
use super::wishes;
use crate::config::{Server, Transport};
use crate::tree::{Node, Span, Value};
use crate::variables::{Unset, stray_secret};

/// Texts that one with lists in it may become.
const VALUES_MAX: usize = 1000;

/// What stands for a value in a text.
enum Filled {
    /// These, one argument each where the text is an argument.
    With(Vec<String>),
    /// It is not set and need not be.
    Left,
    /// It has to be set: what.
    Missing(String),
    /// Lists in one text make more arguments than anybody means.
    TooMany,
}

pub(super) fn server(name: &str, node: &Node, settings: &Node) -> Told {
    if let Some(span) = stray_secret(node, &[]).or_else(|| stray_secret(settings, &[]).map(|_| node.span.clone())) {
        return Err((span, "U+FDD0 or U+FDD1 is no character".to_owned()));
    }
    let mut server = Server { describe: text(node, "description").unwrap_or_default().to_owned(), ..Server::default() };
    let mut unset = None;
    if let Some(image) = text(node, "image") {
        server.run = format!("oci:{image}");
        container(&mut server, name, node, settings, &mut unset)?;
    } else if let Some(remote) = node.get("remote").filter(|remote| text(remote, "url").is_some()) {
        text(remote, "url").unwrap_or_default().clone_into(&mut server.url);
        server.transport = match text(remote, "transport_type") {
            Some("sse") => Transport::Sse,
            Some(_) => Transport::Http,
            None => Transport::Auto,
        };
        headers(&mut server, name, node, remote)?;
    } else if let Some(endpoint) = text(node, "sseEndpoint") {
        endpoint.clone_into(&mut server.url);
        server.transport = Transport::Sse;
    } else {
        return Err((node.span.clone(), "it names neither an image nor an address".to_owned()));
    }
    Ok((server, unset))
}

fn container(server: &mut Server, name: &str, node: &Node, settings: &Node, unset: &mut Option<Unset>) -> Result<(), (Span, String)> {
    let mut lacks = |node: &Node, key: String| {
        let message = format!("the setting `{key}` has no value");
        let hint = Some(format!("put it into the `config.yaml` beside the catalogue, below `{name}:`"));
        unset.get_or_insert(Unset { may_be_set: true, message, hint, span: node.span.clone() });
    };
    for arg in elements(node, "command") {
        let Some(written) = scalar(arg) else { continue };
        match filled(&written, node, settings) {
            Filled::TooMany => return Err(too_many(arg)),
            Filled::With(values) => server.args.extend(values),
            Filled::Left => {}
            Filled::Missing(key) => lacks(arg, key),
        }
    }
    for one in elements(node, "env") {
        let (Some(variable), Some(value)) = (text(one, "name"), one.get("value").and_then(scalar)) else { continue };
        match filled(&value, node, settings) {
            Filled::TooMany => return Err(too_many(one)),
            Filled::With(values) => {
                server.env.insert(variable.to_owned(), values.join(","));
            }
            Filled::Left => {}
            Filled::Missing(key) => lacks(one, key),
        }
    }
    let volumes = elements(node, "volumes").filter_map(scalar).map(|volume| filled(&volume, node, settings));
    let volumes = volumes.flat_map(|filled| if let Filled::With(values) = filled { values } else { Vec::new() });
    server.wishes = wishes::of_docker(node, volumes);
    for one in elements(node, "secrets") {
        if let (Some(kept), Some(variable)) = (text(one, "name"), text(one, "env")) {
            server.env.insert(variable.to_owned(), own_secret(name, kept, one)?);
        }
    }
    Ok(())
}

/// Refers to a secret of this server: a catalogue has no say about those of others.
fn own_secret(server: &str, kept: &str, node: &Node) -> Result<String, (Span, String)> {
    let own = format!("{server}.");
    if kept.starts_with(&own) { secret(kept, node) } else { secret(&format!("{own}{kept}"), node) }
}

fn too_many(node: &Node) -> (Span, String) {
    (node.span.clone(), format!("its settings make more than {VALUES_MAX} values of one"))
}

/// Headers name secrets by the variables they would stand in: `Bearer ${TOKEN}`.
fn headers(server: &mut Server, name: &str, node: &Node, remote: &Node) -> Result<(), (Span, String)> {
    for (key, value) in remote.get("headers").and_then(Node::as_map).unwrap_or_default() {
        let Some(mut written) = scalar(value) else { continue };
        for one in elements(node, "secrets") {
            if let (Some(kept), Some(variable)) = (text(one, "name"), text(one, "env")) {
                written = written.replace(&format!("${{{variable}}}"), &own_secret(name, kept, one)?);
            }
        }
        if let Some((variable, _)) = written.split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
            // Whoever wrote the catalogue also chose where the header goes: nothing of our environment does.
            return Err((value.span.clone(), format!("its header `{}` names `{variable}`, which is none of its secrets", key.name)));
        }
        server.headers.insert(key.name.clone(), written);
    }
    Ok(())
}

/// Puts settings into a text: `{{server.setting}}`, with `|into` and the like behind it.
fn filled(text: &str, node: &Node, settings: &Node) -> Filled {
    let mut out = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, behind)) = after.split_once("}}") else { break };
        rest = behind;
        out.iter_mut().for_each(|one| one.push_str(before));
        let key = inner.split('|').next().unwrap_or_default().trim();
        let values = match setting(key, node, settings) {
            Some(values) => values,
            None if is_required(key, node) => return Filled::Missing(key.to_owned()),
            None => return Filled::Left,
        };
        if out.len().saturating_mul(values.len()) > VALUES_MAX {
            return Filled::TooMany;
        }
        out = values.iter().flat_map(|value| out.iter().map(move |one| [one.as_str(), value].concat())).collect();
    }
    out.iter_mut().for_each(|one| one.push_str(rest));
    Filled::With(out)
}

/// Finds what is set for `server.setting`, else its default.
fn setting(key: &str, node: &Node, settings: &Node) -> Option<Vec<String>> {
    let set = key.split('.').try_fold(settings, |node, part| node.get(part));
    let default = || property(key, node)?.get("default");
    let value = set.filter(|node| !matches!(node.value, Value::Null)).or_else(default)?;
    match &value.value {
        Value::List(elements) => Some(elements.iter().filter_map(scalar).collect()),
        Value::Null | Value::Map(_) => None,
        Value::Bool(_) | Value::Number(_) | Value::Text(_) => scalar(value).map(|text| vec![text]),
    }
}

/// What the catalogue says of a setting.
fn property<'n>(key: &str, node: &'n Node) -> Option<&'n Node> {
    let (_, path) = key.split_once('.')?;
    elements(node, "config").find_map(|group| path.split('.').try_fold(group, |node, part| node.get("properties")?.get(part)))
}

fn is_required(key: &str, node: &Node) -> bool {
    let name = key.split('.').nth(1).unwrap_or_default();
    let is_named = |group: &Node| elements(group, "required").any(|one| one.as_text() == Some(name));
    property(key, node).is_none() || elements(node, "config").any(is_named)
}
