//! What a registry of servers says of a package, and what the package says of itself.

use std::path::Path;

use serde_json::Value;

use crate::{Entry, Finding, FindingKind, Listed, Locked};

/// What stands in front of a server's name in the description of a Python package.
const MARK: &str = "mcp-name:";
/// Largest description that is looked through.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A package as a registry of servers lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub listed: Listed,
    pub standing: Standing,
    /// The digest that the file of the package must have, where the registry says.
    pub sha256: Option<String>,
}

/// Whether a registry stands by what it lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    #[default]
    Active,
    /// Why, where it says.
    Deprecated(Option<String>),
    Deleted(Option<String>),
}

impl Listing {
    /// Says what the registry thinks of it.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let name = &self.listed.name;
        let (kind, what, why) = match &self.standing {
            Standing::Active => return None,
            Standing::Deprecated(why) => (FindingKind::Deprecated, "advises against", why),
            Standing::Deleted(why) => (FindingKind::Deleted, "has taken back", why),
        };
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        Some(Finding::new(kind, format!("the registry {what} `{name}` {}{why}", self.listed.version)))
    }
}

/// Compares what it is listed as with what it says itself; `tree` are its files.
pub(crate) fn claim(listed: &Listed, locked: &Locked, tree: &Path) -> Option<Finding> {
    let names = if let Some(package) = locked.source.strip_prefix("npm:") {
        of_npm(tree, package)
    } else if let Some(package) = locked.source.strip_prefix("pypi:") {
        of_python(tree, package.split('[').next().unwrap_or(package))
    } else if let Entry::Image(image) = &locked.entry {
        image.claims.iter().cloned().collect()
    } else {
        // A bundle is named by its digest; of a crate only what was built is here.
        return None;
    };
    let (name, source) = (&listed.name, &locked.source);
    if names.iter().any(|known| known == name) {
        return None;
    }
    Some(match names.first() {
        Some(other) => {
            let other: String = other.chars().take(200).collect();
            Finding::new(
                FindingKind::Misclaimed,
                format!("`{source}` says that it is `{}`, and is listed as `{name}`", other.escape_debug()),
            )
        }
        None => Finding::new(FindingKind::Unclaimed, format!("`{source}` does not say itself that it is `{name}`; only the registry does")),
    })
}

fn of_npm(tree: &Path, package: &str) -> Vec<String> {
    let text = std::fs::read(tree.join("node_modules").join(package).join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
    manifest.get("mcpName").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
}

fn of_python(tree: &Path, package: &str) -> Vec<String> {
    crate::pypi::info(tree, package).map(|folder| marked(&text(&folder.join("METADATA")))).unwrap_or_default()
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(..TEXT_BYTES_MAX.min(bytes.len())).unwrap_or_default()).into_owned()
}

/// Returns every name that is marked; one that only begins with another one is another one.
fn marked(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "./_-".contains(letter);
    let names = text.split(MARK).skip(1).map(|rest| rest.trim_start_matches([' ', '\t']).chars().take_while(|c| is_part(*c)).collect());
    names.map(|name: String| name.trim_end_matches('.').to_owned()).filter(|name| name.contains('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_marked_whole_or_not_at_all() {
        assert_eq!(
            marked("x\n<!-- mcp-name: io.github.a/b -->\nmcp-name:io.github.a/b-c.\nmcp-name: nothing"),
            ["io.github.a/b", "io.github.a/b-c"]
        );
        assert!(marked("mcp-name io.github.a/b").is_empty());
    }
}
