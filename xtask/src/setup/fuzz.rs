//! `cargo-fuzz`, where there is a nightly toolchain to run it with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::Ready;
use crate::sh;

const VERSION: &str = "0.13.2";

/// Installs `cargo-fuzz` into `.cache/cargo`, unless it is there or there is nothing to run it with.
pub(super) fn prepare(ready: &mut Ready) {
    if let Err(error) = install() {
        ready.skipped.push(format!("cargo-fuzz: {error:#}"));
    }
}

fn install() -> Result<()> {
    if sh::succeeds(&mut command(&["--version"])) {
        return Ok(());
    }
    let toolchains = sh::output(&mut sh::command("rustup", ["toolchain", "list"])).unwrap_or_default();
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        bail!("there is no nightly toolchain (rustup toolchain install nightly)");
    }
    sh::say("cargo: installing cargo-fuzz into .cache/cargo");
    let args = ["install", "--locked", "--quiet", "cargo-fuzz", "--version", VERSION, "--root"];
    sh::output(sh::patiently("cargo", args).arg(root())).map(drop)
}

/// Returns `cargo fuzz ARGS` of the nightly toolchain.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = sh::command("rustup", ["run", "nightly", "cargo", "fuzz"]);
    let path = sh::env("PATH").unwrap_or_default();
    let folders = std::iter::once(root().join("bin")).chain(std::env::split_paths(&path));
    // A path that cannot be joined stays as it is; `cargo fuzz` is then found in the usual places or not at all.
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command.args(args).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

fn root() -> PathBuf {
    sh::cache().join("cargo")
}
