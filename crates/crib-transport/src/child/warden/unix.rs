//! What ends the children of a gateway that was killed.
//!
//! A process cannot act on its own SIGKILL, so one small companion does: the warden is this program run with a hidden
//! command, started with the first child, in a process group of its own. It knows the process groups of the children
//! and waits for the end of its standard input, which the kernel closes when the gateway dies of whatever. Then it
//! kills the groups, and every process that carries the gateway's mark in its environment: those which left their
//! group, and those which were started in the very moment of the kill.
//!
//! One warden serves any number of children. A parent-death signal would not do: it reaches the direct child only (an
//! `npx` and not the server behind it), is lost on a change of credentials, follows the thread instead of the process,
//! and cannot be set up without unsafe code or an extra exec per child.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::WardenCommand;

/// The environment variable that marks the children of one gateway.
pub(crate) const OWNER: &str = "TOOLCRIB_OWNER";
/// How often the process table is searched for what was being started during the search before.
const SEARCHES_MAX: usize = 50;

static WARDEN: Mutex<Option<Warden>> = Mutex::new(None);

struct Warden {
    command: WardenCommand,
    owner: String,
    groups: BTreeSet<u32>,
    running: Option<Running>,
}

struct Running {
    process: Child,
    stdin: ChildStdin,
}

/// Has the children of this process killed when it dies, even of SIGKILL. Called once at the start of the program;
/// starts nothing before the first child.
pub fn watch_children(command: WardenCommand) {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let owner = format!("{}-{since:x}", std::process::id());
    *WARDEN.lock() = Some(Warden { command, owner, groups: BTreeSet::new(), running: None });
}

/// Ends the watch and the warden with it; children that are left are killed. Called last, at an orderly end, so that no
/// process outlives this one; blocks for as long as the warden takes, at most a second.
pub fn unwatch_children() {
    let running = WARDEN.lock().take().and_then(|warden| warden.running);
    let Some(Running { mut process, stdin }) = running else { return };
    drop(stdin);
    for _ in 0..100 {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    tracing::warn!(pid = process.id(), "the warden does not end");
}

/// Returns the mark for a child that is about to be started.
pub(crate) fn owner() -> Option<String> {
    let mut warden = WARDEN.lock();
    let warden = warden.as_mut()?;
    warden.make_run();
    Some(warden.owner.clone())
}

pub(crate) fn add(group: u32) {
    if let Some(warden) = WARDEN.lock().as_mut() {
        warden.groups.insert(group);
        warden.tell(&format!("+{group}\n"));
    }
}

pub(crate) fn remove(group: u32) {
    if let Some(warden) = WARDEN.lock().as_mut() {
        warden.groups.remove(&group);
        warden.tell(&format!("-{group}\n"));
    }
}

impl Warden {
    fn make_run(&mut self) {
        if self.running.as_mut().is_some_and(|running| matches!(running.process.try_wait(), Ok(None))) {
            return;
        }
        match self.start() {
            Ok(running) => self.running = Some(running),
            Err(error) => tracing::warn!(program = %self.command.program.display(), %error, "children are not watched"),
        }
    }

    fn start(&self) -> io::Result<Running> {
        let mut command = Command::new(&self.command.program);
        command.args(&self.command.args).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let mut stdin = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // A warden that was stopped must not stop the gateway.
        let flags = rustix::fs::fcntl_getfl(&stdin)?;
        rustix::fs::fcntl_setfl(&stdin, flags | rustix::fs::OFlags::NONBLOCK)?;
        let mut words = format!("={}\n", self.owner);
        words.extend(self.groups.iter().map(|group| format!("+{group}\n")));
        stdin.write_all(words.as_bytes())?;
        Ok(Running { process, stdin })
    }

    /// Tells the running warden; one that died is replaced, and the new one knows all groups from the start.
    fn tell(&mut self, word: &str) {
        let told = self.running.as_mut().is_some_and(|running| running.stdin.write_all(word.as_bytes()).is_ok());
        if !told {
            self.end_broken();
            self.make_run();
        }
    }

    fn end_broken(&mut self) {
        if let Some(mut running) = self.running.take() {
            let ended = running.process.kill().and_then(|()| running.process.wait());
            tracing::warn!(?ended, "the warden was lost");
        }
    }
}

/// The warden itself: waits for the end of its standard input and ends what is left. The hidden command calls this.
#[must_use]
pub fn run_warden() -> ExitCode {
    let mut owner = String::new();
    let mut groups = HashSet::new();
    for word in io::stdin().lock().lines().map_while(Result::ok) {
        let Some((kind, value)) = word.split_at_checked(1) else { continue };
        match (kind, value.parse::<i32>().ok().and_then(Pid::from_raw)) {
            ("=", _) => value.clone_into(&mut owner),
            ("+", Some(group)) => drop(groups.insert(group)),
            ("-", Some(group)) => drop(groups.remove(&group)),
            _ => {}
        }
    }
    for group in groups {
        // Gone already is as good.
        kill_process_group(group, Signal::KILL).ok();
    }
    if !owner.is_empty() {
        kill_marked(format!("{OWNER}={owner}").as_bytes());
    }
    ExitCode::SUCCESS
}

fn kill_marked(mark: &[u8]) {
    for _ in 0..SEARCHES_MAX {
        let found = marked(mark);
        if found.is_empty() {
            return;
        }
        for pid in found {
            kill_process(pid, Signal::KILL).ok();
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Finds the living processes that carry the mark. Empty where there is no `/proc`.
fn marked(mark: &[u8]) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| carries(*pid, mark)).filter_map(Pid::from_raw).collect()
}

fn carries(pid: i32, mark: &[u8]) -> bool {
    let environment = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ"));
    environment.is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == mark))
}
