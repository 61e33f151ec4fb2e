//! The gateway's side: the command line that starts a spec through the launcher.

use std::path::Path;
use std::process::{Command, Stdio};

use crib_model::{Code, Fault};

use crate::{Report, Spec};

/// The first argument by which the binary knows that it is to be the launcher.
pub const ENTRY: &str = "__sandbox";
/// The variable that carries the spec: arguments can be read by everyone on the machine, an environment cannot.
pub(crate) const SPEC: &str = "TOOLCRIB_SANDBOX";
/// Variables of the system without which hardly a program of Windows starts; a spec may have others in their place.
pub(crate) const SYSTEM: &[&str] =
    if cfg!(windows) { &["SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "USERPROFILE", "TEMP", "TMP"] } else { &[] };
/// The kernel takes no longer variable than 128 KiB.
const SPEC_BYTES_MAX: usize = 120 * 1024;

/// A command to be started as it stands, with this environment and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub program: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

/// Returns the command that starts a spec. `launcher` is a binary that calls [`crate::enter`] for [`ENTRY`].
///
/// # Errors
/// TC0509 for a spec too large to be handed over.
pub fn command(launcher: &Path, spec: &Spec) -> Result<Launch, Fault> {
    launch(launcher, spec, "run")
}

/// Tries a spec without starting its program, and returns what holds.
///
/// Waits for two processes to start and end, some ten milliseconds.
///
/// # Errors
/// TC0509 when the launcher cannot be started or does not answer.
pub fn measure(launcher: &Path, spec: &Spec) -> Result<Report, Fault> {
    let launch = launch(launcher, spec, "measure")?;
    let failed = || Fault::new(Code::SandboxFailed, "the sandbox cannot be tried out");
    let output = Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(launch.env)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed().because(error))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        failed().because(output.status).because(if said.trim().is_empty() { error.to_string() } else { said.trim().to_owned() })
    })
}

fn launch(launcher: &Path, spec: &Spec, verb: &str) -> Result<Launch, Fault> {
    let failed = |why: String| Fault::new(Code::SandboxFailed, "the sandbox cannot be told what to do").because(why);
    let text = serde_json::to_string(spec).map_err(|error| failed(error.to_string()))?;
    if text.len() > SPEC_BYTES_MAX {
        return Err(failed(format!("arguments, environment and grants take {} bytes; {SPEC_BYTES_MAX} is the most", text.len())));
    }
    let mut env = vec![(SPEC.to_owned(), text)];
    env.extend(SYSTEM.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?.into_string().ok()?))));
    Ok(Launch { program: launcher.display().to_string(), args: vec![ENTRY.to_owned(), verb.to_owned()], env })
}
