//! Job objects. The system ends what is in a job when its last handle is closed, so a gateway that is killed leaves
//! nothing behind and needs no warden.

use std::io;
use std::process::ExitStatus;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// A process in a job of its own.
#[derive(Debug)]
pub(in crate::child) struct Group {
    process: Box<dyn ChildWrapper>,
}

impl Group {
    pub(in crate::child) fn spawn(command: Command) -> io::Result<Self> {
        let process = CommandWrap::from(command).wrap(KillOnDrop).wrap(JobObject).spawn()?;
        Ok(Self { process })
    }

    pub(in crate::child) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    pub(in crate::child) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        Some((self.process.stdin().take()?, self.process.stdout().take()?, self.process.stderr().take()?))
    }

    /// Waits for the end of the process itself.
    pub(in crate::child) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.inner_mut().wait().await
    }

    /// Kills everything that is left.
    pub(in crate::child) fn kill(&mut self) {
        if let Err(error) = self.process.start_kill() {
            tracing::debug!(%error, "the job is over");
        }
    }
}

/// There is no way to ask: a closed input is what a process hears.
pub(in crate::child) fn ask_to_end(_: u32) {}
