//! The machine: which cores there are, and what /proc says of processes.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result};

/// The cores this run uses.
pub(crate) struct Machine {
    pub(crate) gateway_core: usize,
    pub(crate) load_core: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn read() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("the bench needs Linux: no /proc")?;
        let list = field(&status, "Cpus_allowed_list:").unwrap_or("0");
        let cores = expand(list);
        let gateway_core = cores.first().copied().unwrap_or(0);
        let load_core = cores.get(1).copied().unwrap_or(gateway_core);
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Ok(Self { gateway_core, load_core, model: model.unwrap_or("unknown CPU").to_owned(), kernel })
    }

    pub(crate) fn has_two_cores(&self) -> bool {
        self.gateway_core != self.load_core
    }

    /// Returns the load average of the last minute: what else the machine does.
    pub(crate) fn load_average() -> f64 {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Expands a list of cores: `0-2,5`.
fn expand(list: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (from.trim().parse::<usize>(), to.trim().parse::<usize>()) {
            cores.extend(from..=to);
        }
    }
    cores
}

/// Returns a process and everything it started.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(pid) = next.pop() {
        found.push(pid);
        next.extend(children.remove(&pid).unwrap_or_default());
    }
    found
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// Returns the nanoseconds the threads of these processes have been on a core.
pub(crate) fn cpu_ns(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| threads_ns(*pid)).sum()
}

fn threads_ns(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    threads.filter_map(of).sum()
}

/// Returns the memory of these processes in KiB, shared pages divided among their users.
pub(crate) fn memory_kib(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        field(&text, "Pss:")?.split(' ').next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn a_list_of_cores_has_ranges_and_single_ones() {
        assert_eq!(expand("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(expand("3"), [3]);
    }
}
