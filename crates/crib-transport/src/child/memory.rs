//! The memory of processes and of all they started.

/// The processes of this machine at one moment.
#[derive(Debug, Default)]
pub struct Processes {
    all: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    pid: u32,
    parent: u32,
    /// The leader of its group: every server leads one of its own.
    group: u32,
    kilobytes: u64,
}

/// As deep as any tree of processes is.
const DEPTH_MAX: usize = 64;

// === impl Processes ===

impl Processes {
    /// Looks at all of them, where the system lets everybody look. It reads many small files: not for an async task.
    #[must_use]
    pub fn look() -> Self {
        Self { all: look() }
    }

    /// Returns the resident memory of these processes, of all they started and of all in their groups; `None` where the
    /// system does not tell, or none of them runs.
    #[must_use]
    pub fn bytes_of(&self, roots: &[u32]) -> Option<u64> {
        let kilobytes: u64 = self.all.iter().filter(|process| self.is_of(process, roots)).map(|process| process.kilobytes).sum();
        (kilobytes > 0).then_some(kilobytes * 1024)
    }

    fn is_of(&self, process: &Process, roots: &[u32]) -> bool {
        let mut process = process;
        for _ in 0..DEPTH_MAX {
            if roots.contains(&process.pid) || roots.contains(&process.group) {
                return true;
            }
            let Ok(at) = self.all.binary_search_by_key(&process.parent, |process| process.pid) else { return false };
            let Some(parent) = self.all.get(at) else { return false };
            process = parent;
        }
        false
    }
}

#[cfg(target_os = "linux")]
fn look() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let read = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // A process may be gone by now, and one that is dead has no memory.
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let number = |field: &str| status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<u64>().ok());
        let id = |field: &str| number(field).and_then(|id| u32::try_from(id).ok());
        let (parent, group) = (id("PPid:")?, id("NSpgid:").unwrap_or(0));
        Some(Process { pid, parent, group, kilobytes: number("VmRSS:").unwrap_or(0) })
    };
    let mut all: Vec<Process> = entries.flatten().filter_map(read).collect();
    all.sort_by_key(|process| process.pid);
    all
}

#[cfg(target_os = "macos")]
fn look() -> Vec<Process> {
    let mut ps = std::process::Command::new("/bin/ps");
    ps.args(COLUMNS).env_clear().stdin(std::process::Stdio::null());
    let output = ps.output().map(|output| output.stdout).unwrap_or_default();
    read_table(&String::from_utf8_lossy(&output))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn look() -> Vec<Process> {
    Vec::new()
}

/// What `ps` is asked for: every process, and what [`read_table`] reads of it.
#[cfg(any(target_os = "macos", all(unix, test)))]
const COLUMNS: [&str; 9] = ["-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "rss="];

/// Reads what `ps` says: four numbers a line.
#[cfg(any(target_os = "macos", all(unix, test)))]
fn read_table(text: &str) -> Vec<Process> {
    let read = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (pid, parent, group) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Process { pid, parent, group, kilobytes: words.next()?.parse().ok()? })
    };
    let mut all: Vec<Process> = text.lines().filter_map(read).collect();
    all.sort_by_key(|process| process.pid);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_counts_and_what_stands_beside_does_not() {
        let process = |(pid, parent, group)| Process { pid, parent, group, kilobytes: u64::from(pid) };
        // 2 is a server, 5 is below it, 7 has left its parent and kept its group, 9 is another server.
        let rows = [(1, 0, 1), (2, 1, 2), (5, 3, 3), (3, 2, 2), (7, 1, 2), (9, 1, 9)];
        let mut all: Vec<Process> = rows.into_iter().map(process).collect();
        all.sort_by_key(|process| process.pid);
        let processes = Processes { all };
        assert_eq!(processes.bytes_of(&[2]), Some((2 + 3 + 5 + 7) * 1024));
        assert_eq!((processes.bytes_of(&[9]), processes.bytes_of(&[4]), processes.bytes_of(&[])), (Some(9 * 1024), None, None));
    }

    #[cfg(unix)]
    #[test]
    fn a_table_of_ps_is_read() {
        let processes = Processes { all: read_table("  501     1   501  2048\n   17     1    17   512\n  502   501   501     4\n?\n") };
        assert_eq!((processes.bytes_of(&[501]), processes.bytes_of(&[17])), (Some(2052 * 1024), Some(512 * 1024)));
        // Where there is a `ps`, it knows the same columns.
        if let Some(output) = std::process::Command::new("ps").args(COLUMNS).output().ok().filter(|output| output.status.success()) {
            let processes = Processes { all: read_table(&String::from_utf8_lossy(&output.stdout)) };
            assert!(processes.bytes_of(&[std::process::id()]).is_some());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        assert!(Processes::look().bytes_of(&[std::process::id()]).is_some_and(|bytes| bytes > 1024 * 1024));
    }
}
