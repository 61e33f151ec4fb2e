//! `cargo xtask bench`: builds the gateway and the bench workspace, then runs the comparison.

use anyhow::Result;

use crate::{setup, sh, test};

/// Runs the comparison; its options are those of `bench/runner`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let nginx = setup::nginx();
    if let Err(error) = &nginx {
        sh::say(&format!("skipped: nginx: {error:#}"));
    }
    sh::run(&mut sh::cargo(&["build", "--locked", "--release", "--package", "crib-cli"]))?;
    sh::run(&mut sh::cargo(&["build", "--locked", "--release", "--manifest-path", "bench/Cargo.toml"]))?;
    let bin = sh::root().join("bench/target/release");
    let mut runner = sh::command(bin.join("mcp-bench"), args);
    runner.env("TOOLCRIB_BIN", test::target().join("release/toolcrib")).env("BENCH_BIN", &bin);
    if let Ok((binary, libraries)) = nginx {
        runner.env("NGINX_BIN", binary);
        if let Some(libraries) = libraries {
            runner.env("NGINX_LIBRARIES", libraries);
        }
    }
    sh::run(&mut runner)
}
