//! A sparse index of crates.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use crib_model::{Code, Fault};
use crib_package::{Digest, FindingKind, Listed, Listing, Policy, Progress, Pulled, Source, Standing, Verdict};
use serde_json::json;

use crate::world::{World, is_empty, kinds, lacks, refused, run};

const TOOLS: &[&str] = &["cargo", "rustc", "cc"];

/// Publishes a crate whose program prints a text; its index has the digest of `promised`, where that is another one.
fn publish(world: &World, promised: Option<&[u8]>) -> Vec<u8> {
    let folder = world.path("good-server-1.0.0");
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"good-server\"\nversion = \"1.0.0\"\nedition = \"2021\"\n").expect("a file");
    fs::write(folder.join("Cargo.lock"), "version = 3\n\n[[package]]\nname = \"good-server\"\nversion = \"1.0.0\"\n").expect("a file");
    fs::write(folder.join("src/main.rs"), "fn main() { println!(\"hello\"); }").expect("a file");
    let tar = Command::new("tar").args(["czf", "-", "good-server-1.0.0"]).current_dir(world.path("")).output().expect("tar").stdout;
    let sum = Digest::of(promised.unwrap_or(&tar)).hex();
    let line = json!({ "name": "good-server", "vers": "1.0.0", "deps": [], "cksum": sum, "features": {}, "yanked": false });
    world.site.serve("/index/config.json", "application/json", json!({ "dl": format!("{}/crates", world.site.base) }).to_string());
    world.site.serve("/index/go/od/good-server", "text/plain", format!("{line}\n"));
    world.site.serve("/crates/good-server/1.0.0/download", "application/gzip", tar.clone());
    let home = world.path(".cargo");
    fs::create_dir_all(&home).expect("a folder");
    let config =
        format!("[source.crates-io]\nreplace-with = \"loopback\"\n[source.loopback]\nregistry = \"sparse+{}/index/\"\n", world.site.base);
    fs::write(home.join("config.toml"), config).expect("a file");
    tar
}

fn allowed() -> Policy {
    Policy::default().with(FindingKind::Built, Verdict::Warn)
}

fn listed(world: &World, sha256: String) -> Result<Pulled, Fault> {
    let listed = Listed { name: "io.github.a/b".to_owned(), version: "1.0.0".to_owned(), registry: world.site.base.clone() };
    let listing = Listing { listed, standing: Standing::Active, sha256: Some(sha256) };
    let source = Source::parse("cargo:good-server@1.0.0")?;
    world.wait(world.packages(allowed(), TOOLS).pull_listed(&source, &listing, None, &Progress::silent()))
}

#[test]
fn a_crate_is_built_where_that_is_allowed_and_started_from_the_store() {
    if TOOLS.iter().any(|tool| lacks(tool)) {
        return;
    }
    let world = World::new();
    let archive = publish(&world, None);
    refused(world.pull(&world.packages(Policy::default(), TOOLS), "cargo:good-server", None), Code::PackageRefused, "built");
    let packages = world.packages(allowed(), TOOLS);
    let pulled = world.pull(&packages, "cargo:good-server", None).expect("it is built");
    assert_eq!((pulled.locked.version.as_str(), kinds(&pulled)), ("1.0.0", vec![FindingKind::Built]));
    assert_eq!(pulled.locked.provenance.integrity, Some(Digest::of(&archive).to_string()));
    assert_eq!(run(&packages, &pulled.locked), "hello");
    refused(listed(&world, Digest::of(b"another").hex()), Code::PackageUnverified, "not the file that is listed");
    assert!(listed(&world, Digest::of(&archive).hex()).is_ok());
}

#[test]
fn a_crate_that_is_not_the_promised_one_is_not_built() {
    if TOOLS.iter().any(|tool| lacks(tool)) {
        return;
    }
    let world = World::new();
    publish(&world, Some(b"another"));
    let result = world.pull(&world.packages(allowed(), TOOLS), "cargo:good-server", None);
    refused(result, Code::PackageUnverified, "not what the index promised");
    assert!(is_empty(&world.path("data")));
    refused(world.pull(&world.packages(allowed(), TOOLS), "cargo:absent-server", None), Code::PackageMissing, "not in the index");
}

#[test]
fn without_cargo_it_is_said_what_is_missing() {
    let world = World::new();
    if std::path::Path::new("/usr/bin/cargo").exists() {
        drop(writeln!(std::io::stderr(), "skipped: there is a cargo where programs are always looked for"));
        return;
    }
    refused(world.pull(&world.packages(allowed(), &[]), "cargo:good-server", None), Code::RuntimeMissing, "cargo");
}
