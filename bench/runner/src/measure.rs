//! Running the load generator and reading the processes at its marks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::machine;
use crate::process::{Process, pinned};
use crate::record::Record;

pub(crate) const LEGACY: &str = "2025-11-25";
pub(crate) const MODERN: &str = "2026-07-28";

/// How long one measurement takes.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warmup: f64,
    pub(crate) seconds: f64,
}

/// One kind of load on one endpoint.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) cell: String,
    pub(crate) peer: &'static str,
    pub(crate) url: String,
    pub(crate) version: &'static str,
    pub(crate) conns: usize,
    /// More arguments of the load generator.
    pub(crate) more: Vec<String>,
}

/// The load generator of this run.
pub(crate) struct Generator {
    pub(crate) binary: PathBuf,
    pub(crate) cores: String,
    pub(crate) window: Window,
}

/// Where the cores' time went until now.
struct Snapshot {
    at: Instant,
    gateway: u64,
    tree: u64,
    load: u64,
}

impl Generator {
    fn command(&self, load: &Load) -> Command {
        let mut command = pinned(&self.cores, &self.binary);
        command.args(["--url", &load.url, "--version", load.version, "--conns", &load.conns.to_string()]).args(&load.more);
        command
    }

    /// Measures a load; `gateway` is absent where the load goes straight to the backend.
    pub(crate) fn measure(&self, load: &Load, gateway: Option<&Process>, backends: &[Process]) -> Result<Record> {
        let mut command = self.command(load);
        command.args(["--marks", "--warmup", &self.window.warmup.to_string(), "--duration", &self.window.seconds.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot start the load generator")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let mut marks = Vec::new();
        for line in BufReader::new(stderr).lines() {
            if line?.starts_with("MARK") {
                marks.push(snapshot(gateway, backends, child.id()));
            }
        }
        let mut out = String::new();
        child.stdout.take().context("no stdout")?.read_to_string(&mut out)?;
        child.wait()?;
        let counted: Value = serde_json::from_str(out.trim()).with_context(|| format!("the load generator said `{}`", out.trim()))?;
        let number = |name: &str| counted[name].as_f64().unwrap_or(0.0);
        let mut record = Record {
            cell: load.cell.clone(),
            peer: load.peer.to_owned(),
            conns: load.conns,
            ok: number("ok") as u64,
            errors: number("errors") as u64,
            rps: number("rps"),
            p50_us: number("p50_us"),
            p99_us: number("p99_us"),
            error: counted["samples"][0].as_str().unwrap_or_default().to_owned(),
            ..Record::default()
        };
        if let [before, after] = marks.as_slice()
            && record.ok > 0
        {
            let calls = record.ok as f64;
            let seconds = (after.at - before.at).as_secs_f64();
            record.cpu_us = (after.gateway - before.gateway) as f64 / 1e3 / calls;
            record.tree_cpu_us = after.tree.saturating_sub(before.tree) as f64 / 1e3 / calls;
            record.busy = (after.gateway - before.gateway) as f64 / 1e9 / seconds;
            record.load_busy = after.load.saturating_sub(before.load) as f64 / 1e9 / seconds;
        }
        Ok(record)
    }

    /// Runs the generator in one of its other modes and returns what it printed.
    pub(crate) fn ask(&self, load: &Load) -> Result<Value> {
        let output = self.command(load).output().context("cannot start the load generator")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Value = serde_json::from_str(text.trim()).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        if !output.status.success() {
            bail!("{answer}");
        }
        Ok(answer)
    }

    /// Starts the generator in a mode in which it waits for the endpoint.
    pub(crate) fn start(&self, load: &Load) -> Result<std::process::Child> {
        self.command(load).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("cannot start the load generator")
    }
}

fn snapshot(gateway: Option<&Process>, backends: &[Process], load: u32) -> Snapshot {
    // nginx serves in a child of the process that was started; a gateway's own children are its stdio servers.
    let tree = gateway.map(Process::tree).unwrap_or_default();
    let own: Vec<u32> = tree.iter().copied().filter(|pid| !is_backend(*pid)).collect();
    let mut others: Vec<u32> = backends.iter().map(Process::pid).collect();
    others.push(load);
    Snapshot { at: Instant::now(), gateway: machine::cpu_ns(&own), tree: machine::cpu_ns(&tree), load: machine::cpu_ns(&others) }
}

fn is_backend(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "mcp-echo")
}
