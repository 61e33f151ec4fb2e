//! What to say about a command line that makes no sense.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Invocation;
use crate::failure::Failure;

const COMMANDS: &[&str] = &[
    "run",
    "serve",
    "list",
    "show",
    "call",
    "logs",
    "stop",
    "rm",
    "search",
    "pull",
    "connect",
    "new",
    "inspect",
    "doctor",
    "explain",
    "completion",
    "admin",
];

/// What people type who come from other tools, and what does it here.
const SYNONYMS: &[(&[&str], &str)] = &[
    (&["tools", "describe", "info", "get", "view"], "show"),
    (&["start", "launch"], "run"),
    (&["up", "gateway", "proxy", "server", "daemon"], "serve"),
    (&["ui", "open"], "serve"),
    (&["status", "servers", "health"], "list"),
    (&["log", "tail"], "logs"),
    (&["kill", "down", "shutdown", "quit"], "stop"),
    (&["delete", "unadd"], "rm"),
    (&["download", "upgrade", "fetch"], "pull"),
    (&["market", "marketplace", "discover", "browse"], "search"),
    (&["registries", "hub"], "registry ls"),
    (&["exec", "invoke", "execute", "tool"], "call"),
    (&["error", "errors", "why"], "explain"),
    (&["completions", "autocomplete"], "completion"),
    (&["client", "clients", "setup", "link"], "connect"),
    (&["disconnect", "unlink"], "connect --remove"),
    (&["import"], "connect --import"),
    (&["restore", "undo"], "connect --restore"),
    (&["scaffold", "generate", "template"], "new"),
    (&["diagnose", "troubleshoot", "fix"], "doctor"),
    (&["debug", "inspector", "lint", "grade", "replay"], "inspect"),
    (&["validate", "check"], "serve --check"),
    (&["config"], "schema"),
    (&["demo", "try", "example"], "run demo"),
];

/// Turns the parser's error into ours, or into the help that was asked for.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other kind of mistake is told in clap's words")]
pub(super) fn explain(error: &clap::Error) -> Result<Invocation, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Ok(Invocation::Print(crate::tongue::rendered(error.render().ansi().to_string())))
        }
        ErrorKind::InvalidSubcommand => match error.get(ContextKind::InvalidSubcommand) {
            Some(ContextValue::String(name)) => Err(unknown_command(name)),
            _ => Err(other(error)),
        },
        _ => Err(other(error)),
    }
}

pub(super) fn unknown_command(name: &str) -> Failure {
    let failure = Failure::usage(format!("`{name}` is not a command"));
    let known = SYNONYMS.iter().find(|(words, _)| words.contains(&name)).map(|(_, command)| *command);
    match known.or_else(|| crib_control::nearest(name, COMMANDS.iter().copied())) {
        Some(command) => failure.hint(format!("did you mean `toolcrib {command}`?")),
        None => {
            let (commands, topics) = (COMMANDS.join(", "), crate::manual::TOPICS.join(", "));
            failure.hint(format!("commands: {commands}   (toolcrib --help)\ntopics: {topics}   (toolcrib help TOPIC)"))
        }
    }
}

/// The parser's message without its decoration; the usage line becomes the hint.
fn other(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let failure = Failure::usage(message.trim().replace('\'', "`"));
    let hints: Vec<String> = rest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more") && !line.contains("as a value, use"))
        .map(|line| line.strip_prefix("tip: ").map_or_else(|| line.to_owned(), |tip| tip.replace('\'', "`")))
        .collect();
    if hints.is_empty() { failure } else { failure.hint(hints.join("\n")) }
}
