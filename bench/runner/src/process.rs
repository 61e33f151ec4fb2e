//! A process of the run: pinned to cores, logged to a file, ended when its owner is done with it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::machine;

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(8);

pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

/// Returns `program` so that it runs on these cores only.
pub(crate) fn pinned(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program).stdin(Stdio::null());
    command
}

/// Returns `program` so that it runs on these cores only and gives way to others by `nice`.
pub(crate) fn behind(cores: &str, nice: u8, program: &Path) -> Command {
    if nice == 0 {
        return pinned(cores, program);
    }
    let mut command = Command::new("nice");
    command.args(["-n", &nice.to_string(), "taskset", "-c", cores]).arg(program).stdin(Stdio::null());
    command
}

impl Process {
    /// Starts a command with its output in a log of the work folder.
    pub(crate) fn start(command: &mut Command, name: &str, work: &Path) -> Result<Self> {
        let log = work.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name: name.to_owned(), log })
    }

    /// Waits until somebody accepts connections on the port.
    pub(crate) fn wait_for(&mut self, port: u16) -> Result<()> {
        let until = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.tail());
            }
            if Instant::now() > until {
                bail!("{} does not listen on port {port}: {}", self.name, self.tail());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(4)..].join(" / ")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tree(&self) -> Vec<u32> {
        machine::tree(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let tree = self.tree();
        let signal = |pid: u32, signal| {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, signal);
            }
        };
        signal(self.pid(), Signal::TERM);
        let until = Instant::now() + STOP_LIMIT;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            eprintln!("{} did not end on SIGTERM", self.name);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for left in tree.iter().skip(1).filter(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            signal(*left, Signal::KILL);
        }
    }
}
