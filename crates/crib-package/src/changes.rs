//! What an update changes: the version, the packages that come with it, the files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::Locked;
use crate::store::Store;

/// What is different between two locked versions of one server. Tools and permissions are compared elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub version: Option<Moved>,
    /// Who runs it: the interpreter's version.
    pub runtime: Option<Moved>,
    pub publisher: Option<Moved>,
    pub repository: Option<Moved>,
    /// Packages that came, went or changed, by name; an empty side is one that is not there.
    pub packages: BTreeMap<String, Moved>,
    pub files_added: Vec<PathBuf>,
    pub files_removed: Vec<PathBuf>,
    pub files_changed: Vec<PathBuf>,
    /// Whether the files could be compared: both versions are in the store.
    pub has_files: bool,
}

/// From one text to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub from: String,
    pub to: String,
}

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { has_files: self.has_files, ..Self::default() }
    }

    pub(crate) fn between(store: &Store, old: &Locked, new: &Locked) -> Self {
        let mut this = Self {
            version: moved(Some(&old.version), Some(&new.version)),
            publisher: moved(old.provenance.publisher.as_ref(), new.provenance.publisher.as_ref()),
            repository: moved(old.provenance.repository.as_ref(), new.provenance.repository.as_ref()),
            runtime: moved(old.runtime.as_ref().map(|one| &one.version), new.runtime.as_ref().map(|one| &one.version)),
            packages: packages(old, new),
            ..Self::default()
        };
        let files = |locked: &Locked| locked.tree.as_ref().and_then(|tree| store.files(tree));
        if let (Some(before), Some(after)) = (files(old), files(new)) {
            (this.files_added, this.files_removed, this.files_changed) = before.compare(&after);
            this.has_files = true;
        }
        this
    }
}

fn moved(from: Option<&String>, to: Option<&String>) -> Option<Moved> {
    let text = |side: Option<&String>| side.cloned().unwrap_or_default();
    (from != to).then(|| Moved { from: text(from), to: text(to) })
}

/// Compares the versions of packages by their names; of a name that is there twice, all versions.
fn packages(old: &Locked, new: &Locked) -> BTreeMap<String, Moved> {
    let versions = |locked: &Locked| {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for label in locked.packages.keys() {
            let (name, version) = label.split_once("==").or_else(|| label.rsplit_once('@')).unwrap_or((label, ""));
            all.entry(name.to_owned()).or_default().push(version.to_owned());
        }
        all
    };
    let (before, after) = (versions(old), versions(new));
    let text = |versions: Option<&Vec<String>>| versions.map(|versions| versions.join(", ")).unwrap_or_default();
    let names = before.keys().chain(after.keys());
    let moves = names.map(|name| (name.clone(), Moved { from: text(before.get(name)), to: text(after.get(name)) }));
    moves.filter(|(_, moved)| moved.from != moved.to).collect()
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        write!(f, "{} -> {}", side(&self.from), side(&self.to))
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, moved) in
            [("version", &self.version), ("runtime", &self.runtime), ("publisher", &self.publisher), ("repository", &self.repository)]
        {
            if let Some(moved) = moved {
                writeln!(f, "{name:<12}{moved}")?;
            }
        }
        for (name, moved) in &self.packages {
            writeln!(f, "package     {name}: {moved}")?;
        }
        if self.has_files {
            let (added, removed, changed) = (self.files_added.len(), self.files_removed.len(), self.files_changed.len());
            writeln!(f, "files       {added} added, {removed} removed, {changed} changed")?;
        }
        Ok(())
    }
}
