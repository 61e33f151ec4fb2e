//! Names that look like those of popular packages.

mod popular;

use std::collections::BTreeMap;

use crate::{Finding, FindingKind, Source};
use popular::{CRATES, CRATES_SERVERS, NEIGHBOURS, NPM, NPM_SERVERS, PYPI, PYPI_SERVERS};

/// Below this length everything is one letter away from something.
const LENGTH_MIN: usize = 5;

/// A registry, which has names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registry {
    Npm,
    Pypi,
    Crates,
}

/// Notices a name that is one slip of a finger away from a popular one.
pub(crate) fn look(source: &Source) -> Option<Finding> {
    let (registry, name) = match source {
        Source::Npm { name, .. } => (Registry::Npm, name),
        Source::Pypi { name, .. } => (Registry::Pypi, name),
        Source::Cargo { name, .. } => (Registry::Crates, name),
        Source::Registry { .. }
        | Source::Oci { .. }
        | Source::Mcpb { .. }
        | Source::Url(_)
        | Source::Folder(_)
        | Source::Command { .. } => return None,
    };
    let near = registry.near(name)?;
    Some(Finding::new(FindingKind::Typosquat, format!("`{name}` is one letter away from `{near}`, which is what many people install")))
}

/// Notices such names among the packages that came with the one of this source.
pub(crate) fn look_at_needed(source: &str, packages: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    let (registry, own) = match source.split_once(':') {
        Some(("npm", name)) => (Registry::Npm, name),
        Some(("pypi", name)) => (Registry::Pypi, name.split('[').next().unwrap_or(name)),
        Some(("cargo", name)) => (Registry::Crates, name),
        _ => return Vec::new(),
    };
    let mut findings = Vec::new();
    for label in packages.keys() {
        let Some((name, _)) = label.split_once("==").or_else(|| label.rsplit_once('@')) else { continue };
        // It was looked at before anything was asked for.
        if registry.normal(name) == registry.normal(own) {
            continue;
        }
        // Nobody but its owner publishes in a scope.
        let is_owned = |near: &str| name.starts_with('@') && name.split('/').next() == near.split('/').next();
        if let Some(near) = registry.near(name).filter(|near| !is_owned(near)) {
            let message = format!("`{label}`, which `{source}` needs, is one letter away from `{near}`, which is what many packages need");
            findings.push(Finding::new(FindingKind::Typosquat, message));
        }
    }
    findings
}

impl Registry {
    /// Returns the popular name that this is one slip away from.
    fn near(self, name: &str) -> Option<&'static str> {
        let plain = self.normal(name);
        if NEIGHBOURS.contains(&plain.as_str()) || self.popular().any(|popular| self.normal(popular) == plain) {
            return None;
        }
        self.popular().find(|popular| is_near(&plain, &self.normal(popular)))
    }

    fn popular(self) -> impl Iterator<Item = &'static str> {
        let (servers, needed) = match self {
            Self::Npm => (NPM_SERVERS, NPM),
            Self::Pypi => (PYPI_SERVERS, PYPI),
            Self::Crates => (CRATES_SERVERS, CRATES),
        };
        servers.iter().chain(needed).copied()
    }

    /// PyPI takes `-`, `_` and `.` for the same; so do eyes.
    fn normal(self, name: &str) -> String {
        let bare = name.split('[').next().unwrap_or(name);
        bare.to_lowercase().replace(['_', '.'], "-")
    }
}

/// One letter more, less or other, two that changed places, or the same letters with other marks between them.
fn is_near(name: &str, popular: &str) -> bool {
    if name.len().min(popular.len()) < LENGTH_MIN {
        return false;
    }
    let letters = |name: &str| name.replace(['-', '/', '@'], "");
    name.len().abs_diff(popular.len()) <= 1 && strsim::osa_distance(name, popular) == 1 || is_scope_left_out(name, popular, &letters)
}

/// `corejs` for `core-js`, `modelcontextprotocol-sdk` for `@modelcontextprotocol/sdk`.
fn is_scope_left_out(name: &str, popular: &str, letters: &impl Fn(&str) -> String) -> bool {
    let has_marks = popular.contains('-') || popular.starts_with('@');
    has_marks && name.starts_with('@') <= popular.starts_with('@') && letters(name) == letters(popular)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_one_letter_away_is_noticed_and_the_popular_one_is_not() {
        for text in [
            "pypi:mcp-server-tine",
            "npm:@modelcontextprotocol/server-filesytem",
            "npm:@modelcontextprotocl/server-memory",
            "npm:modelcontextprotocol-server-memory",
            "pypi:mcp-sevrer-git",
            "pypi:pydantc",
            "npm:expresss",
            "cargo:rust-mcp-filesytem",
            "cargo:reqwests",
        ] {
            assert!(look(&Source::parse(text).expect("a source")).is_some(), "{text}");
        }
        for text in [
            "pypi:mcp-server-time",
            "pypi:mcp_server_time",
            "npm:my-own-server",
            "npm:@playwright/mcp",
            "npm:preact",
            "pypi:scapy",
            "cargo:rmcp",
            "cargo:rust_mcp_sdk",
            "cargo:mcpserver",
        ] {
            assert!(look(&Source::parse(text).expect("a source")).is_none(), "{text}");
        }
    }

    #[test]
    fn what_a_package_needs_is_looked_at_as_well() {
        let needed = |source: &str, labels: &[&str]| -> Vec<String> {
            let packages = labels.iter().map(|label| ((*label).to_owned(), Vec::new())).collect();
            look_at_needed(source, &packages).into_iter().map(|finding| finding.message).collect()
        };
        let honest = ["express@4.0.0", "preact@1.0.0", "string-width@1.0.0", "@modelcontextprotocol/server-menory@1.0.0", "ws@8.0.0"];
        assert_eq!(needed("npm:server", &honest), Vec::<String>::new());
        assert_eq!(
            needed("npm:server", &["crossenv@1.0.0"]),
            ["`crossenv@1.0.0`, which `npm:server` needs, is one letter away from `cross-env`, which is what many packages need"]
        );
        for bad in ["lodahs@1.0.0", "axois@1.0.0", "@modelcontextprotoco1/sdk@1.0.0", "modelcontextprotocol-sdk@1.0.0", "chalkk@5.0.0"] {
            assert_eq!(needed("npm:server", &[bad]).len(), 1, "{bad}");
        }
        for bad in ["serde_jsno@1.0.0", "tokoi@1.0.0", "rust-decimal-@1.0.0", "once-cel@1.0.0"] {
            assert_eq!(needed("cargo:server", &[bad]).len(), 1, "{bad}");
        }
        for bad in ["reqeusts==1.0", "pydantlc==2.0", "python_dotenvv==1.0"] {
            assert_eq!(needed("pypi:server", &[bad]).len(), 1, "{bad}");
        }
        // A name of one registry says nothing in the other one.
        assert_eq!(needed("pypi:server", &["crossenv==1.0.0", "scapy==2.0", "requests==2.0"]), Vec::<String>::new());
        // The package itself was looked at before.
        assert_eq!(needed("npm:expresss", &["expresss@1.0.0"]), Vec::<String>::new());
    }

    #[test]
    fn real_trees_raise_no_alarm() {
        let pins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/pins");
        let read = |file: &str| std::fs::read_to_string(pins.join(file)).expect("it is there");
        let mut count = 0;
        for file in ["package-lock.json", "clients/package-lock.json", "new/package-lock.json"] {
            let lock: serde_json::Value = serde_json::from_str(&read(file)).expect("JSON");
            let places = lock.get("packages").and_then(serde_json::Value::as_object).expect("packages");
            for name in places.keys().filter_map(|place| place.rsplit_once("node_modules/")).map(|(_, name)| name) {
                count += 1;
                assert_eq!(Registry::Npm.near(name), None, "{name}");
            }
        }
        for file in ["requirements.txt", "requirements-v1.txt"] {
            for name in read(file).lines().filter_map(|line| line.split_once("==")).map(|(name, _)| name) {
                count += 1;
                assert_eq!(Registry::Pypi.near(name.trim()), None, "{name}");
            }
        }
        let lock: toml::Table = read("../../Cargo.lock").parse().expect("TOML");
        for package in lock.get("package").and_then(toml::Value::as_array).expect("packages") {
            let name = package.get("name").and_then(toml::Value::as_str).expect("a name");
            count += 1;
            assert_eq!(Registry::Crates.near(name), None, "{name}");
        }
        assert!(count > 600, "{count}");
    }

    #[test]
    fn no_name_is_on_both_lists() {
        for registry in [Registry::Npm, Registry::Pypi, Registry::Crates] {
            let names: Vec<String> = registry.popular().map(|name| registry.normal(name)).collect();
            assert!(names.len() > 200, "{}", names.len());
            assert!(NEIGHBOURS.iter().all(|name| !names.iter().any(|popular| popular == name)), "{registry:?}");
        }
    }
}
