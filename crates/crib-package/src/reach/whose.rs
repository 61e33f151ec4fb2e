//! Which package a file is of.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::Locked;

/// Largest list of a distribution's files that is read.
const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Names of packages by their files.
#[derive(Debug)]
pub(super) struct Whose {
    /// What is of no other.
    own: String,
    /// Versions by names; none for a name that is there twice.
    versions: BTreeMap<String, String>,
    /// Of Python: files of distributions.
    files: HashMap<PathBuf, String>,
}

impl Whose {
    pub(super) fn of(tree: &Path, locked: &Locked) -> Self {
        let own = locked.source.split_once(':').map_or(locked.source.as_str(), |(_, name)| name);
        let own = match locked.source.starts_with("mcpb:") {
            true => own.rsplit(['/', '\\']).next().unwrap_or(own),
            false => own.split('[').next().unwrap_or(own),
        };
        let mut versions: BTreeMap<String, String> = BTreeMap::from([(own.to_owned(), locked.version.clone())]);
        for label in locked.packages.keys() {
            let Some((name, version)) = label.split_once("==").or_else(|| label.rsplit_once('@')) else { continue };
            let known = versions.entry(name.to_owned()).or_insert_with(|| version.to_owned());
            if known != version {
                known.clear();
            }
        }
        Self { own: own.to_owned(), versions, files: recorded(tree) }
    }

    /// Returns the name and version of the package, and the file in it.
    pub(super) fn file(&self, path: &Path) -> (String, String, String) {
        let (name, inside) = self.named(path);
        let version = self.versions.get(&name).cloned().unwrap_or_default();
        (name, version, inside)
    }

    fn named(&self, path: &Path) -> (String, String) {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        if let Some(at) = parts.iter().rposition(|part| *part == "node_modules") {
            let rest = parts.get(at + 1..).unwrap_or_default();
            let count = if rest.first().is_some_and(|first| first.starts_with('@')) { 2 } else { 1 };
            if let Some((name, inside)) = rest.split_at_checked(count) {
                return (name.join("/"), inside.join("/"));
            }
        }
        let name = self.files.get(path).unwrap_or(&self.own);
        (name.clone(), parts.join("/"))
    }
}

/// Reads which files each distribution has brought.
fn recorded(tree: &Path) -> HashMap<PathBuf, String> {
    let mut files = HashMap::new();
    for folder in ["", "lib", "server/lib"] {
        for entry in fs::read_dir(tree.join(folder)).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let Some((name, _)) = file_name.to_str().and_then(|name| name.strip_suffix(".dist-info")).and_then(|name| name.split_once('-'))
            else {
                continue;
            };
            let name = crate::pypi::normal(name);
            let text = super::read(&entry.path().join("RECORD"), RECORD_BYTES_MAX).unwrap_or_default();
            for line in String::from_utf8_lossy(&text).lines() {
                let file = line.split(',').next().unwrap_or_default();
                files.insert(Path::new(folder).join(file), name.clone());
            }
        }
    }
    files
}
