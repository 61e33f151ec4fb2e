//! The outer process: enters the namespaces, starts the inner process in them, and waits for its end or its owner's.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::SystemTime;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::FdFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, getegid, geteuid, getppid, pidfd_open};
use serde::{Deserialize, Serialize};

use super::group::Group;
use super::{Facts, Namespaces, failed, privilege};
use crate::enter::Refusal;
use crate::{ENTRY, Net, Spec};

/// Who the server is inside: a number that owns nothing outside.
pub(super) const INSIDE_ID: u32 = 1000;

/// Why the launcher was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To start the program.
    Run,
    /// To report what would hold.
    Measure,
}

pub(crate) fn outer(spec: &Spec, purpose: Purpose) -> Result<ExitCode, Refusal> {
    close_inherited()?;
    // Polite signals go to the whole group; the server answers them, and the launcher follows the server.
    let polite: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    polite.thread_block().map_err(io::Error::from).map_err(failed("signals cannot be held back"))?;
    let owner = getppid().and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let group = Group::make(&spec.limits);
    let namespaces = enter_namespaces(spec);
    let scratch = scratch();
    let (gate, opener) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from).map_err(failed("no pipe"))?;
    rustix::io::fcntl_setfd(&gate, FdFlags::empty()).map_err(io::Error::from).map_err(failed("no pipe"))?;
    let facts = Facts { purpose, namespaces, group: group.as_ref().map(Group::bounds), scratch: scratch.clone(), gate: gate.as_raw_fd() };
    let child = start(&facts);
    drop(gate);
    let status = child.and_then(|child| follow(child, group.as_ref(), opener, owner.as_ref()));
    if let Some(group) = group {
        group.remove();
    }
    // Usually there is none; what cannot be removed is in a folder of this start alone.
    drop(std::fs::remove_dir_all(scratch));
    Ok(code(status?))
}

/// Closes what was open in whoever started this process and was meant for nobody here.
fn close_inherited() -> Result<(), Refusal> {
    let open = std::fs::read_dir("/proc/self/fd").map_err(failed("open files cannot be listed"))?;
    let numbers: Vec<i32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The list names the descriptor it was read with, which is closed already.
        nix::unistd::close(number).ok();
    }
    Ok(())
}

fn start(facts: &Facts) -> Result<Child, Refusal> {
    let facts = serde_json::to_string(facts).map_err(|error| Refusal::Spec(error.to_string()))?;
    Command::new("/proc/self/exe").args([ENTRY, "inner", &facts]).spawn().map_err(failed("the launcher cannot start itself"))
}

/// Places the child, lets it go on, and waits until it or the owner of this process has ended.
fn follow(mut child: Child, group: Option<&Group>, opener: OwnedFd, owner: Option<&OwnedFd>) -> Result<ExitStatus, Refusal> {
    if let Some(group) = group {
        group.add(child.id()).map_err(failed("the server cannot be put into its control group"))?;
    }
    // A child that is gone already tells why by its status.
    rustix::io::write(&opener, b".").ok();
    let handle = i32::try_from(child.id()).ok().and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let (Some(handle), Some(owner)) = (handle, owner) {
        let is_orphan = wait_for_either(handle.as_fd(), owner.as_fd()).map_err(failed("the server cannot be waited for"))?;
        if is_orphan {
            drop(child.kill());
        }
    }
    let status = child.wait().map_err(failed("the server cannot be waited for"));
    // Held to the end: the inner process reads its closing as the death of this one.
    drop(opener);
    status
}

/// Returns whether the owner ended while the child is still there.
fn wait_for_either(child: impl AsFd, owner: impl AsFd) -> io::Result<bool> {
    let mut both = [PollFd::new(&child, PollFlags::IN), PollFd::new(&owner, PollFlags::IN)];
    loop {
        match poll(&mut both, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [child, owner] = &both;
        if !child.revents().is_empty() {
            return Ok(false);
        }
        if !owner.revents().is_empty() {
            return Ok(true);
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

fn enter_namespaces(spec: &Spec) -> Namespaces {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let inside = match &spec.image {
        // An engine wants to be root, if only of its own namespace.
        Some(image) if image.engine.is_some() => 0,
        image => image.as_ref().and_then(|image| image.user).unwrap_or(INSIDE_ID),
    };
    let mut flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if spec.net != Net::All {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    if let Err(error) = unshare(flags) {
        return Namespaces::Shared { why: format!("namespaces are not allowed here ({error})") };
    }
    let map = |file: &str, text: String| std::fs::write(Path::new("/proc/self").join(file), text);
    let mapped = map("setgroups", "deny".to_owned())
        .and_then(|()| map("uid_map", format!("{inside} {uid} 1")))
        .and_then(|()| map("gid_map", format!("{inside} {gid} 1")))
        .and_then(|()| privilege::hand_down());
    match mapped {
        Ok(()) => Namespaces::Own,
        Err(error) => Namespaces::Shared { why: format!("a user namespace cannot be set up here ({error})") },
    }
}

/// Returns a folder that the inner process makes where it has to. The number of a process is given away again, and a launcher
/// that was killed leaves its folder behind.
fn scratch() -> PathBuf {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    std::env::temp_dir().join(format!("toolcrib-{}-{since:x}", std::process::id()))
}
