//! Process groups.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// The leader of a group of its own.
#[derive(Debug)]
pub(in crate::child) struct Group {
    process: Child,
    leader: u32,
}

impl Group {
    pub(in crate::child) fn spawn(mut command: Command) -> io::Result<Self> {
        // A group of its own: a Ctrl-C at the terminal is the gateway's to handle, and the group is what gets killed.
        let process = command.process_group(0).kill_on_drop(true).spawn()?;
        let leader = process.id().unwrap_or_default();
        Ok(Self { process, leader })
    }

    pub(in crate::child) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    pub(in crate::child) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        Some((self.process.stdin.take()?, self.process.stdout.take()?, self.process.stderr.take()?))
    }

    /// Waits for the end of the process itself.
    pub(in crate::child) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Kills everything that is left.
    pub(in crate::child) fn kill(&mut self) {
        // The number of the group cannot have been given away yet: numbers are given in turn.
        signal(self.leader, Signal::KILL);
    }
}

/// Asks a group to end.
pub(in crate::child) fn ask_to_end(leader: u32) {
    signal(leader, Signal::TERM);
}

fn signal(leader: u32, signal: Signal) {
    let group = i32::try_from(leader).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = group.map(|group| kill_process_group(group, signal))
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(pid = leader, %error, "cannot be signalled");
    }
}
