//! What the arguments of the commands can be.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::Command;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use crib_model::Code;
use crib_package::{FindingKind, Source};
use serde_json::Value;

use super::known::Asked;
use crate::args;
use crate::manual::TOPICS;
use crate::market;
use crate::pins::secrets;
use crate::tongue::said;
use crate::tool::{Parameter, Tool, kinds};

/// What an argument wants.
#[derive(Clone, Copy, Debug)]
enum Want {
    Server,
    /// A server, or one of its tools.
    Place,
    Tool,
    /// An argument of the tool that was named.
    Argument,
    /// The tool of the server that was named, and its arguments.
    Call,
    /// The names of that server's tools alone.
    Own,
    /// Something to start: a server that is there, a reference server, a file.
    Start,
    /// A server of the configuration or the lockfile.
    Kept,
    /// The same, or the package itself.
    Package,
    Secret,
    Registry,
    Kind,
    Finding,
    Client,
    Code,
    /// A command, or a topic of `help`.
    Topic,
    Command,
    Method,
    Path,
    Words(&'static [&'static str]),
}

/// What the registries list, by kind.
const KINDS: &[&str] = &["npm", "pypi", "oci", "mcpb", "cargo", "nuget", "remote"];
const ERAS: &[&str] = &["auto", "modern", "legacy", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const METHODS: &[&str] = &[
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "server/discover",
    "ping",
];

fn want(command: &str, argument: &str) -> Option<Want> {
    Some(match (command, argument) {
        ("show" | "approve", "name") => Want::Place,
        ("call", "name") => Want::Tool,
        ("call", "arguments") => Want::Argument,
        ("run", "call") => Want::Call,
        ("run", "tools" | "exclude_tools") | ("inspect", "tool") => Want::Own,
        ("run", "server") => Want::Start,
        ("inspect" | "logs" | "serve", "server") | ("stop", "servers") => Want::Server,
        ("rm" | "remove", "names") => Want::Kept,
        ("pull", "servers") => Want::Package,
        ("run", "secret") | ("secret set", "name") | ("secret rm", "names") => Want::Secret,
        (_, "registry") | ("registry rm", "name") => Want::Registry,
        (_, "kind") => Want::Kind,
        (_, "allow") => Want::Finding,
        ("connect", "clients" | "named") => Want::Client,
        ("explain", "code") => Want::Code,
        ("help", "command") => Want::Topic,
        ("man", "command") => Want::Command,
        ("inspect", "method") => Want::Method,
        ("inspect", "era") => Want::Words(ERAS),
        ("inspect", "transport") => Want::Words(&["auto", "http", "sse"]),
        ("run" | "serve" | "inspect", "more" | "command") => Want::Path,
        (_, "keep_alive") => Want::Words(&["5m", "1h", "0", "forever"]),
        _ => return None,
    })
}

/// Has the arguments of the commands know what they can be.
pub(super) fn known_to(root: Command, asked: &Arc<Asked>) -> Command {
    root.mut_subcommands(|command| dressed(command, "", asked))
}

fn dressed(mut command: Command, above: &str, asked: &Arc<Asked>) -> Command {
    // `admin secret set` is `secret set`.
    let path = if above.is_empty() || above == "admin" { command.get_name().to_owned() } else { format!("{above} {}", command.get_name()) };
    let ids: Vec<String> = command.get_arguments().map(|argument| argument.get_id().to_string()).collect();
    for id in ids {
        let values = want(&path, &id).map(|want| Values { want, asked: Arc::clone(asked) });
        // Each is taken out and put behind the others, so that all must be for their order to stay.
        command = command.mut_arg(id, |argument| match values {
            Some(values) => argument.add(ArgValueCompleter::new(values)),
            None => argument,
        });
    }
    command.mut_subcommands(|command| dressed(command, &path, asked))
}

/// What an argument can be.
struct Values {
    want: Want,
    asked: Arc<Asked>,
}

impl ValueCompleter for Values {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(text) = current.to_str() else { return Vec::new() };
        let mut found = self.found(text, current);
        found.retain(|candidate| candidate.get_value().to_str().is_some_and(|value| value.starts_with(text)));
        // They stand as they were found.
        found.into_iter().enumerate().map(|(place, candidate)| candidate.display_order(Some(place))).collect()
    }
}

impl Values {
    fn found(&self, current: &str, whole: &OsStr) -> Vec<CompletionCandidate> {
        let asked = &self.asked;
        match self.want {
            Want::Server => named(asked.servers()),
            Want::Place | Want::Tool => self.places(current),
            Want::Argument => self.arguments(current),
            Want::Call if asked.tool.is_some() => self.arguments(current),
            Want::Call | Want::Own => self.tools().iter().map(|tool| offer(tool.server_tool.clone(), tool.summary())).collect(),
            Want::Start => {
                let mut found = named(asked.own_servers());
                let reference = Source::short_names().filter(|(name, _)| !asked.own_servers().contains_key(*name));
                found.extend(reference.map(|(name, source)| offer(name, source)));
                if current.starts_with(['.', '/', '~']) {
                    found.extend(PathCompleter::any().complete(whole));
                }
                found
            }
            Want::Kept => {
                let locked = Asked::locked().into_iter().map(|(name, locked)| (name, locked.source));
                named(locked.chain(asked.own_servers()).collect::<std::collections::BTreeMap<_, _>>())
            }
            Want::Package => {
                let locked = Asked::locked();
                let is_package = current.contains(':');
                let text = |name: String, source: String| if is_package { offer(source, &name) } else { offer(name, &source) };
                locked.into_iter().map(|(name, locked)| text(name, locked.source)).collect()
            }
            Want::Secret => {
                let names = secrets().ok().and_then(|secrets| secrets.names().ok()).unwrap_or_default();
                names.into_keys().map(|name| offer(name.to_string(), "")).collect()
            }
            Want::Registry => {
                let registries = market::book().ok().and_then(|book| book.list().ok()).unwrap_or_default();
                registries.into_iter().map(|registry| offer(registry.name, &registry.url)).collect()
            }
            Want::Kind => words(KINDS),
            Want::Finding => words(&FindingKind::ALL.map(FindingKind::as_str)),
            Want::Client => crib_clients::clients().map(|client| offer(client.id, client.name)).collect(),
            Want::Code => Code::ALL.iter().map(|code| offer(code.as_str(), &said(code.short()))).collect(),
            Want::Topic => commands().into_iter().chain(words(TOPICS)).collect(),
            Want::Command => commands(),
            Want::Method => words(METHODS),
            Want::Path => PathCompleter::any().complete(whole),
            Want::Words(known) => words(known),
        }
    }

    /// Servers first; the tools of one as soon as it is named.
    fn places(&self, current: &str) -> Vec<CompletionCandidate> {
        match current.split_once('.') {
            Some((server, _)) => {
                let tools = self.asked.about(server).tools(server);
                tools.iter().map(|tool| offer(tool.path(), tool.summary())).collect()
            }
            None => {
                let dot = if matches!(self.want, Want::Tool) { "." } else { "" };
                self.asked.servers().into_iter().map(|(name, source)| offer(name + dot, &source)).collect()
            }
        }
    }

    fn tools(&self) -> Vec<Tool> {
        self.asked.server.as_deref().map(|server| self.asked.tools(server)).unwrap_or_default()
    }

    /// `name=`, and what can stand behind it.
    fn arguments(&self, current: &str) -> Vec<CompletionCandidate> {
        let wanted = self.asked.tool.as_deref().unwrap_or_default();
        let Some(tool) = self.tools().into_iter().find(|tool| tool.server_tool == wanted) else { return Vec::new() };
        let parameters = tool.parameters();
        if let Some((name, value)) = current.split_once('=') {
            let begin = format!("{name}=");
            if let Some(path) = value.strip_prefix('@') {
                let paths = PathCompleter::any().complete(OsStr::new(path));
                return paths.into_iter().map(|path| path.add_prefix(format!("{begin}@"))).collect();
            }
            let name = name.trim_end_matches(':');
            let known = parameters.iter().find(|parameter| parameter.name == name).map(|parameter| values(parameter.schema));
            return known.into_iter().flatten().map(|value| offer(format!("{begin}{value}"), "")).collect();
        }
        let is_given = |name: &str| self.asked.given.iter().any(|word| word.split([':', '=']).next() == Some(name));
        let offered = |parameter: &Parameter<'_>| {
            let need = said(if parameter.is_required { "required" } else { "optional" });
            let about = parameter.schema.get("description").and_then(Value::as_str).unwrap_or_default();
            offer(format!("{}=", parameter.name), &format!("{}, {need}  {about}", parameter.kind))
        };
        parameters.iter().filter(|parameter| !is_given(parameter.name)).map(offered).collect()
    }
}

/// Returns the values that a schema names.
fn values(schema: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match schema.get("enum").and_then(Value::as_array) {
        Some(values) => values.iter().map(text).collect(),
        None if kinds(schema).contains(&"boolean") => vec!["true".to_owned(), "false".to_owned()],
        None => schema.get("default").map(text).into_iter().collect(),
    }
}

fn offer(text: impl Into<String>, about: &str) -> CompletionCandidate {
    let about = about.lines().next().unwrap_or_default().to_owned();
    CompletionCandidate::new(text.into()).help(Some(about.into()))
}

fn named(servers: impl IntoIterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    servers.into_iter().map(|(name, source)| offer(name, &source)).collect()
}

fn words(known: &[&str]) -> Vec<CompletionCandidate> {
    known.iter().map(|word| offer(*word, "")).collect()
}

fn commands() -> Vec<CompletionCandidate> {
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let root = args::command();
    root.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| offer(command.get_name(), &about(command))).collect()
}
