//! What one version mentions and the one before did not.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{Means, Reach, UNNAMED};

/// Something that a package mentions now and did not before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gained {
    pub what: What,
    pub package: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// A file that mentions it.
    pub file: String,
    /// Whether nothing of the whole server did before.
    pub is_new: bool,
    /// Whether the package itself was there before.
    pub was_known: bool,
}

/// What is mentioned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    Means(Means),
    /// A variable that is read; `*` for any.
    Variable(String),
}

pub(super) fn gained(now: &Reach, before: &Reach) -> Vec<Gained> {
    let means: BTreeSet<Means> = before.packages.values().flat_map(|reached| reached.means.keys().copied()).collect();
    let variables: BTreeSet<&String> = before.packages.values().flat_map(|reached| reached.variables.keys()).collect();
    let mut gained = Vec::new();
    for (package, reached) in &now.packages {
        let old = before.packages.get(package);
        let one = |what: What, file: &String, is_new: bool| Gained {
            what,
            package: package.clone(),
            version: reached.version.clone(),
            file: file.clone(),
            is_new,
            was_known: old.is_some(),
        };
        for (kind, file) in reached.means.iter().filter(|(kind, _)| old.is_none_or(|old| !old.means.contains_key(kind))) {
            gained.push(one(What::Means(*kind), file, !means.contains(kind)));
        }
        for (name, file) in reached.variables.iter().filter(|(name, _)| old.is_none_or(|old| !old.variables.contains_key(*name))) {
            gained.push(one(What::Variable(name.clone()), file, !variables.contains(name)));
        }
    }
    // What is new for all of it comes first.
    gained.sort_by_key(|one| (!one.is_new, one.what.clone()));
    gained
}

impl Gained {
    /// Whether people should hear of it: a package that came with an update mentions much that others mention already.
    #[must_use]
    pub const fn is_worth_telling(&self) -> bool {
        match self.what {
            What::Means(_) => self.is_new || self.was_known,
            What::Variable(_) => self.is_new,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Means(means) => means.fmt(f),
            Self::Variable(name) if name == UNNAMED => f.write_str("variables it does not name"),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

impl fmt::Display for Gained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, package, version, file, .. } = self;
        let space = if version.is_empty() { "" } else { " " };
        write!(f, "{what} ({package}{space}{version}, {file})")
    }
}
