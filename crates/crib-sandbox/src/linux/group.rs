//! A control group of the server's own, where this user may make one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Limits;

/// How long the kernel may take to let go of a group whose processes have ended.
const REMOVE_WAIT: Duration = Duration::from_millis(500);

const PREFIX: &str = "toolcrib-";

/// What a group bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) has_memory: bool,
    pub(super) has_processes: bool,
}

/// The folders that make up a group: one in the newer hierarchy, one per controller in the older.
#[derive(Debug)]
pub(super) struct Group {
    folders: Vec<PathBuf>,
    bounds: Bounds,
}

impl Group {
    /// Makes a group, or returns none where nothing can be bounded by one.
    pub(super) fn make(limits: &Limits) -> Option<Self> {
        let lines = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let mut group = Self { folders: Vec::new(), bounds: Bounds { has_memory: false, has_processes: false } };
        for line in lines.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let path = path.trim_start_matches('/');
            for controller in controllers.split(',') {
                match controller {
                    "memory" => group.bounds.has_memory |= group.add_older("memory", path, "memory.limit_in_bytes", limits.memory_bytes),
                    "pids" => group.bounds.has_processes |= group.add_older("pids", path, "pids.max", limits.processes),
                    "" => group.add_newer(path, limits),
                    _ => {}
                }
            }
        }
        (!group.folders.is_empty()).then_some(group)
    }

    pub(super) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Moves a process into the group.
    pub(super) fn add(&self, pid: u32) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| std::fs::write(folder.join("cgroup.procs"), pid.to_string()))
    }

    /// Removes the group, whose processes have ended.
    pub(super) fn remove(self) {
        let until = Instant::now() + REMOVE_WAIT;
        for folder in self.folders {
            while std::fs::remove_dir(&folder).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) && Instant::now() < until {
                std::thread::yield_now();
            }
        }
    }

    fn add_older(&mut self, controller: &str, path: &str, file: &str, most: u64) -> bool {
        let folder = Path::new("/sys/fs/cgroup").join(controller).join(path).join(name());
        self.add_folder(folder, &[(file, most)])
    }

    /// In the newer hierarchy only controllers that the parent passes on can be used.
    fn add_newer(&mut self, path: &str, limits: &Limits) {
        let root = Path::new("/sys/fs/cgroup");
        let passed = std::fs::read_to_string(root.join(path).join("cgroup.subtree_control")).unwrap_or_default();
        let mut settings = Vec::new();
        let has = |controller: &str| passed.split_whitespace().any(|name| name == controller);
        if has("memory") {
            settings.push(("memory.max", limits.memory_bytes));
            settings.push(("memory.swap.max", 0));
        }
        if has("pids") {
            settings.push(("pids.max", limits.processes));
        }
        if !settings.is_empty() && self.add_folder(root.join(path).join(name()), &settings) {
            self.bounds.has_memory |= has("memory");
            self.bounds.has_processes |= has("pids");
        }
    }

    fn add_folder(&mut self, folder: PathBuf, settings: &[(&str, u64)]) -> bool {
        sweep(folder.parent());
        if std::fs::create_dir(&folder).is_err() {
            return false;
        }
        let is_set = settings.iter().all(|(file, most)| std::fs::write(folder.join(file), most.to_string()).is_ok());
        // Swap is not counted on every machine; without it the bound of memory stands.
        let is_enough = is_set || settings.first().is_some_and(|(file, most)| std::fs::write(folder.join(file), most.to_string()).is_ok());
        if is_enough {
            self.folders.push(folder);
        } else {
            drop(std::fs::remove_dir(&folder));
        }
        is_enough
    }
}

/// Removes groups whose launcher was killed before it could.
fn sweep(parent: Option<&Path>) {
    let entries = parent.and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    for entry in entries {
        let owner = entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            // One that still has processes is not removed.
            drop(std::fs::remove_dir(entry.path()));
        }
    }
}

fn name() -> String {
    format!("{PREFIX}{}", std::process::id())
}
