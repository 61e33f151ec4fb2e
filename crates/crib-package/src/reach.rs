//! What the code of a package mentions: the network, processes, files that are written, native and made-up code, variables.
//!
//! It is read and not run, word by word: code that hides what it does mentions nothing, and much that is mentioned is
//! never done. It tells one version from the next; what a server can do is what its sandbox grants.

mod crates;
mod gained;
mod python;
mod rust;
mod script;
mod whose;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Locked;
pub(crate) use crates::Crates;
pub use gained::{Gained, What};
use whose::Whose;

/// The form of what is kept, and the words that are looked for: what another one found is looked for again.
const FORM: u32 = 1;
/// Bytes of one file that are read.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of one package and all it needs that are read.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Files of it that are read.
const FILES_MAX: usize = 50_000;
const DEPTH_MAX: usize = 64;
/// Names of variables that are kept of one package.
const VARIABLES_MAX: usize = 200;
/// Largest list that is read from the store.
const KEPT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Stands for variables that are not named where they are read.
pub(crate) const UNNAMED: &str = "*";

/// What code can reach for beyond itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    Network,
    Processes,
    /// Files that are written, moved or removed.
    Files,
    /// Modules of machine code.
    Native,
    /// Code that is made of text when it runs.
    Dynamic,
}

impl Means {
    pub const ALL: [Self; 5] = [Self::Processes, Self::Network, Self::Dynamic, Self::Native, Self::Files];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Processes => "processes",
            Self::Files => "writing files",
            Self::Native => "native code",
            Self::Dynamic => "code made of text",
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the code of a package and of all it needs mentions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    form: u32,
    /// Whether all of it was read.
    pub is_whole: bool,
    /// By the names of packages.
    pub packages: BTreeMap<String, Reached>,
}

/// What the code of one package mentions, each with a file that does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub means: BTreeMap<Means, String>,
    /// Names of variables; `*` for those that are not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// What one file mentions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    means: std::collections::BTreeSet<Means>,
    variables: std::collections::BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Script,
    Python,
    Rust,
    Native,
}

impl Reach {
    /// Reads the files of a package.
    pub(crate) fn of(tree: &Path, locked: &Locked) -> Self {
        let (files, is_whole) = files(tree, kind_of);
        let whose = Whose::of(tree, locked);
        let mut this = Reading { is_whole, ..Reading::default() };
        for (path, kind) in files {
            this.take(&tree.join(&path), kind, || whose.file(&path));
        }
        this.end()
    }

    /// Reads the crates that a program was built of.
    pub(crate) fn of_crates(crates: &Crates<'_>) -> Self {
        let mut this = Reading::default();
        for one in crates.all() {
            let (files, is_whole) = files(&one.folder, crates::kind_of);
            this.is_whole &= is_whole;
            for (path, kind) in files.into_iter().filter(|(path, _)| crates::is_of_program(path)) {
                this.take(&one.folder.join(&path), kind, || (one.name.clone(), one.version.clone(), path.display().to_string()));
            }
        }
        this.end()
    }

    /// Reads what was found before, if it was looked for in the same way.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        let text = read(path, KEPT_BYTES_MAX)?;
        serde_json::from_slice::<Self>(&text).ok().filter(|kept| kept.form == FORM)
    }

    /// Keeps what was found.
    pub(crate) fn save(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&beside, serde_json::to_vec(self)?)?;
        fs::rename(beside, path)
    }

    /// Returns which packages mention this, each with a file that does.
    pub fn of_means(&self, means: Means) -> impl Iterator<Item = (&str, &str)> {
        self.packages.iter().filter_map(move |(name, reached)| Some((name.as_str(), reached.means.get(&means)?.as_str())))
    }

    /// Returns what is mentioned that was not before.
    #[must_use]
    pub fn gained(&self, before: &Self) -> Vec<Gained> {
        gained::gained(self, before)
    }
}

/// What was found so far.
struct Reading {
    is_whole: bool,
    bytes_left: u64,
    packages: BTreeMap<String, Reached>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { is_whole: true, bytes_left: BYTES_MAX, packages: BTreeMap::new() }
    }
}

impl Reading {
    /// Reads one file; `whose` is the name and version of its package, and its place in it.
    fn take(&mut self, path: &Path, kind: Kind, whose: impl FnOnce() -> (String, String, String)) {
        let found = match kind {
            Kind::Native => Found { means: [Means::Native].into(), ..Found::default() },
            Kind::Script | Kind::Python | Kind::Rust => {
                let max = FILE_BYTES_MAX.min(self.bytes_left);
                let Some(text) = read(path, max) else { return };
                self.is_whole &= (text.len() as u64) < max;
                self.bytes_left = self.bytes_left.saturating_sub(text.len() as u64);
                match kind {
                    Kind::Script => script::scan(&text),
                    Kind::Python => python::scan(&text),
                    Kind::Rust | Kind::Native => rust::scan(&text),
                }
            }
        };
        if found == Found::default() {
            return;
        }
        let (name, version, inside) = whose();
        let inside = crate::asks::plain(&inside);
        let reached = self.packages.entry(name).or_insert_with(|| Reached { version, ..Reached::default() });
        for means in found.means {
            reached.means.entry(means).or_insert_with(|| inside.clone());
        }
        for variable in found.variables {
            if reached.variables.len() < VARIABLES_MAX {
                reached.variables.entry(variable).or_insert_with(|| inside.clone());
            }
        }
    }

    fn end(self) -> Reach {
        Reach { form: FORM, is_whole: self.is_whole, packages: self.packages }
    }
}

pub(crate) fn read(path: &Path, max: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(max).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Lists the files that are code, those of tests last, and says whether these are all.
fn files(tree: &Path, kind_of: fn(&Path) -> Option<Kind>) -> (Vec<(PathBuf, Kind)>, bool) {
    let (mut found, mut is_whole) = (Vec::new(), true);
    let mut folders = vec![(tree.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if kind.is_dir() {
                is_whole &= depth < DEPTH_MAX;
                folders.extend((depth < DEPTH_MAX).then_some((path, depth + 1)));
            } else if kind.is_file()
                && let (Some(kind), Ok(inside)) = (kind_of(&path), path.strip_prefix(tree))
            {
                found.push((inside.to_owned(), kind));
            }
        }
    }
    found.sort_by_cached_key(|(path, _)| (is_test(path), path.clone()));
    is_whole &= found.len() <= FILES_MAX;
    found.truncate(FILES_MAX);
    (found, is_whole)
}

fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let is_typed_only = [".d.ts", ".d.mts", ".d.cts"].iter().any(|end| name.ends_with(end));
    match name.rsplit_once('.')?.1 {
        "js" | "mjs" | "cjs" | "jsx" => Some(Kind::Script),
        "ts" | "mts" | "cts" | "tsx" => (!is_typed_only).then_some(Kind::Script),
        "py" => Some(Kind::Python),
        "node" | "so" | "pyd" | "dylib" | "dll" => Some(Kind::Native),
        _ => name.contains(".so.").then_some(Kind::Native),
    }
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| matches!(part.to_str(), Some("test" | "tests" | "__tests__" | "example" | "examples" | "bench" | "benchmarks")))
}

/// Tells what can be part of a name.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// Returns the byte in front of a place.
fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.get(at)).copied()
}

/// Returns the byte in front of a place and of spaces there, and where it is.
fn before_space(text: &[u8], at: usize) -> Option<(usize, u8)> {
    let head = text.get(..at)?;
    let at = head.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
    head.get(at).map(|byte| (at, *byte))
}

/// Returns the word that ends where another thing begins.
fn word_before(text: &[u8], at: usize) -> &[u8] {
    let Some((last, _)) = before_space(text, at) else { return &[] };
    let head = text.get(..=last).unwrap_or_default();
    let start = head.iter().rposition(|byte| !is_word(*byte)).map_or(0, |at| at + 1);
    head.get(start..).unwrap_or_default()
}

/// Returns the text between quotes that comes next, after spaces.
fn literal(text: &[u8]) -> Option<&str> {
    const LENGTH_MAX: usize = 200;
    let text = text.trim_ascii_start();
    let (quote, rest) = text.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\'' | b'`'))?;
    let end = rest.iter().take(LENGTH_MAX).position(|byte| byte == quote)?;
    std::str::from_utf8(rest.get(..end)?).ok().filter(|text| !text.contains(['\n', '\\']))
}

/// Whether this can be the name of a variable.
fn is_variable(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
