//! `cargo xtask bench`: builds the gateway and the bench workspace, then runs the comparison.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{setup, sh, test};

/// Runs the comparison; its options are those of `bench/runner`. `TOOLCRIB_BIN` names a gateway built elsewhere.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let nginx = setup::nginx();
    if let Err(error) = &nginx {
        sh::say(&format!("skipped: nginx: {error:#}"));
    }
    // The runner starts it in folders of its own.
    let given = sh::env("TOOLCRIB_BIN").map(PathBuf::from).map(|bin| bin.canonicalize().with_context(|| bin.display().to_string()));
    let given = given.transpose().context("TOOLCRIB_BIN")?;
    if given.is_none() {
        sh::run(&mut sh::cargo(&["build", "--locked", "--release", "--package", "crib-cli"]))?;
    }
    let toolcrib = given.unwrap_or_else(|| test::target().join("release/toolcrib"));
    sh::run(&mut sh::cargo(&["build", "--locked", "--release", "--manifest-path", "bench/Cargo.toml"]))?;
    let bin = sh::root().join("bench/target/release");
    let mut runner = sh::command(bin.join("mcp-bench"), args);
    runner.env("TOOLCRIB_BIN", toolcrib).env("BENCH_BIN", &bin);
    if let Ok((binary, libraries)) = nginx {
        runner.env("NGINX_BIN", binary);
        if let Some(libraries) = libraries {
            runner.env("NGINX_LIBRARIES", libraries);
        }
    }
    // The runner has said what is wrong, and its last line is the figure people look for.
    sh::run(&mut runner).map_err(|failure| failure.context(sh::Said))
}
