//! The client's own word for whether it is connected.

use std::path::Path;
use std::time::{Duration, Instant};

use crib_clients::{Checker, Scope, find};
use crib_transport::{Child, CommandLine};

use super::Task;
use super::view::{Done, Report};
use crate::failure::Failure;
use crate::output::Output;
use crate::places::program;
use crate::{gateway, runtime};

/// Longest wait for a client's answer. Some start every server they know.
const WAIT: Duration = Duration::from_secs(30);
/// Longest wait for a client that was told to stop.
const GRACE: Duration = Duration::from_millis(500);
const LINE_BYTES_MAX: usize = 1024 * 1024;
const LINES_MAX: usize = 10_000;
/// The client was asked in a directory in which it uses no servers.
const UNTRUSTED: &str = "read; it connects in folders it trusts";

/// Asks each client that was changed or was right already, all at once.
pub(super) fn all(task: &Task<'_>, report: &mut Report, output: &Output) -> Result<(), Failure> {
    let asked: Vec<(usize, Checker)> = report
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| matches!(line.done, Done::Added | Done::Updated | Done::Unchanged))
        .filter_map(|(at, line)| Some((at, find(&line.client)?.checker?)))
        .filter(|(_, checker)| program(checker.program).is_some())
        .collect();
    let leads_here = !task.args.stdio && report.lines.iter().any(|line| find(&line.client).is_some_and(crib_clients::Client::takes_urls));
    if asked.is_empty() && !leads_here {
        return Ok(());
    }
    let name = task.args.name.as_str();
    // Clients start what the files of their directory name: only a directory that was asked for is one of trust.
    let directory = if task.scope == Scope::Project { &task.places.project } else { &task.places.home };
    let (is_running, answers) = runtime::on_all_cores(async {
        let is_running = task.args.stdio || gateway::look(&task.endpoint, None).await.is_some();
        let mut answers = Vec::new();
        if !asked.is_empty() {
            output.say("asking the clients …");
        }
        let questions = asked.iter().map(|(at, checker)| async move { (*at, ask(checker, name, directory, is_running).await) });
        for (at, answer) in futures_util::future::join_all(questions).await {
            answers.push((at, answer));
        }
        Ok::<_, Failure>((is_running, answers))
    })?;
    for (at, answer) in answers {
        if let Some(line) = report.lines.get_mut(at) {
            line.check = answer;
        }
    }
    report.is_gateway_missing = leads_here && !is_running;
    Ok(())
}

async fn ask(checker: &Checker, name: &str, directory: &Path, is_running: bool) -> Option<String> {
    if checker.connects && !is_running {
        return None;
    }
    let path = program(checker.program)?;
    let env = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    let args = checker.args.iter().map(|arg| (*arg).to_owned()).collect();
    let command = CommandLine { program: path.display().to_string(), args, env, cwd: Some(directory.to_owned()) };
    let mut child = Child::spawn(&command, checker.program, LINE_BYTES_MAX).ok()?;
    let deadline = Instant::now() + WAIT;
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        match tokio::time::timeout_at(deadline.into(), child.recv()).await {
            Ok(Some(Ok(line))) => lines.push(String::from_utf8_lossy(&line).into_owned()),
            Ok(Some(Err(_))) => {}
            Ok(None) => break,
            Err(_) => {
                child.stop(GRACE).await;
                return Some(format!("no answer from `{}` in time", checker.program));
            }
        }
    }
    lines.extend(child.stderr_tail());
    child.stop(GRACE).await;
    Some(verdict(checker, name, &lines).unwrap_or_else(|| format!("`{} {}` does not list it", checker.program, checker.args.join(" "))))
}

/// Reads what a client says about an entry.
fn verdict(checker: &Checker, name: &str, lines: &[String]) -> Option<String> {
    if checker.args.contains(&"--json") {
        let text = lines.join("\n");
        let start = text.find('[')?;
        let mut documents = serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<serde_json::Value>();
        let document = documents.next()?.ok()?;
        let entry = document.as_array()?.iter().find(|entry| entry.get("name").and_then(serde_json::Value::as_str) == Some(name))?;
        let is_on = entry.get("enabled").and_then(serde_json::Value::as_bool) != Some(false);
        return Some(if is_on { "read" } else { "switched off" }.to_owned());
    }
    let line = lines.iter().map(|line| plain(line)).find(|line| names(line, name))?;
    let low = line.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    let is_untrusted = lines.iter().any(|line| line.contains("untrusted"));
    Some(if is_untrusted && has(&["disabled"]) {
        UNTRUSTED.to_owned()
    } else if has(&["disabled"]) {
        "switched off in the client".to_owned()
    } else if has(&["disconnected", "not connected", "failed", "error", "✗", "✘"]) {
        "not connected".to_owned()
    } else if has(&["pending"]) {
        "waits for your approval in the client".to_owned()
    } else if has(&["auth"]) {
        "needs authentication".to_owned()
    } else if has(&["connected", "✓", "✔"]) {
        "connected".to_owned()
    } else {
        "listed".to_owned()
    })
}

/// Returns whether the line is about the entry of this name, and not about one that only begins like it.
fn names(line: &str, name: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').filter(|word| !word.is_empty());
    words.next() == Some(name)
}

/// Takes the colours out of a line.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A sequence ends with its first letter.
            chars.find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns whether an answer is a good one.
pub(super) fn is_good(answer: &str) -> bool {
    matches!(answer, "connected" | "read" | "listed" | UNTRUSTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: Checker = Checker { program: "x", args: &["mcp", "list"], connects: true };

    fn said(text: &str) -> Option<String> {
        verdict(&LISTS, "toolcrib", &text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_clients_say_is_understood() {
        assert_eq!(said("\u{1b}[32m✓\u{1b}[0m toolcrib: http://127.0.0.1:8665/mcp (http) - Connected").as_deref(), Some("connected"));
        assert_eq!(said("✗ toolcrib: http://127.0.0.1:8665/mcp (http) - Disconnected").as_deref(), Some("not connected"));
        assert_eq!(said("●  ✓ toolcrib \u{1b}[90mconnected").as_deref(), Some("connected"));
        assert_eq!(said("●  ✗ toolcrib failed").as_deref(), Some("not connected"));
        assert_eq!(said("toolcrib: http://127.0.0.1:8665/mcp (HTTP) - ✔ Connected").as_deref(), Some("connected"));
        assert_eq!(said("toolcrib: http://x/mcp (HTTP) - ⏸ Pending approval").as_deref(), Some("waits for your approval in the client"));
        assert_eq!(said("○ toolcrib: http://x/mcp (http) - Disabled").as_deref(), Some("switched off in the client"));
        assert_eq!(
            said("MCP servers are off in untrusted folders\n○ toolcrib: http://x/mcp (http) - Disabled").as_deref(),
            Some(UNTRUSTED)
        );
        assert_eq!(said("✓ toolcrib-two: http://x/mcp (http) - Connected"), None);
        assert_eq!(said("other: /usr/bin/toolcrib serve - Connected"), None);
    }

    #[test]
    fn codex_says_it_in_json() {
        let checker = Checker { program: "codex", args: &["mcp", "list", "--json"], connects: false };
        let said = |text: &str| verdict(&checker, "toolcrib", &[text.to_owned()]);
        assert_eq!(said("[{\"name\": \"toolcrib\", \"enabled\": true}]\nWARNING: x").as_deref(), Some("read"));
        assert_eq!(said("[{\"name\": \"toolcrib\", \"enabled\": false}]").as_deref(), Some("switched off"));
        assert_eq!(said("[]"), None);
    }
}
