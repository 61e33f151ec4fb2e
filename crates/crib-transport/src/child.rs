//! Servers that are child processes: started, spoken to in lines, watched and ended.

mod group;
mod input;
mod memory;
mod output;
mod pipe;
mod process;
mod stderr;
#[cfg(test)]
mod tests;
mod warden;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_model::{Fault, Redaction};

pub use input::{ChildInput, Gone};
pub use memory::Processes;
pub use output::{ChildOutput, LineError};
pub use process::ChildHandle;
pub use warden::{WardenCommand, run_warden, unwatch_children, watch_children};

/// A command and the whole of its surroundings: nothing is inherited but what stands here.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// A path, or a name looked up in the `PATH` of `env`.
    pub program: String,
    pub args: Vec<String>,
    /// The whole environment of the child. One variable is added, `TOOLCRIB_OWNER`, by which children are found when
    /// the gateway is killed.
    pub env: Vec<(String, String)>,
    pub cwd: Option<PathBuf>,
}

impl fmt::Debug for CommandLine {
    /// Leaves out the values of the environment: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CommandLine")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &names)
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// A running server.
///
/// Its standard input and output carry lines, its standard error is kept for people. It leads a process group of its
/// own; stopping it, or dropping its [`ChildOutput`], ends the whole group. When this process is killed, the warden
/// (see [`watch_children`]) ends the group.
#[derive(Debug)]
pub struct Child {
    input: ChildInput,
    output: ChildOutput,
    handle: ChildHandle,
}

impl Child {
    /// Starts a command. `name` is the server as people know it.
    ///
    /// # Errors
    /// TC0202 when the command cannot be started.
    pub fn spawn(command: &CommandLine, name: &str, line_bytes_max: usize) -> Result<Self, Fault> {
        Self::spawn_redacted(command, name, line_bytes_max, Redaction::default())
    }

    /// The same, of a command that was given secrets: they are taken out of what it writes to standard error.
    ///
    /// # Errors
    /// See [`Child::spawn`].
    pub fn spawn_redacted(command: &CommandLine, name: &str, line_bytes_max: usize, secrets: Redaction) -> Result<Self, Fault> {
        process::spawn(command, name, line_bytes_max, secrets)
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.handle.pid()
    }

    /// Sends one message as one line.
    ///
    /// # Errors
    /// The child does not read any more.
    pub async fn send(&self, line: Chunks) -> Result<(), Gone> {
        self.input.send(line).await
    }

    /// Waits for the next line. See [`ChildOutput::recv`].
    pub async fn recv(&mut self) -> Option<Result<Bytes, LineError>> {
        self.output.recv().await
    }

    /// Returns the last lines of standard error.
    #[must_use]
    pub fn stderr_tail(&self) -> Vec<String> {
        self.handle.stderr_tail()
    }

    /// Ends the child and everything it started, politely first. See [`ChildHandle::stop`].
    pub async fn stop(self, grace: Duration) {
        self.handle.stop(grace).await;
    }

    /// Takes the child apart. The process lives until [`ChildOutput`] is dropped or [`ChildHandle::stop`] is called.
    #[must_use]
    pub fn split(self) -> (ChildInput, ChildOutput, ChildHandle) {
        (self.input, self.output, self.handle)
    }
}
