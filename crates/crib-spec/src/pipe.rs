//! A legacy client of a server over its standard input and output.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{client::oblige, wait::within};

/// Real servers start an interpreter first.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server and its pipes; dropping it kills the server.
#[derive(Debug)]
pub struct Pipe {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    next: u64,
    _child: Child,
}

impl Pipe {
    /// Starts a server.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args);
        Self::of(command).with_context(|| format!("start {}", program.display()))
    }

    /// Starts a server by a command with an environment and a folder of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().context("stdin")?;
        let stdout = child.stdout.take().context("stdout")?;
        Ok(Self { stdin, lines: BufReader::new(stdout).lines(), next: 1, _child: child })
    }

    /// Starts a server and runs the handshake.
    ///
    /// # Errors
    /// When the server does not answer it.
    pub async fn connect(program: &Path, args: &[&str], capabilities: Value) -> Result<Self> {
        let mut pipe = Self::start(program, args)?;
        pipe.initialize(capabilities).await?;
        Ok(pipe)
    }

    /// Runs the handshake.
    ///
    /// # Errors
    /// When the server does not answer it.
    pub async fn initialize(&mut self, capabilities: Value) -> Result<()> {
        let info = json!({ "name": "spec-client", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
        let reply = self.call("initialize", params).await?;
        anyhow::ensure!(reply["result"].is_object(), "initialize: {reply}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await
    }

    /// Writes one message.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn receive(&mut self) -> Result<Value> {
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line:?}"))
    }

    async fn line(&mut self) -> Result<String> {
        within(PATIENCE, "a line", self.lines.next_line()).await??.context("the server ended")
    }

    /// Sends a request and returns the reply, answering what the server asks meanwhile.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        Ok(serde_json::from_str(&self.call_text(method, params).await?)?)
    }

    /// Sends a request and returns the reply as it came.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn call_text(&mut self, method: &str, params: Value) -> Result<String> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        loop {
            let line = self.line().await?;
            let message: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line:?}"))?;
            if let Some(answer) = oblige(&message) {
                self.send(&answer).await?;
            } else if message["id"] == id {
                return Ok(line);
            }
        }
    }
}
