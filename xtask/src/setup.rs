//! `cargo xtask setup`: what the tests need beyond Rust, pinned and cached inside the checkout.
//!
//! Each source (Debian, npm, PyPI, crates.io) either becomes ready or adds a line to [`Ready::skipped`]; the
//! tests that need what is missing then say that they were skipped.

mod debian;
mod fuzz;
mod npm;
mod pypi;

pub(crate) use debian::nginx;
pub(crate) use fuzz::command as cargo_fuzz;

use std::path::PathBuf;

use anyhow::Result;

use crate::sh;

/// What the tests find on this machine.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// Variables the tests read; see `CONTRIBUTING.md` for what each one means.
    pub(crate) env: Vec<(&'static str, PathBuf)>,
    /// What could not be had, in words.
    pub(crate) skipped: Vec<String>,
}

/// Installs everything that is not installed yet.
pub(crate) fn run(_args: &[String]) -> Result<()> {
    let ready = prepare();
    for (name, path) in &ready.env {
        sh::say(&format!("export {name}={}", path.display()));
    }
    report(&ready);
    anyhow::ensure!(!ready.env.is_empty(), "nothing could be installed");
    Ok(())
}

/// Makes ready what can be made ready; never fails, because the Rust tests run on any machine.
pub(crate) fn prepare() -> Ready {
    let mut ready = Ready::default();
    debian::prepare(&mut ready);
    npm::prepare(&mut ready);
    pypi::prepare(&mut ready);
    fuzz::prepare(&mut ready);
    ready
}

/// Returns what earlier runs have installed, and installs nothing.
pub(crate) fn installed() -> Ready {
    let mut ready = Ready::default();
    let found = [npm::installed(), pypi::installed()];
    for env in found.into_iter().flatten() {
        ready.env.extend(env);
    }
    if ready.env.is_empty() {
        ready.skipped.push("everything from npm and PyPI: not installed (cargo xtask setup)".to_owned());
    }
    ready
}

/// Says what could not be had.
pub(crate) fn report(ready: &Ready) {
    for line in &ready.skipped {
        sh::say(&format!("skipped: {line}"));
    }
}

/// Returns whether `stamp` holds exactly `pins`: what is installed there is what is asked for.
fn is_current(stamp: &std::path::Path, pins: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|found| found == pins)
}
