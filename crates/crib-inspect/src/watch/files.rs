//! Files that are looked at again and again: by their times and sizes, as a gateway looks at its configuration. That
//! works on every system and file system, and costs a fixed share of one core at most.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Files that are looked at; there may be more, and these are not followed.
const FILES_MAX: usize = 10_000;
/// How deep folders are looked into.
const DEPTH_MAX: usize = 16;
/// How often it is looked at least.
const LOOK: Duration = Duration::from_millis(200);
/// How many times longer than a look took it is waited for the next one.
const SHARE: u32 = 20;
/// How long nothing may have changed before a change is over: editors and compilers write several files.
const QUIET: Duration = Duration::from_millis(120);
/// How long a change may last.
const CHANGE_MAX: Duration = Duration::from_secs(3);

/// Folders that hold what others made.
const FOLDERS_LEFT_OUT: [&str; 6] = ["node_modules", "target", "__pycache__", "venv", "site-packages", "bower_components"];
/// Endings of what servers write while they run, and editors and compilers on the way.
const ENDINGS_LEFT_OUT: [&str; 14] = [
    "~",
    ".swp",
    ".swx",
    ".tmp",
    ".pyc",
    ".log",
    ".db",
    ".db-wal",
    ".db-shm",
    ".db-journal",
    ".sqlite",
    ".sqlite3",
    ".tsbuildinfo",
    ".DS_Store",
];

/// What of a file becomes another one when it is written.
type Stamp = (Option<SystemTime>, u64);
type Stamps = BTreeMap<PathBuf, Stamp>;

/// Files as they were when they were looked at last.
#[derive(Debug)]
pub struct Files {
    places: Vec<PathBuf>,
    seen: Stamps,
}

// === impl Files ===

impl Files {
    /// Looks at files, and at those in folders; not into hidden ones, nor into what was installed or built.
    pub async fn of(places: Vec<PathBuf>) -> Self {
        let seen = looked(&places).await;
        Self { places, seen }
    }

    /// Returns the files and folders that are looked at.
    #[must_use]
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// Returns how many files are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Returns whether there may be files that are not looked at.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.seen.len() >= FILES_MAX
    }

    /// Waits until files were written, made or removed, and then nothing happened for a moment; returns which. It never
    /// returns where there is nothing to look at. Nothing is lost when it is dropped.
    pub async fn changed(&mut self) -> Vec<PathBuf> {
        if self.places.is_empty() {
            std::future::pending::<()>().await;
        }
        let mut pause = LOOK;
        loop {
            tokio::time::sleep(pause).await;
            let begin = Instant::now();
            let mut now = looked(&self.places).await;
            pause = LOOK.max(begin.elapsed() * SHARE);
            if now == self.seen {
                continue;
            }
            while begin.elapsed() < CHANGE_MAX {
                tokio::time::sleep(QUIET).await;
                let next = looked(&self.places).await;
                let is_over = next == now;
                now = next;
                if is_over {
                    break;
                }
            }
            let changed = differing(&self.seen, &now);
            self.seen = now;
            if !changed.is_empty() {
                return changed;
            }
        }
    }
}

fn differing(old: &Stamps, new: &Stamps) -> Vec<PathBuf> {
    let changed = new.iter().filter(|(path, stamp)| old.get(*path) != Some(*stamp)).map(|(path, _)| path);
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    let mut paths: Vec<PathBuf> = changed.chain(gone).cloned().collect();
    paths.sort();
    paths
}

/// Looks without holding up anybody else.
async fn looked(places: &[PathBuf]) -> Stamps {
    let places = places.to_vec();
    tokio::task::spawn_blocking(move || look(&places)).await.unwrap_or_default()
}

fn look(places: &[PathBuf]) -> Stamps {
    let mut stamps = Stamps::new();
    let mut folders: Vec<(PathBuf, usize)> = Vec::new();
    for place in places {
        match std::fs::metadata(place) {
            Ok(data) if data.is_dir() => folders.push((place.clone(), 0)),
            Ok(data) => drop(stamps.insert(place.clone(), stamp(&data))),
            Err(_gone) => {}
        }
    }
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut entries: Vec<std::fs::DirEntry> = entries.filter_map(Result::ok).take(FILES_MAX).collect();
        // The same ones are left out each time, whatever order they come in.
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if !is_made(&path) && depth < DEPTH_MAX {
                    folders.push((path, depth + 1));
                }
                continue;
            }
            if is_of_others(&name) {
                continue;
            }
            if stamps.len() >= FILES_MAX {
                return stamps;
            }
            // A link is what it leads to; a folder behind one may lead back here.
            if let Ok(data) = std::fs::metadata(&path)
                && data.is_file()
            {
                stamps.insert(path, stamp(&data));
            }
        }
    }
    stamps
}

fn stamp(data: &Metadata) -> Stamp {
    (data.modified().ok(), data.len())
}

fn is_of_others(name: &str) -> bool {
    ENDINGS_LEFT_OUT.iter().any(|ending| name.ends_with(ending))
}

/// Returns whether a folder holds what others made.
pub(super) fn is_made(folder: &Path) -> bool {
    folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| FOLDERS_LEFT_OUT.contains(&name) || name.starts_with('.'))
}

/// Returns whether a file, by its way from where a server is started, stands in such a folder.
pub(super) fn is_left_out(way: &Path) -> bool {
    way.ancestors().skip(1).any(is_made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_and_removed_is_seen_and_what_others_make_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, name).expect("written");
            path
        };
        write("src/old.py");
        let mut files = Files::of(vec![folder.path().to_owned()]).await;
        assert_eq!(files.count(), 1);
        for made in [".git/HEAD", "node_modules/a/index.js", "target/debug/a", "src/__pycache__/old.pyc", "state.db", "src/new.py~"] {
            write(made);
        }
        let new = write("src/new.py");
        // Who looks away loses nothing.
        drop(files.changed());
        assert_eq!(files.changed().await, [new]);
        std::fs::remove_file(folder.path().join("src/old.py")).expect("removed");
        assert_eq!(files.changed().await, [folder.path().join("src/old.py")]);
        assert_eq!((files.count(), files.is_full()), (1, false));
    }
}
