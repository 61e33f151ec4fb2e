//! What npm resolved: which packages, from where, with which hashes.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crib_model::{Code, Fault};
use serde_json::Value;

use crate::{Finding, FindingKind};

/// The packages of one tree.
#[derive(Debug)]
pub(super) struct Resolution {
    pub(super) version: String,
    /// Of the package itself.
    pub(super) integrity: String,
    /// `name@version` to the digests in the lock of npm.
    pub(super) packages: BTreeMap<String, Vec<String>>,
    pub(super) findings: Vec<Finding>,
    /// Packages with install scripts.
    pub(super) scripts: Vec<Script>,
}

/// A package with an install script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) name: String,
    /// `name@version`.
    pub(super) label: String,
    /// Its folder in the tree.
    pub(super) place: PathBuf,
}

impl Resolution {
    /// Reads a `package-lock.json`; refuses what does not come from a registry.
    pub(super) fn read(lock: &Value, name: &str) -> Result<Self, Fault> {
        let entries = lock.get("packages").and_then(Value::as_object).ok_or_else(|| odd("it has no packages"))?;
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut this =
            Self { version: String::new(), integrity: String::new(), packages: BTreeMap::new(), findings: Vec::new(), scripts: Vec::new() };
        for (place, entry) in entries.iter().filter(|(place, _)| !place.is_empty()) {
            let package = place.rsplit("node_modules/").next().unwrap_or(place);
            let version = text(entry, "version").unwrap_or_default();
            let label = format!("{package}@{version}");
            let flag = |key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
            if flag("hasInstallScript") {
                let (name, label) = (package.to_owned(), label.clone());
                this.scripts.push(Script { name, label, place: inside(place)? });
            }
            // What is bundled lies inside the bytes of the package that brings it.
            if flag("inBundle") {
                continue;
            }
            check_place(&label, text(entry, "resolved").as_deref(), flag("link"))?;
            let integrity = text(entry, "integrity").ok_or_else(|| unverifiable(&label, "the registry gives no hash of it"))?;
            if !["sha512-", "sha384-", "sha256-"].iter().any(|strong| integrity.contains(strong)) {
                this.findings.push(Finding::new(FindingKind::WeakHash, format!("`{label}` has only a broken hash, `{integrity}`")));
            }
            if *place == format!("node_modules/{name}") {
                this.version.clone_from(&version);
                this.integrity.clone_from(&integrity);
            }
            this.packages.insert(label, vec![integrity]);
        }
        if this.version.is_empty() { Err(odd("the package itself is not in it")) } else { Ok(this) }
    }
}

/// A folder to be written to is one of the tree.
fn inside(place: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(place);
    let is_inside = path.starts_with("node_modules") && path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside { Ok(path) } else { Err(odd("it has a package outside of its folder")) }
}

fn check_place(label: &str, resolved: Option<&str>, is_link: bool) -> Result<(), Fault> {
    match resolved {
        _ if is_link => Err(unverifiable(label, "it is a link to a folder")),
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
        Some(other) => Err(unverifiable(label, &format!("it comes from `{other}`, not from a registry"))),
        // A registry that is left out of the lock is the configured one.
        None => Ok(()),
    }
}

fn unverifiable(label: &str, why: &str) -> Fault {
    Fault::new(Code::PackageUnverified, format!("`{label}` cannot be verified")).because(why)
}

fn odd(why: &str) -> Fault {
    Fault::new(Code::PullFailed, "npm wrote a lockfile that cannot be read").because(why)
}

/// Returns the script to start, of the package's `bin`: the one that is wanted, of its name, or the only one.
pub(super) fn entry(tree: &Path, name: &str, wanted: Option<&str>) -> Result<PathBuf, Fault> {
    let folder = Path::new("node_modules").join(name);
    let bad = |why: String| Fault::new(Code::PullFailed, format!("`npm:{name}` cannot be started")).because(why);
    let text = std::fs::read(tree.join(&folder).join("package.json")).map_err(|error| bad(error.to_string()))?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    let short = name.rsplit('/').next().unwrap_or(name);
    let script = match manifest.get("bin") {
        Some(Value::String(script)) if wanted.is_none_or(|wanted| wanted == short) => Some(script.as_str()),
        Some(Value::Object(scripts)) if wanted.is_some() => wanted.and_then(|wanted| scripts.get(wanted)).and_then(Value::as_str),
        Some(Value::Object(scripts)) => {
            let only = scripts.values().next().filter(|only| scripts.values().all(|other| other == *only));
            scripts.get(short).or_else(|| scripts.get(&format!("mcp-{short}"))).or(only).and_then(Value::as_str)
        }
        _ => None,
    };
    let none = || match wanted {
        Some(wanted) => bad(format!("it has no program `{wanted}`")),
        None => bad("it has no program (`bin`), or several of which none has its name".to_owned())
            .hint(format!("name one: toolcrib run npm:{name}#PROGRAM")),
    };
    let script = script.ok_or_else(none)?;
    let path = Path::new(script);
    if path.components().any(|part| matches!(part, Component::ParentDir | Component::RootDir | Component::Prefix(_))) {
        return Err(Fault::new(Code::PackageUnverified, format!("`npm:{name}` wants to start `{script}`, which is outside of it")));
    }
    let path = folder.join(path.strip_prefix(".").unwrap_or(path));
    if tree.join(&path).is_file() { Ok(path) } else { Err(bad(format!("its program `{script}` is not in it"))) }
}
