//! One server in the words of some client: every spelling there is, to one of ours.

use std::time::Duration;

use indexmap::IndexMap;

use crate::config::{Server, Timespan, Tools, Transport};
use crate::tree::{Node, Span, Value};
use crate::world::World;

pub(super) const COMMAND: &[&str] = &["command", "cmd", "executable"];
pub(super) const URL: &[&str] = &["url", "httpUrl", "serverUrl", "uri", "baseUrl", "base_url", "server_url"];
const ARGS: &[&str] = &["args", "arguments"];
const ENV: &[&str] = &["env", "envs", "environment"];
const CWD: &[&str] = &["cwd", "workingDirectory", "working_directory"];
const HEADERS: &[&str] = &["headers", "http_headers"];
const KIND: &[&str] = &["type", "transport"];
/// Names of variables to pass on from the environment (Codex, Goose).
const ENV_NAMES: &[&str] = &["env_vars", "env_keys"];
const INCLUDED: &[&str] = &["includeTools", "enabled_tools", "enabledTools", "tools"];
const EXCLUDED: &[&str] = &["excludeTools", "disabled_tools", "disabledTools"];

/// A complaint: where, and why the server cannot be used.
type Unusable = (Span, String);

/// Tells whether the server is switched on.
pub(crate) fn is_enabled(node: &Node) -> bool {
    let flag = |name: &str| node.get(name).and_then(Node::as_bool);
    flag("disabled") != Some(true) && flag("enabled") != Some(false) && flag("isActive") != Some(false)
}

/// Translates one server; `None` for what is built into the other program.
pub(crate) fn server(node: &Node, world: &dyn World) -> Result<Option<Server>, Unusable> {
    let kind = first(node, KIND).and_then(Node::as_text).unwrap_or_default();
    let transport = match kind.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "" | "stdio" | "local" | "remote" => None,
        "http" | "streamablehttp" => Some(Transport::Http),
        "sse" => Some(Transport::Sse),
        "builtin" | "bundled" | "platform" | "frontend" | "sdk" => return Ok(None),
        _ => return Err((node.locate(&["type"]), format!("`{kind}` is not a way to reach a server that is known here"))),
    };
    let mut server = Server { tools: tools(node), describe: text(node, &["description"]), ..Server::default() };
    (server.timeout, server.start_timeout) = timeouts(node);
    if first(node, COMMAND).is_some() {
        command(node, &mut server, world)?;
    } else if first(node, URL).is_some() {
        url(node, transport, &mut server, world)?;
    } else {
        return Err((node.span.clone(), "it has neither a command nor a URL".to_owned()));
    }
    Ok(Some(server))
}

fn command(node: &Node, server: &mut Server, world: &dyn World) -> Result<(), Unusable> {
    match first(node, COMMAND).map(|node| &node.value) {
        // OpenCode has program and arguments in one list.
        Some(Value::List(_)) => {
            let mut words = texts(node, COMMAND).into_iter();
            server.command = words.next().unwrap_or_default();
            server.args = words.collect();
        }
        _ => server.command = text(node, COMMAND),
    }
    server.args.extend(texts(node, ARGS));
    // People write whole command lines; a path with spaces in it is still a path.
    if server.args.is_empty() && !server.command.split(' ').next().unwrap_or_default().contains(['/', '\\']) {
        let mut words = server.command.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_default();
        server.args = words.collect();
        server.command = program;
    }
    server.env_file = text(node, &["envFile"]);
    for name in texts(node, ENV_NAMES) {
        if let Some(value) = world.variable(&name) {
            server.env.insert(name, value);
        }
    }
    server.env.extend(pairs(node, ENV));
    server.cwd = text(node, CWD);
    if server.command.is_empty() {
        return Err((node.span.clone(), "its command is empty".to_owned()));
    }
    Ok(())
}

fn url(node: &Node, transport: Option<Transport>, server: &mut Server, world: &dyn World) -> Result<(), Unusable> {
    server.url = text(node, URL);
    // Gemini's `httpUrl` is always Streamable HTTP.
    let is_http = node.get("httpUrl").is_some();
    server.transport = transport.unwrap_or(if is_http { Transport::Http } else { Transport::Auto });
    server.headers = pairs(node, HEADERS);
    if let Some(options) = node.get("requestOptions") {
        server.headers.extend(pairs(options, HEADERS));
    }
    for (header, variable) in pairs(node, &["env_http_headers"]) {
        let value = world.variable(&variable);
        let value = value.ok_or_else(|| (node.locate(&["env_http_headers", &header]), not_set(&variable)))?;
        server.headers.insert(header, value);
    }
    let bearer = ["bearer_token_env_var", "bearerTokenEnv"].into_iter().find_map(|name| Some((name, node.get(name)?.as_text()?)));
    if let Some((member, variable)) = bearer {
        let value = world.variable(variable).ok_or_else(|| (node.locate(&[member]), not_set(variable)))?;
        server.headers.insert("Authorization".to_owned(), format!("Bearer {value}"));
    }
    if let Some(key) = node.get("apiKey").and_then(Node::as_text) {
        server.headers.insert("Authorization".to_owned(), format!("Bearer {key}"));
    }
    Ok(())
}

fn not_set(variable: &str) -> String {
    format!("the environment variable `{variable}` is not set")
}

fn tools(node: &Node) -> Tools {
    let mut include = texts(node, INCLUDED);
    if include.iter().any(|pattern| pattern == "*") {
        include.clear();
    }
    Tools { include, exclude: texts(node, EXCLUDED) }
}

/// Returns the longest call and the longest start.
///
/// Some clients count in seconds and some in milliseconds under the same name; nobody means a thousand seconds, and
/// nobody means less than one.
fn timeouts(node: &Node) -> (Option<Timespan>, Option<Timespan>) {
    let number = |name: &str| if let Value::Number(n) = &node.get(name)?.value { n.as_f64().filter(|n| *n > 0.0) } else { None };
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).ok().map(Timespan);
    let call = number("tool_timeout_sec").or_else(|| number("toolTimeoutMs").map(|ms| ms / 1000.0));
    let call = call.or_else(|| number("timeout").map(|n| if n >= 1000.0 { n / 1000.0 } else { n }));
    (call.and_then(span), number("startup_timeout_sec").and_then(span))
}

fn first<'a>(node: &'a Node, names: &[&str]) -> Option<&'a Node> {
    names.iter().find_map(|name| node.get(name)).filter(|node| !matches!(node.value, Value::Null))
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

fn text(node: &Node, names: &[&str]) -> String {
    first(node, names).and_then(scalar).unwrap_or_default()
}

fn texts(node: &Node, names: &[&str]) -> Vec<String> {
    first(node, names).and_then(Node::as_list).unwrap_or_default().iter().filter_map(scalar).collect()
}

fn pairs(node: &Node, names: &[&str]) -> IndexMap<String, String> {
    let members = first(node, names).and_then(Node::as_map).unwrap_or_default();
    members.iter().filter_map(|(key, value)| Some((key.name.clone(), scalar(value)?))).collect()
}
