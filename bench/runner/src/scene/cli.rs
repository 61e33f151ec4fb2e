//! The program at a prompt: how long it takes to start, and to call a tool of a running gateway.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::peers::{Bench, KEY, TOOLCRIB};
use crate::record::Records;
use crate::scene::config;

const TIMES: usize = 20;

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let url = format!("http://127.0.0.1:{TOOLCRIB}");
    let version = time(bench.toolcrib_binary(), &["--version"], &url)?;
    records.add_value("ms, toolcrib --version", "toolcrib", version)?;
    let _backends = bench.backends()?;
    let _toolcrib = bench.toolcrib(&bench.gateway_core(), "cli", &config::both_eras())?;
    let call = time(bench.toolcrib_binary(), &["call", "modern.echo", "message=hello"], &url)?;
    records.add_value("ms, toolcrib call", "toolcrib", call)
}

/// Returns the median time of a command in milliseconds.
fn time(program: &Path, args: &[&str], url: &str) -> Result<f64> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let mut command = Command::new(program);
        command.args(args).env("TOOLCRIB_URL", url).env("TOOLCRIB_KEY", KEY).stdin(Stdio::null());
        let start = Instant::now();
        let output = command.output().with_context(|| format!("cannot start `{}`", program.display()))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if !output.status.success() {
            bail!("`toolcrib {}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMES / 2])
}
