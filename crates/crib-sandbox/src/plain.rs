//! The launcher of systems that have no sandbox yet: it says so, and starts the server with the granted environment where
//! somebody agreed.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::enter::{Refusal, insist, print};
use crate::launch::SYSTEM;
use crate::{Promise, Report, Spec};

/// Folders of the system's own programs.
const SHOWN: &[&str] = if cfg!(windows) { &["C:\\Windows", "C:\\Program Files", "C:\\Program Files (x86)"] } else { &["/usr"] };

/// Tells whether a path is part of what every server sees.
pub(crate) fn is_shown(path: &Path) -> bool {
    SHOWN.iter().any(|shown| path.starts_with(shown))
}

/// Measures, or starts the server and waits for it.
pub(crate) fn dispatch(verb: &str, spec: &Spec) -> Result<ExitCode, Refusal> {
    let report = report();
    if verb == "measure" {
        return print(&report).map(|()| ExitCode::SUCCESS);
    }
    insist(spec, &report)?;
    if spec.image.is_some() {
        return Err(Refusal::Spec("images are of Linux, and cannot be started by another system".to_owned()));
    }
    if !spec.unconfined {
        return Err(Refusal::unmet(Promise::Files, &report));
    }
    let mut command = Command::new(&spec.program);
    let needed = SYSTEM.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    command.args(&spec.args).env_clear().envs(needed).envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    let failed = |error| Refusal::System { what: format!("`{}` cannot be started", spec.program.display()), error };
    let status = command.status().map_err(failed)?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

#[cfg(windows)]
fn report() -> Report {
    crate::promised::on_windows()
}

#[cfg(not(windows))]
fn report() -> Report {
    let mut report = Report::nothing("there is no sandbox for this operating system yet");
    report.set(Promise::Environment, crate::Holds::yes("the launcher"));
    report
}
