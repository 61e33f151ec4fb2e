//! Safety: what its texts want, what keeps it from the machine, and whether it gives away what it should not.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crib_mcp::Method;
use crib_model::{Code, Fault};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::results::Results;
use super::{Cap, Part, Subject};
use crate::lint::Rule;
use crate::probe;
use crate::tap::{Body, Direction, Seen, Sink};
use crate::target::{Confinement, Target, Way};

/// Read-only tools that are called to see what they tell.
const CALLS_MAX: usize = 12;
/// Longest wait for one of them.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Values of headers shorter than this are words, not secrets.
const SECRET_CHARS_MIN: usize = 12;
/// The variable that holds the secret of a command.
const VARIABLE: &str = "TOOLCRIB_CANARY_TOKEN";

/// Secrets that a server is given and must not tell, and a file it must not read.
pub(super) struct Canary {
    secret: String,
    /// What the user's own headers hold.
    headers: Vec<String>,
    told: Arc<Mutex<Option<String>>>,
    folder: PathBuf,
    text: String,
}

// === impl Canary ===

impl Canary {
    pub(super) fn new(target: &Target) -> Result<Self, Fault> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = format!("{:?} {} {}", unix, std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let hash = blake3::hash(seed.as_bytes()).to_hex();
        let (secret, text): (String, String) = (hash.chars().take(24).collect(), hash.chars().skip(24).take(24).collect());
        let folder = std::env::temp_dir().join(format!("toolcrib-probe-{}", text.chars().take(8).collect::<String>()));
        let failed =
            |error: std::io::Error| Fault::new(Code::GradeUnusable, format!("`{}` cannot be written", folder.display())).because(error);
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join("outside.txt"), format!("outside {text}\n")).map_err(failed)?;
        let headers = match &target.way {
            Way::Url { headers, .. } => {
                headers.iter().map(|(_, value)| bare(value)).filter(|value| value.len() >= SECRET_CHARS_MIN).collect()
            }
            Way::Command(_) | Way::Here(_) => Vec::new(),
        };
        Ok(Self { secret: format!("canary-{secret}"), headers, told: Arc::default(), folder, text })
    }

    /// Gives the secret to a command.
    pub(super) fn mark(&self, target: &Target) -> Target {
        let mut target = target.clone();
        if let Way::Command(command) = &mut target.way {
            command.env.push((VARIABLE.to_owned(), self.secret.clone()));
        }
        target
    }

    /// Listens for the secrets in what the server sends.
    pub(super) fn sink(&self) -> Sink {
        let (told, secrets) = (Arc::clone(&self.told), self.secrets());
        Arc::new(move |seen: &Seen| {
            if seen.direction == Direction::Out {
                return;
            }
            let text = match &seen.body {
                Body::Json(json) => json.as_str(),
                Body::Text(text) => text.as_str(),
            };
            if secrets.iter().any(|secret| text.contains(secret.as_str())) {
                let method = seen.method.as_deref().unwrap_or("a message");
                let about = seen.about.as_deref().map(|about| format!(" {about}")).unwrap_or_default();
                told.lock().get_or_insert(format!("in the answer to {method}{about}"));
            }
        })
    }

    fn secrets(&self) -> Vec<String> {
        self.headers.iter().cloned().chain([self.secret.clone()]).collect()
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // What is left in the folder for temporary files hurts nobody.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Returns a header's value without its scheme.
fn bare(value: &str) -> String {
    value.rsplit(' ').next().unwrap_or(value).to_owned()
}

pub(super) async fn measure(subject: &Subject<'_>, caps: &mut Vec<(Cap, String)>, results: &mut Results) -> Result<Part, Fault> {
    let mut part = Part::new("Safety", 20.0);
    poison(subject, &mut part, caps);
    match subject.target.origin.confinement {
        Confinement::Sandboxed => part.earned(4.0, 1.0, "confinement", "it runs in the sandbox"),
        Confinement::Unconfined if matches!(subject.target.way, Way::Here(_)) => part.unknown(4.0, "confinement", "it is built in"),
        Confinement::Unconfined => part.earned(4.0, 0.0, "confinement", "it can do what you can; run it from its package to confine it"),
        Confinement::Elsewhere => part.unknown(4.0, "confinement", "it runs elsewhere"),
    }
    call_reads(subject, results).await?;
    escape(subject, &mut part, caps).await?;
    echo(subject, &mut part, caps);
    Ok(part)
}

fn poison(subject: &Subject<'_>, part: &mut Part, caps: &mut Vec<(Cap, String)>) {
    let sure: Vec<_> = subject.lint.of(Rule::Poison).collect();
    let doubtful = subject.lint.of(Rule::Suspicious).count();
    match (sure.first(), doubtful) {
        (Some(first), _) => {
            let about = first.about.as_deref().unwrap_or("the server");
            let found = format!("{} sure signs; {about} {}", sure.len(), first.message);
            part.earned(8.0, 0.0, "texts", found.clone());
            caps.push((Cap::F, format!("its texts speak to the model: {found}")));
        }
        (None, 0) => part.earned(8.0, 1.0, "texts", "nothing that speaks to the model"),
        (None, 1) => part.earned(8.0, 0.75, "texts", "1 doubtful sign"),
        (None, count) => part.earned(8.0, if count == 2 { 0.5 } else { 0.25 }, "texts", format!("{count} doubtful signs")),
    }
}

/// Calls tools that change nothing, to see what they tell.
async fn call_reads(subject: &Subject<'_>, results: &mut Results) -> Result<(), Fault> {
    let reads = subject.overview.tools.iter().filter(|tool| probe::is_read_only(tool));
    let calls = reads.filter_map(|tool| Some((tool, probe::name(tool)?, probe::arguments(tool)?)));
    for (tool, name, arguments) in calls.take(CALLS_MAX) {
        let reply = call(subject, name, arguments).await?;
        if let Some(result) = reply.as_ref().filter(|reply| !reply.is_tool_error()).and_then(|reply| reply.outcome.as_ref().ok()) {
            results.look(tool, result);
        }
    }
    Ok(())
}

/// Calls a tool; what it takes too long for is given up.
async fn call(subject: &Subject<'_>, name: &str, arguments: Value) -> Result<Option<crate::client::Reply>, Fault> {
    let params = subject.client.with_meta(json!({ "name": name, "arguments": arguments }));
    let deadline = Instant::now() + CALL_TIMEOUT.min(subject.options.timeout);
    match subject.client.send(Method::ToolsCall.as_str(), &params, deadline).await {
        Ok(reply) => Ok(Some(reply)),
        Err(fault) if matches!(fault.code(), Code::ServerGone | Code::ServerUnreachable) => Err(fault),
        Err(_) => Ok(None),
    }
}

/// Asks tools that take paths, and change nothing, for a file of ours that is none of theirs.
async fn escape(subject: &Subject<'_>, part: &mut Part, caps: &mut Vec<(Cap, String)>) -> Result<(), Fault> {
    let mut asked = 0;
    let file = subject.canary.folder.join("outside.txt").display().to_string();
    for tool in subject.overview.tools.iter().filter(|tool| probe::is_read_only(tool)) {
        let (Some(name), Some(parameter)) = (probe::name(tool), path_parameter(tool)) else { continue };
        let paths = [file.clone(), format!("{}{file}", "../".repeat(16).trim_end_matches('/')), format!("file://{file}")];
        for path in paths {
            asked += 1;
            let reply = call(subject, name, json!({ parameter: path })).await?;
            let is_told = reply
                .as_ref()
                .is_some_and(|reply| reply.outcome.as_ref().is_ok_and(|result| result.to_string().contains(&subject.canary.text)));
            if is_told {
                let found = format!("{name} reads files it was not given: {path}");
                part.earned(4.0, 0.0, "paths", found.clone());
                caps.push((Cap::D, found));
                return Ok(());
            }
        }
        if asked >= CALLS_MAX {
            break;
        }
    }
    if asked == 0 {
        part.unknown(4.0, "paths", "no read-only tool takes one");
    } else {
        part.earned(4.0, 1.0, "paths", format!("{asked} requests for a file outside were refused"));
    }
    Ok(())
}

/// Returns the one parameter of a tool that takes a path, where it needs no other.
fn path_parameter(tool: &Value) -> Option<&str> {
    let is_path = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["path", "file", "filename", "file_path", "filepath", "uri"].contains(&name.as_str())
    };
    let (name, _) = probe::properties(tool)?.iter().find(|(name, schema)| is_path(name) && schema.get("type") == Some(&json!("string")))?;
    probe::required(tool).iter().all(|required| required == name).then_some(name)
}

fn echo(subject: &Subject<'_>, part: &mut Part, caps: &mut Vec<(Cap, String)>) {
    let is_given = match &subject.target.way {
        // In the sandbox it never sees the variable.
        Way::Command(_) => subject.target.origin.confinement != Confinement::Sandboxed,
        Way::Url { .. } => !subject.canary.headers.is_empty(),
        Way::Here(_) => false,
    };
    let told = subject.canary.told.lock().clone();
    match (told, is_given) {
        (Some(place), _) => {
            part.earned(4.0, 0.0, "secrets", format!("it tells a secret it was given, {place}"));
            caps.push((Cap::D, format!("it tells a secret it was given, {place}")));
        }
        (None, true) => part.earned(4.0, 1.0, "secrets", "a secret it was given is in no answer"),
        (None, false) => part.unknown(4.0, "secrets", "it was given none"),
    }
}
