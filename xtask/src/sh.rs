//! Running other programs, and talking to the person at the terminal.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A failure that another program has already told the person about, in its last lines.
#[derive(Debug)]
pub(crate) struct Said;

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("see above")
    }
}

impl std::error::Error for Said {}

/// Prints a line on stderr: stdout belongs to the programs that are run.
#[expect(clippy::print_stderr, reason = "a command line tool talks on its terminal")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Prints a heading of a step.
pub(crate) fn step(name: &str) {
    say(&format!("\n=== {name}"));
}

/// Returns the root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the folder of everything installed for tests and benches.
pub(crate) fn cache() -> PathBuf {
    root().join(".cache")
}

/// Returns a variable of the environment, `None` when unset or empty.
#[expect(clippy::disallowed_methods, reason = "the tasks have no configuration but their environment")]
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns where a program is on `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Returns a command that runs in the root of the checkout.
pub(crate) fn command<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// Returns a command that is ended after a quarter of an hour: what depends on the network may hang.
pub(crate) fn patiently<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = command("timeout", ["900"]);
    command.arg(program).args(args);
    command
}

/// Returns `cargo ARGS` of the toolchain that runs this program.
pub(crate) fn cargo(args: &[&str]) -> Command {
    command(env("CARGO").unwrap_or_else(|| "cargo".to_owned()), args)
}

/// Runs a command with its output on the terminal; any end but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and returns its stdout; on failure the error holds the end of its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = stderr.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join("\n  ");
        bail!("`{shown}` failed ({}): {tail}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns whether a command can be started and succeeds, without showing anything.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
