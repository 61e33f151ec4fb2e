//! What an update changes: the version, the packages that come with it, the files, what it asks for and what it mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::reach::UNNAMED;
use crate::store::{Half, Store};
use crate::{Digest, Entry, Gained, Locked, Reach, What, asks};

/// How many things that it mentions are told of one by one.
const GAINED_MAX: usize = 12;

/// What is different between two locked versions of one server. Tools are compared elsewhere.
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
    /// What its manifests, and the registry that lists it, ask for now and did not, and what they do no more.
    pub asks: BTreeSet<String>,
    pub asks_no_more: BTreeSet<String>,
    /// What the code mentions now and did not.
    pub gained: Vec<Gained>,
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
        if let (Some(before), Some(after)) = (wishes(store, old), wishes(store, new)) {
            this.asks = after.difference(&before).cloned().collect();
            this.asks_no_more = before.difference(&after).cloned().collect();
        }
        if let (Some(before), Some(after)) = (reach(store, old), reach(store, new)) {
            this.gained = after.gained(&before);
        }
        this
    }
}

/// Returns what a version asks for, as far as that is known of it.
fn wishes(store: &Store, locked: &Locked) -> Option<BTreeSet<String>> {
    let tree = locked.tree.as_ref().map(|tree| store.part(tree, Half::Tree));
    let own = asks::of(&tree.unwrap_or_default(), locked);
    let listed = locked.listed.as_ref().and_then(|listed| listed.asks.as_ref());
    let listed = listed.map(|asks| asks.iter().map(|text| asks::plain(text)));
    match (own, listed) {
        (None, None) => None,
        (own, listed) => Some(own.into_iter().flatten().chain(listed.into_iter().flatten()).collect()),
    }
}

/// Returns what the code of a version mentions, from the store or from its files.
pub(crate) fn reach(store: &Store, locked: &Locked) -> Option<Reach> {
    let digest = locked.tree.as_ref()?;
    // Of machine code nothing can be read; what it was built of here was read then.
    if matches!(locked.entry, Entry::Binary { .. } | Entry::Image(_)) {
        return Reach::load(&kept(store, digest));
    }
    let tree = store.part(digest, Half::Tree);
    if !tree.is_dir() {
        return None;
    }
    let kept = kept(store, digest);
    Reach::load(&kept).or_else(|| {
        let reach = Reach::of(&tree, locked);
        if let Err(error) = reach.save(&kept) {
            tracing::debug!("what `{}` mentions is not kept: {error}", locked.source);
        }
        Some(reach)
    })
}

/// Returns where it is kept what the code of a version mentions.
pub(crate) fn kept(store: &Store, tree: &Digest) -> PathBuf {
    store.home(tree).join("tree.reach")
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
        self.asks.iter().try_for_each(|wish| writeln!(f, "asks        now also for {wish}"))?;
        self.asks_no_more.iter().try_for_each(|wish| writeln!(f, "asks        no more for {wish}"))?;
        self.mentioned(f)
    }
}

impl Changes {
    /// Says what the code mentions that it did not before, as far as that tells anything.
    fn mentioned(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<&Gained> = self.gained.iter().filter(|one| one.is_worth_telling()).collect();
        let means: Vec<&&Gained> = told.iter().filter(|one| matches!(one.what, What::Means(_))).collect();
        means.iter().take(GAINED_MAX).try_for_each(|one| writeln!(f, "reaches     now also for {one}"))?;
        if means.len() > GAINED_MAX {
            writeln!(f, "reaches     and {} more: --json", means.len() - GAINED_MAX)?;
        }
        let mut variables: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for one in told {
            if let What::Variable(name) = &one.what {
                let name = if name == UNNAMED { "variables it does not name" } else { name };
                variables.entry(format!("{} {}", one.package, one.version).trim_end().to_owned()).or_default().push(name);
            }
        }
        for (package, names) in variables.iter().take(GAINED_MAX) {
            let more = names.len().saturating_sub(GAINED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = names.iter().take(GAINED_MAX).copied().collect::<Vec<_>>().join(", ");
            writeln!(f, "reads       now also {names}{more} ({package})")?;
        }
        Ok(())
    }
}
