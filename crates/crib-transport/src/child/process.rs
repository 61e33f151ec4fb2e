//! Starting, watching and ending the process behind a [`Child`].

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crib_model::{Code, Fault, Redaction};
use parking_lot::Mutex;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::group::{Group, ask_to_end};
use super::input::ChildInput;
use super::output::ChildOutput;
use super::stderr::{self, Tail};
use super::{Child, CommandLine, warden};

/// How long what a process left in its pipes is read after its exit. By then its whole group has been killed, so the
/// ends of the pipes come at once; only a process that left the group can keep them open.
pub(crate) const DRAIN: Duration = Duration::from_millis(50);
/// How long a process may take to die of SIGKILL before it is left to the kernel.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// A hold on a running or finished process. Cheap to clone.
#[derive(Clone)]
pub struct ChildHandle(Arc<Process>);

struct Process {
    pid: u32,
    name: String,
    input: ChildInput,
    stderr: Arc<Tail>,
    status: Mutex<Option<ExitStatus>>,
    /// Cancelled to have the group killed.
    kill: CancellationToken,
    /// Cancelled when the process has been reaped and the rest of its group killed.
    exited: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle").field("name", &self.0.name).field("pid", &self.0.pid).finish_non_exhaustive()
    }
}

pub(crate) fn spawn(command: &CommandLine, name: &str, line_bytes_max: usize, secrets: Redaction) -> Result<Child, Fault> {
    let mut process = start(command).map_err(|error| refused(command, name, &error))?;
    let failed = |error: &io::Error| Fault::new(Code::SpawnFailed, format!("`{name}` cannot be spoken to")).because(error);
    let (Some(pid), Some((stdin, stdout, stderr))) = (process.id(), process.take_pipes()) else {
        return Err(failed(&io::ErrorKind::BrokenPipe.into()));
    };
    warden::add(pid);
    let tasks = TaskTracker::new();
    let input = ChildInput::new(stdin, &tasks).map_err(|error| failed(&error))?;
    let (kill, exited) = (CancellationToken::new(), CancellationToken::new());
    let tail = Arc::new(Tail::default());
    let reading = tasks.spawn(stderr::read(stderr, stderr::Reader::new(name, Arc::clone(&tail), secrets), exited.clone()));
    let handle = ChildHandle(Arc::new(Process {
        pid,
        name: name.to_owned(),
        input: input.clone(),
        stderr: tail,
        status: Mutex::new(None),
        kill: kill.clone(),
        exited: exited.clone(),
        tasks,
    }));
    handle.0.tasks.spawn(keep(process, handle.clone()));
    handle.0.tasks.close();
    let output = ChildOutput::new(stdout, line_bytes_max, exited, reading, kill.drop_guard());
    tracing::debug!(server = name, pid, program = command.program, "started");
    Ok(Child { input, output, handle })
}

fn start(command: &CommandLine) -> io::Result<Group> {
    let mut builder = Command::new(&command.program);
    builder.args(&command.args).env_clear().envs(command.env.iter().map(|(name, value)| (name, value)));
    if let Some(owner) = warden::owner() {
        builder.env(warden::OWNER, owner);
    }
    if let Some(cwd) = &command.cwd {
        builder.current_dir(cwd);
    }
    builder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Group::spawn(builder)
}

fn refused(command: &CommandLine, name: &str, error: &io::Error) -> Fault {
    let program = &command.program;
    let fault = Fault::new(Code::SpawnFailed, format!("`{name}` cannot be started"));
    // The system says of both that a file is missing, and not which.
    if let Some(cwd) = command.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        return fault.because(format!("there is no folder `{}` to start it in", cwd.display())).hint("make it, or change `cwd`");
    }
    let fault = fault.because(format!("`{program}`: {error}"));
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound && program.contains('/') {
        return fault.hint(format!("`{program}` does not exist, or its interpreter does not"));
    }
    if kind == io::ErrorKind::NotFound {
        let path = command.env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
        return fault.hint(format!("`{program}` is not in PATH ({path}): install it or give its full path"));
    }
    if kind == io::ErrorKind::PermissionDenied {
        return fault.hint(format!("make it executable: chmod +x {program}"));
    }
    fault
}

/// Owns the process: reaps it, and leaves nothing of its group behind.
async fn keep(mut process: Group, handle: ChildHandle) {
    let this = &handle.0;
    let status = tokio::select! {
        status = process.wait() => status,
        () = this.kill.cancelled() => {
            process.kill();
            process.wait().await
        }
    };
    process.kill();
    warden::remove(this.pid);
    match status {
        Ok(status) => {
            tracing::debug!(server = this.name, pid = this.pid, %status, "exited");
            *this.status.lock() = Some(status);
        }
        Err(error) => tracing::warn!(server = this.name, pid = this.pid, %error, "cannot be waited for"),
    }
    this.input.abandon();
    this.exited.cancel();
}

impl ChildHandle {
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Returns the last lines of standard error, oldest first, control characters escaped.
    #[must_use]
    pub fn stderr_tail(&self) -> Vec<String> {
        self.0.stderr.lines()
    }

    /// Tells how the process ended; `None` while it runs.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *self.0.status.lock()
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.0.exited.is_cancelled()
    }

    /// Waits until the process has exited and been reaped, and its standard error has been read.
    pub async fn exited(&self) {
        self.0.exited.cancelled().await;
        tokio::time::timeout(DRAIN * 2, self.0.tasks.wait()).await.ok();
    }

    /// Ends the process and everything it started: closes its input and waits, then SIGTERM to the group and waits,
    /// then SIGKILL. Each wait lasts at most `grace`.
    pub async fn stop(&self, grace: Duration) {
        self.0.input.close();
        if tokio::time::timeout(grace, self.exited()).await.is_ok() {
            return;
        }
        ask_to_end(self.0.pid);
        if tokio::time::timeout(grace, self.exited()).await.is_ok() {
            return;
        }
        self.kill();
        if tokio::time::timeout(KILL_WAIT, self.exited()).await.is_err() {
            tracing::warn!(server = self.0.name, pid = self.0.pid, "does not die of SIGKILL");
        }
    }

    /// Kills the process and its group at once.
    pub fn kill(&self) {
        self.0.kill.cancel();
    }
}
