//! The programs that servers are commonly started with.

use std::time::{Duration, Instant};

use crib_transport::{Child, CommandLine};

use super::{Finding, Health};
use crate::failure::Failure;
use crate::places::program;
use crate::{runtime, world};

/// Longest wait for a version.
const WAIT: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_millis(200);
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A runtime, the programs that need it, and where it comes from.
const RUNTIMES: &[(&str, &[&str], &str)] = &[
    ("node", &["npx", "node", "npm", "bunx", "pnpm"], "https://nodejs.org"),
    ("uv", &["uvx", "uv"], "https://docs.astral.sh/uv"),
    ("docker", &["docker"], "https://docs.docker.com/get-docker"),
];

/// Looks for each runtime; one that is missing is a problem only where a server needs it.
pub(super) fn look(commands: &[String]) -> Result<Vec<Finding>, Failure> {
    let versions = runtime::on_all_cores(async {
        Ok::<_, Failure>(futures_util::future::join_all(RUNTIMES.iter().map(|(name, _, _)| version(name))).await)
    })?;
    let mut found = Vec::new();
    let mut findings = Vec::new();
    for ((name, programs, source), version) in RUNTIMES.iter().zip(versions) {
        let user = commands.iter().find(|command| programs.contains(&command.as_str()));
        match (version, user) {
            (Some(version), _) => found.push(format!("{name} {version}")),
            (None, Some(command)) => {
                let words = format!("{name} is not found, and a server is started with `{command}`");
                findings.push(Finding::new("runtimes", Health::Bad, words).fix(*source));
            }
            (None, None) => found.push(format!("no {name}")),
        }
    }
    if !found.is_empty() {
        let health = if found.iter().all(|found| found.starts_with("no ")) { Health::Plain } else { Health::Good };
        findings.insert(0, Finding::new("runtimes", health, found.join(", ")));
    }
    Ok(findings)
}

async fn version(name: &str) -> Option<String> {
    let path = program(name)?;
    let env = ["PATH", "HOME"].iter().filter_map(|name| Some(((*name).to_owned(), world::variable(name)?))).collect();
    let command = CommandLine { program: path.display().to_string(), args: vec!["--version".to_owned()], env, cwd: None };
    let mut child = Child::spawn(&command, name, LINE_BYTES_MAX).ok()?;
    let deadline = Instant::now() + WAIT;
    let line = tokio::time::timeout_at(deadline.into(), child.recv()).await;
    child.stop(GRACE).await;
    let line = line.ok()??.ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let word = line.split_whitespace().find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))?;
    Some(word.trim_start_matches('v').trim_end_matches(',').to_owned())
}
