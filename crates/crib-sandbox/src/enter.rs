//! The launcher's entry: what the binary does when it is started as `toolcrib __sandbox`.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::launch::SPEC;
use crate::{Promise, Report, Spec};

/// How the launcher ends when it could not do its work, as shells do for a command that cannot be executed.
const REFUSED: u8 = 126;

/// What went wrong before the server was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the spec is missing or not valid: {0}")]
    Spec(String),
    #[error("{what}: {error}")]
    System { what: String, error: std::io::Error },
    #[error("`{promise}` is required and does not hold: {holds}")]
    Promise { promise: &'static str, holds: String },
}

impl Refusal {
    /// Says that a promise does not hold.
    pub(crate) fn unmet(promise: Promise, report: &Report) -> Self {
        let holds = report.holds(promise).map_or_else(|| "not established".to_owned(), ToString::to_string);
        Self::Promise { promise: promise.as_str(), holds }
    }
}

/// Tells whether every server sees this file or folder and can run what is there: programs and libraries of the machine.
#[must_use]
pub fn is_shown(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return crate::linux::is_shown(path);
    #[cfg(target_os = "macos")]
    return crate::macos::is_shown(path);
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    return crate::plain::is_shown(path);
}

/// Becomes the launcher; `args` are those after [`crate::ENTRY`]. Returns when the server has ended, with its status.
///
/// Call it first thing in `main`, before anything starts a thread.
#[must_use]
pub fn enter(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args = args.filter_map(|arg| arg.into_string().ok());
    let verb = args.next().unwrap_or_default();
    match read_spec().and_then(|spec| dispatch(&verb, args, &spec)) {
        Ok(code) => code,
        Err(refusal) => {
            // Standard error is all there is to tell it with; if that is gone, so is whoever would listen.
            drop(writeln!(std::io::stderr(), "toolcrib sandbox: {refusal}"));
            ExitCode::from(REFUSED)
        }
    }
}

fn read_spec() -> Result<Spec, Refusal> {
    let text = std::env::var_os(SPEC).ok_or_else(|| Refusal::Spec(format!("no `{SPEC}`")))?;
    serde_json::from_slice(text.as_encoded_bytes()).map_err(|error| Refusal::Spec(error.to_string()))
}

/// Refuses to go on where a required promise does not hold.
pub(crate) fn insist(spec: &Spec, report: &Report) -> Result<(), Refusal> {
    report.missing(&spec.require).map_or(Ok(()), |promise| Err(Refusal::unmet(promise, report)))
}

pub(crate) fn print(report: &Report) -> Result<(), Refusal> {
    let failed = |error| Refusal::System { what: "the report cannot be written".to_owned(), error };
    serde_json::to_writer(std::io::stdout(), report).map_err(|error| failed(error.into()))
}

#[cfg(target_os = "linux")]
fn dispatch(verb: &str, args: impl Iterator<Item = String>, spec: &Spec) -> Result<ExitCode, Refusal> {
    use crate::linux::{Purpose, inner, outer};
    match verb {
        "run" => outer(spec, Purpose::Run),
        "measure" => outer(spec, Purpose::Measure),
        "inner" => inner(spec, args),
        verb => Err(Refusal::Spec(format!("`{verb}` is not something the launcher does"))),
    }
}

#[cfg(target_os = "macos")]
use crate::macos::dispatch;

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn dispatch(verb: &str, _args: impl Iterator<Item = String>, spec: &Spec) -> Result<ExitCode, Refusal> {
    crate::plain::dispatch(verb, spec)
}
