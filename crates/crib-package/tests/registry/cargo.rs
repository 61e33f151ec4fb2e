//! Crates of an index of our own. How they are built is tested with the whole program, which is its own sandbox.

use std::fs;
use std::io::Write as _;

use crib_model::{Code, Fault};
use crib_package::{Digest, FindingKind, Listed, Listing, Policy, Progress, Pulled, Source, Standing, Verdict};
use crib_test::crates::{Crate, Index};

use crate::world::{World, is_empty, lacks, refused};

const TOOLS: &[&str] = &["cargo", "rustc", "cc"];

/// Publishes a crate whose program prints a text; its index has the digest of `promised`, where that is another one.
fn publish(world: &World, promised: Option<&[u8]>) -> Vec<u8> {
    let index = Index::new(world.site.clone());
    fs::create_dir_all(world.path(".cargo")).expect("a folder");
    fs::write(world.path(".cargo/config.toml"), index.settings()).expect("a file");
    let files = [("src/main.rs", "fn main() { println!(\"hello\"); }")];
    index.publish(&Crate { name: "good-server", files: &files, needs: None }, promised).0
}

fn listed(world: &World, sha256: String) -> Result<Pulled, Fault> {
    let listed = Listed { name: "io.github.a/b".to_owned(), version: "1.0.0".to_owned(), registry: world.site.base.clone(), asks: None };
    let listing = Listing { listed, standing: Standing::Active, sha256: Some(sha256) };
    let source = Source::parse("cargo:good-server@1.0.0")?;
    world.wait(world.packages(Policy::default(), TOOLS).pull_listed(&source, &listing, None, &Progress::silent()))
}

#[test]
fn a_crate_is_not_built_where_nothing_confines_the_build() {
    if TOOLS.iter().any(|tool| lacks(tool)) {
        return;
    }
    let world = World::new();
    let archive = publish(&world, None);
    let strict = world.packages(Policy::default().with(FindingKind::Built, Verdict::Refuse), TOOLS);
    refused(world.pull(&strict, "cargo:good-server", None), Code::PackageRefused, "built");
    refused(listed(&world, Digest::of(b"another").hex()), Code::PackageUnverified, "not the file that is listed");
    refused(listed(&world, Digest::of(&archive).hex()), Code::SandboxFailed, "cannot be built in a sandbox");
    assert!(is_empty(&world.path("data")));
}

#[test]
fn a_crate_that_is_not_the_promised_one_is_not_built() {
    if TOOLS.iter().any(|tool| lacks(tool)) {
        return;
    }
    let world = World::new();
    publish(&world, Some(b"another"));
    let result = world.pull(&world.packages(Policy::default(), TOOLS), "cargo:good-server", None);
    refused(result, Code::PackageUnverified, "not what the index promised");
    assert!(is_empty(&world.path("data")));
    refused(world.pull(&world.packages(Policy::default(), TOOLS), "cargo:absent-server", None), Code::PackageMissing, "not in the index");
}

#[test]
fn without_cargo_it_is_said_what_is_missing() {
    let world = World::new();
    if std::path::Path::new("/usr/bin/cargo").exists() {
        drop(writeln!(std::io::stderr(), "skipped: there is a cargo where programs are always looked for"));
        return;
    }
    refused(world.pull(&world.packages(Policy::default(), &[]), "cargo:good-server", None), Code::RuntimeMissing, "cargo");
}
