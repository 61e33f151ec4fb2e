//! A server of ToolHive's registry: an image or an address, with the variables it has to be told.

use super::listing::{Told, elements, scalar, secret, text};
use super::wishes;
use crate::config::{Server, Transport};
use crate::secrets;
use crate::tree::Node;
use crate::variables::{Unset, stray_secret};
use crate::world::World;

pub(super) fn server(name: &str, node: &Node, is_remote: bool, world: &dyn World) -> Told {
    if let Some(span) = stray_secret(node, &[]) {
        return Err((span, "U+FDD0 or U+FDD1 is no character".to_owned()));
    }
    let transport = text(node, "transport").unwrap_or_default();
    let mut server = Server { describe: text(node, "description").unwrap_or_default().to_owned(), ..Server::default() };
    let mut unset = None;
    if is_remote {
        let url = text(node, "url").ok_or_else(|| (node.span.clone(), "it names no address".to_owned()))?;
        url.clone_into(&mut server.url);
        server.transport = if transport == "sse" { Transport::Sse } else { Transport::Http };
        for one in elements(node, "headers") {
            if let Some((header, value)) = value(name, one, None, &mut unset)? {
                server.headers.insert(header, value);
            }
        }
        return Ok((server, unset));
    }
    let image = text(node, "image").ok_or_else(|| (node.span.clone(), "it names no image".to_owned()))?;
    if !matches!(transport, "" | "stdio") {
        let why = format!("its container speaks `{transport}`, and what is started here is spoken to on standard input and output");
        return Err((node.locate(&["transport"]), why));
    }
    server.run = format!("oci:{image}");
    server.args = elements(node, "args").filter_map(scalar).collect();
    server.wishes = wishes::of_toolhive(node);
    for one in elements(node, "env_vars") {
        if let Some((variable, value)) = value(name, one, Some(world), &mut unset)? {
            server.env.insert(variable, value);
        }
    }
    Ok((server, unset))
}

/// Returns what a variable or header is set to: what must be there from our own environment or secrets, anything else as
/// the registry has it. Headers go where the registry says, and nothing of our environment (`world`) does.
fn value(
    server: &str,
    node: &Node,
    world: Option<&dyn World>,
    unset: &mut Option<Unset>,
) -> Result<Option<(String, String)>, (crate::tree::Span, String)> {
    let Some(name) = text(node, "name") else { return Ok(None) };
    let is = |flag: &str| node.get(flag).and_then(Node::as_bool) == Some(true);
    let default = node.get("default").and_then(scalar);
    let given =
        world.and_then(|world| world.variable(name)).filter(|value| is("required") && !value.is_empty() && !secrets::is_marked(value));
    let value = match (given, default) {
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) if !is("required") => return Ok(None),
        (None, None) if is("secret") || world.is_none() => secret(&format!("{server}.{name}"), node)?,
        (None, None) => {
            let about = text(node, "description").map(|about| format!(" ({about})")).unwrap_or_default();
            let message = format!("the environment variable `{name}`{about} is not set");
            unset.get_or_insert(Unset { may_be_set: true, message, hint: Some("set it".to_owned()), span: node.span.clone() });
            String::new()
        }
    };
    Ok(Some((name.to_owned(), value)))
}
