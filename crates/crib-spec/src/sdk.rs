//! Clients on the official SDKs: each takes an order, goes through its steps, and returns one report.
//!
//! An order is `{era, transport, url | command and args, steps}`; a step is `{as, do}` with what `do` needs:
//! `call` (name, arguments, progress), `cancel` (a call that is taken back at its first progress), `read` (uri),
//! `prompt` (name, arguments), `complete` (params), `watch` (uri, or the list of tools without one; the tool `name`
//! makes the change). A report is `{server, lists, results, asked}`: what is offered, each step's result or
//! `{error: code}`, and the methods of what the client was asked.

mod rust;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{conformance, fixture::Era, settings, wait::within};

/// How long one order may take; interpreters start slowly on a loaded machine.
const RUN: Duration = Duration::from_secs(90);

/// An SDK a client can be written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// npm `@modelcontextprotocol/sdk` 1.x.
    TypeScript1,
    /// npm `@modelcontextprotocol/client` 2.x.
    TypeScript2,
    /// PyPI `mcp` 1.x.
    Python1,
    /// PyPI `mcp` 2.x.
    Python2,
    /// crates.io `rmcp` 3.x.
    Rust,
}

/// Where a client finds its server.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// Streamable HTTP.
    Http(String),
    /// HTTP+SSE of 2024-11-05.
    Sse(String),
    /// WebSocket, which is no transport of the specification.
    Socket(String),
    /// A command's standard input and output.
    Stdio(PathBuf, Vec<String>),
}

impl Carrier {
    fn order(&self, era: Era, steps: &[Value]) -> Value {
        let mut order = match self {
            Self::Http(url) => json!({ "transport": "http", "url": url }),
            Self::Sse(url) => json!({ "transport": "sse", "url": url }),
            Self::Socket(url) => json!({ "transport": "socket", "url": url }),
            Self::Stdio(program, args) => json!({ "transport": "stdio", "command": program, "args": args }),
        };
        order["era"] = json!(era.to_string());
        order["steps"] = json!(steps);
        order
    }
}

impl Sdk {
    /// Returns whether a client of this SDK can run here, or says why the test is skipped.
    #[must_use]
    pub fn is_installed(self, test: &str) -> bool {
        self == Self::Rust || self.command().inspect_err(|error| crate::skip(test, &format!("{error:#}"))).is_ok()
    }

    /// Goes through the steps and returns the report.
    ///
    /// # Errors
    /// When the client fails in a way no server should make it fail, or does not end.
    pub async fn run(self, carrier: &Carrier, era: Era, steps: &[Value]) -> Result<Value> {
        if self == Self::Rust {
            return within(RUN, "a client in Rust", rust::run(carrier, era, steps)).await?;
        }
        let mut command = self.command()?;
        command.arg(carrier.order(era, steps).to_string()).stdin(Stdio::null()).kill_on_drop(true);
        let output = within(RUN, "a client on an SDK", command.output()).await??;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{self:?}, {era}, {carrier:?}: {}\n{}", output.status, said());
        serde_json::from_slice(&output.stdout).with_context(said)
    }

    fn command(self) -> Result<Command> {
        let cache = settings::cache_dir();
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let (program, needs, script) = match self {
            Self::TypeScript1 => (conformance::node()?, "npm/node_modules/@modelcontextprotocol/sdk", "ts/legacy.mts"),
            Self::TypeScript2 => (conformance::node()?, "npm/node_modules/@modelcontextprotocol/client", "ts/modern.mts"),
            Self::Python1 => (cache.join("py1/bin/python3"), "py1/bin/mcp", "python/legacy.py"),
            Self::Python2 | Self::Rust => (cache.join("py/bin/python3"), "py/bin/mcp", "python/modern.py"),
        };
        let needs = cache.join(needs);
        ensure!(needs.exists(), "{} is not installed", needs.display());
        let mut command = Command::new(program);
        command.arg(clients.join(script));
        command.env("SPEC_MODULES", cache.join("npm")).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONWARNINGS", "ignore");
        Ok(command)
    }
}
