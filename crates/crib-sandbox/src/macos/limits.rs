//! Limits of each process, which the launcher sets for itself, and the server has from it.

use std::io;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use crate::{Holds, Promise, Report, Spec};

/// Sets what macOS keeps to. Limits of memory are not among it: those of the address space are less than what every program
/// has mapped from the start.
pub(super) fn bound(spec: &Spec) -> io::Result<()> {
    let limits = &spec.limits;
    set(Resource::Nofile, limits.open_files)?;
    set(Resource::Fsize, limits.file_bytes)?;
    set(Resource::Core, 0)?;
    if let Some(seconds) = limits.cpu_seconds {
        set(Resource::Cpu, seconds)?;
    }
    // The kernel counts all processes of a user: those that run now come on top.
    match processes() {
        Some(running) => set(Resource::Nproc, running.saturating_add(limits.processes)),
        None => Ok(()),
    }
}

/// Says what does not hold for this user.
pub(super) fn report(report: &mut Report) {
    if geteuid().is_root() {
        report.set(Promise::Privilege, Holds::partly("Seatbelt", "it runs as root"));
        report.set(Promise::ProcessCount, Holds::no("root has no limit of its own"));
    } else if processes().is_none() {
        report.set(Promise::ProcessCount, Holds::no("the processes of this user cannot be counted"));
    }
}

/// Counts the processes of this user.
fn processes() -> Option<u64> {
    let user = geteuid().as_raw().to_string();
    let output = Command::new("/bin/ps").args(["-U", &user, "-o", "pid="]).env_clear().stdin(Stdio::null()).output().ok()?;
    let count = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    u64::try_from(count).ok().filter(|count| *count > 0)
}

/// Lowers a limit; one that is lower already stays.
fn set(resource: Resource, most: u64) -> io::Result<()> {
    let was = getrlimit(resource);
    let most = [was.maximum, was.current].into_iter().flatten().fold(most, u64::min);
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}
