//! The layers: which crate may know which.
//!
//! A new edge needs a decision record in `docs/adr/` and a line here.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Findings, Source};
use crate::sh;

/// Each crate and the crates of ours it may depend on. Where two crates are of one layer, neither knows the other.
const LAYERS: &[(&str, &[&str])] = &[
    ("crib-mcp", &[]),
    ("crib-model", &["crib-mcp"]),
    ("crib-policy", &["crib-model", "crib-mcp"]),
    ("crib-plan", &["crib-model", "crib-mcp"]),
    ("crib-registry", &["crib-model", "crib-mcp"]),
    ("crib-store", &["crib-model", "crib-mcp"]),
    ("crib-clients", &[]),
    ("crib-scaffold", &[]),
    ("crib-test", &[]),
    ("crib-words", &[]),
    ("crib-transport", &["crib-model", "crib-mcp"]),
    ("crib-sandbox", &["crib-model"]),
    ("crib-oci", &["crib-model", "crib-mcp", "crib-transport"]),
    ("crib-package", &["crib-model", "crib-mcp", "crib-oci", "crib-sandbox", "crib-transport"]),
    ("crib-cluster", &["crib-model", "crib-mcp", "crib-transport"]),
    ("crib-market", &["crib-model", "crib-mcp", "crib-registry", "crib-store", "crib-transport"]),
    ("crib-connect", &["crib-model", "crib-mcp", "crib-transport"]),
    ("crib-proxy", &["crib-model", "crib-mcp", "crib-policy", "crib-plan", "crib-registry"]),
    ("crib-agent", &["crib-model", "crib-plan"]),
    ("crib-control", &["crib-model", "crib-mcp", "crib-policy", "crib-registry", "crib-store", "crib-clients", "crib-proxy"]),
    ("crib-inspect", &["crib-model", "crib-mcp", "crib-policy", "crib-registry", "crib-transport", "crib-connect"]),
    ("xtask", &[]),
];

/// Crates that may know every other.
const TOPS: &[&str] = &["crib-cli", "crib-spec"];

/// Crates without a socket, file, clock or randomness of their own: these come in through ports.
const PURE: &[&str] =
    &["crib-mcp", "crib-model", "crib-policy", "crib-plan", "crib-registry", "crib-clients", "crib-scaffold", "crib-words", "crib-agent"];

/// What a pure crate may not name.
const IMPURE: &[&str] = &[
    "std::env::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "tokio::fs",
    "tokio::net",
    "tokio::process",
    "tokio::runtime",
    "tokio::time",
    "tokio::spawn",
    "tokio::task",
    "getrandom::",
    "hyper::",
    "reqwest::",
    "rustix::",
];

/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &["common", "core", "util", "utils", "types", "helpers", "misc"];

/// Checks that the pure crates are.
pub(super) fn check_purity(sources: &[Source], findings: &mut Findings) {
    let is_pure = |source: &&Source| PURE.iter().any(|name| source.path.starts_with(&format!("crates/{name}/src/")));
    for source in sources.iter().filter(is_pure).filter(|source| !source.is_test()) {
        for (number, line) in source.production().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if let Some(word) = IMPURE.iter().find(|word| line.contains(**word)) {
                findings.add(format_args!("{}:{number}", source.path), format_args!("`{word}` in a crate that has no world of its own"));
            }
        }
    }
}

/// Checks the edges between our crates.
pub(super) fn check(findings: &mut Findings) -> Result<()> {
    let text = sh::output(&mut sh::cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(name).collect();
    for package in packages {
        let Some(this) = name(package) else { continue };
        let manifest = format!("{this}/Cargo.toml");
        check_name(package, this, findings);
        if path(package).contains("/examples/") {
            continue; // an example is a program of its own, which may use what anyone may use
        }
        let allowed = LAYERS.iter().find(|(known, _)| *known == this).map(|(_, allowed)| *allowed);
        if allowed.is_none() && !TOPS.contains(&this) {
            findings.add(&manifest, "the crate is not in the layer table (xtask/src/tidy/layers.rs)");
        }
        for other in dependencies(package) {
            let is_edge_known = allowed.is_none_or(|allowed| allowed.contains(&other));
            if ours.contains(&other) && !is_edge_known {
                findings.add(&manifest, format_args!("may not depend on `{other}` (see the layers in ARCHITECTURE.md)"));
            }
        }
    }
    Ok(())
}

fn check_name(package: &Value, name: &str, findings: &mut Findings) {
    let manifest = path(package);
    let folder = manifest.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    if folder != name {
        findings.add(manifest, format_args!("the folder of `{name}` has another name"));
    }
    if name.rsplit('-').next().is_some_and(|last| VAGUE.contains(&last)) {
        findings.add(manifest, "the name of the crate says nothing about what is inside");
    }
}

fn path(package: &Value) -> &str {
    package.get("manifest_path").and_then(Value::as_str).unwrap_or_default()
}

fn name(package: &Value) -> Option<&str> {
    package.get("name").and_then(Value::as_str)
}

/// Returns the dependencies the crate is built with; what only its tests use is not an edge.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    package
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|dependency| dependency.get("kind").is_none_or(Value::is_null))
        .filter_map(name)
}
