//! What consoles tell, and, where other systems have signals, a pipe that is named after the process.
//!
//! The system lets nobody but its user and administrators write to such a pipe, and nobody from another machine.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
use tokio::time::timeout;

use super::Wish;

/// How long whoever has connected may take to say what it wants.
const READ: Duration = Duration::from_secs(1);
/// How long a pipe rests that cannot be read.
const PAUSE: Duration = Duration::from_secs(1);
/// `ERROR_PIPE_BUSY`.
const BUSY: i32 = 231;
/// `SECURITY_IDENTIFICATION`: whoever has the pipe may know who writes, and not act as they.
const IDENTIFICATION: u32 = 0x0001_0000;
/// `CREATE_NO_WINDOW`.
const NO_WINDOW: u32 = 0x0800_0000;

/// What is listened to from here on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
    /// None where somebody else has the name; consoles are heard all the same.
    pipe: Option<NamedPipeServer>,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let mut options = ServerOptions::new();
        options.access_outbound(false).first_pipe_instance(true).reject_remote_clients(true).max_instances(1);
        let pipe = options.create(name(std::process::id()));
        if let Err(error) = &pipe {
            tracing::warn!(%error, "other commands cannot ask this one to end");
        }
        Ok(Self { interrupt: ctrl_c()?, stop: ctrl_break()?, close: ctrl_close()?, shutdown: ctrl_shutdown()?, pipe: pipe.ok() })
    }

    /// Listens as a gateway: consoles and the pipe tell the same here.
    pub(crate) fn serving() -> io::Result<Self> {
        Self::new()
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Interrupt,
            _ = self.stop.recv() => Wish::Terminate,
            _ = self.close.recv() => Wish::Terminate,
            _ = self.shutdown.recv() => Wish::Terminate,
            wish = asked(self.pipe.as_mut()) => wish,
        }
    }
}

/// Waits for somebody who writes to the pipe. Dropped in between, it finds them there again.
async fn asked(pipe: Option<&mut NamedPipeServer>) -> Wish {
    let Some(pipe) = pipe else { return std::future::pending().await };
    loop {
        if pipe.connect().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        let word = timeout(READ, pipe.read_u8()).await;
        // It is for the next one, whatever this one has said.
        drop(pipe.disconnect());
        match word {
            Ok(Ok(b'i')) => return Wish::Interrupt,
            Ok(Ok(b't')) => return Wish::Terminate,
            Ok(Ok(b'r')) => return Wish::Reload,
            Ok(Ok(_) | Err(_)) | Err(_) => {}
        }
    }
}

fn name(pid: u32) -> String {
    format!(r"\\.\pipe\toolcrib-{pid}")
}

/// Asks another process; one that is gone is asked in vain, and one that listens to somebody else is busy.
pub(crate) fn ask(pid: i32, wish: Wish) -> io::Result<()> {
    let word = match wish {
        Wish::Interrupt => b"i",
        Wish::Terminate => b"t",
        Wish::Reload => b"r",
    };
    match OpenOptions::new().write(true).security_qos_flags(IDENTIFICATION).open(name(pid.unsigned_abs())) {
        Ok(mut pipe) => pipe.write_all(word),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.raw_os_error() == Some(BUSY) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(error) => Err(error),
    }
}

/// Ends another process without asking; its job ends what it has started.
pub(crate) fn kill(pid: i32) -> io::Result<()> {
    use std::os::windows::process::CommandExt as _;
    let system = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    let mut command = Command::new(system.join("System32").join("taskkill.exe"));
    command.args(["/F", "/PID", &pid.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // One that is gone is no failure, and one that stays is seen by its lock.
    command.creation_flags(NO_WINDOW).status().map(drop)
}
