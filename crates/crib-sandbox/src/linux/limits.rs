//! How much may be used, by the limits of each process and of its control group.

use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Facts, Namespaces};
use crate::{Holds, Promise, Report, Spec};

/// The kernel does not bound the numbers of processes lower than this.
const PIDS_MIN: u64 = 301;

/// Says what bounds the number of processes. It is set before the root is built, where `/proc` is still writable.
pub(super) fn bound_processes(spec: &Spec, facts: &Facts, report: &mut Report) {
    let processes = spec.limits.processes;
    let holds = if facts.group.is_some_and(|bounds| bounds.has_processes) {
        Holds::yes(format!("a control group of {processes} processes"))
    } else if !rustix::process::geteuid().is_root() && !runs_as_machine_root() {
        Holds::yes(format!("a limit of {processes} processes of this user"))
    } else if matches!(facts.namespaces, Namespaces::Own) && Path::new("/proc/sys/kernel/pid_max").exists() && bounds_pids() {
        Holds::yes(format!("a process namespace of {} processes", processes.max(PIDS_MIN)))
    } else {
        Holds::no("root has no limit of its own, and no control group can be made here")
    };
    report.set(Promise::ProcessCount, holds);
}

/// Returns whether the user of this namespace is root outside, whom the kernel does not count.
fn runs_as_machine_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(1) == Some("0")
}

/// Since Linux 6.14 each process namespace has its own bound of numbers.
fn bounds_pids() -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 14)
}

/// Bounds the numbers of processes in the namespace whose `/proc` this is.
pub(super) fn bound_pids(proc: &Path, spec: &Spec) {
    if bounds_pids() {
        // Where it is refused, the other bounds stand, and the report speaks of them.
        drop(std::fs::write(proc.join("sys/kernel/pid_max"), spec.limits.processes.max(PIDS_MIN).to_string()));
    }
}

/// Sets the limits of this process, which every process it starts has too.
pub(super) fn bound_use(spec: &Spec, facts: &Facts, report: &mut Report) -> io::Result<()> {
    let limits = &spec.limits;
    set(Resource::Data, limits.memory_bytes)?;
    set(Resource::Nproc, limits.processes)?;
    set(Resource::Nofile, limits.open_files)?;
    set(Resource::Fsize, limits.file_bytes)?;
    set(Resource::Core, 0)?;
    set(Resource::Msgqueue, 0)?;
    if let Some(seconds) = limits.cpu_seconds {
        set(Resource::Cpu, seconds)?;
    }
    let memory = if facts.group.is_some_and(|bounds| bounds.has_memory) {
        Holds::yes("a control group")
    } else {
        Holds::partly("a limit of each process", "all of its processes together are bounded only by their number")
    };
    report.set(Promise::Memory, memory);
    report.set(Promise::FileLimits, Holds::yes("limits of each process"));
    Ok(())
}

/// Lowers a limit; one that is lower already stays.
fn set(resource: Resource, most: u64) -> io::Result<()> {
    let was = rustix::process::getrlimit(resource);
    let most = [was.maximum, was.current].into_iter().flatten().fold(most, u64::min);
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}
