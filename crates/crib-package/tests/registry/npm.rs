//! A registry that speaks npm's protocol.

use std::fs;

use crib_model::Code;
use crib_package::{FindingKind, Policy, Proof, Verdict};
use crib_test::npm::{Package, Signs};

use crate::world::{World, is_empty, kinds, lacks, refused, run};

pub(crate) const TOOLS: &[&str] = &["npm", "node"];

/// How a package of the registry is made.
pub(crate) struct Made<'a> {
    pub(crate) version: &'a str,
    pub(crate) says: &'a str,
    pub(crate) signs: Signs,
}

pub(crate) struct Registry {
    pub(crate) world: World,
    pub(crate) npm: crib_test::npm::Registry,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let npm = crib_test::npm::Registry::new();
        Self { world: World::of(npm.site.clone()), npm }
    }

    /// Publishes a version as the latest; it would leave a trace if its script was run.
    pub(crate) fn publish(&self, name: &str, made: &Made<'_>) -> crib_test::npm::Published {
        self.with(name, made, |package| self.npm.publish(package))
    }

    fn with<T>(&self, name: &str, made: &Made<'_>, then: impl FnOnce(&Package<'_>) -> T) -> T {
        let script = format!("#!/usr/bin/env node\nconsole.log({:?})\n", made.says);
        let postinstall = format!("touch {}", self.world.path("script-was-run").display());
        let package = Package::new(name, made.version, &script);
        then(&Package { signs: made.signs, postinstall: Some(&postinstall), ..package })
    }
}

pub(crate) fn good() -> Made<'static> {
    Made { version: "1.2.0", says: "hello", signs: Signs::This }
}

#[test]
fn a_good_package_is_installed_verified_and_started_and_none_of_its_scripts_was_run() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("good-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let pulled = registry.world.pull(&packages, "npm:good-server", None).expect("it is pulled");
    assert_eq!(pulled.locked.version, "1.2.0");
    assert!(matches!(pulled.locked.provenance.signature, Proof::Verified { .. }), "{:?}", pulled.locked.provenance);
    assert_eq!(pulled.locked.provenance.publisher.as_deref(), Some("somebody"));
    assert_eq!(kinds(&pulled), [FindingKind::InstallScript]);
    assert_eq!(run(&packages, &pulled.locked), "hello");
    assert!(!registry.world.path("script-was-run").exists());
    let again = registry.world.pull(&packages, "npm:good-server", Some(&pulled.locked)).expect("it is pulled again");
    assert_eq!(again.locked, pulled.locked, "the same bytes are the same lock");
    assert!(again.changes.expect("changes").is_empty());
}

#[test]
fn an_unsigned_package_is_said_and_by_policy_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("unsigned-server", &Made { signs: Signs::Nothing, ..good() });
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let pulled = registry.world.pull(&packages, "npm:unsigned-server", None).expect("it is pulled");
    assert!(kinds(&pulled).contains(&FindingKind::Unsigned));
    let strict = registry.world.packages(Policy::default().with(FindingKind::Unsigned, Verdict::Refuse), TOOLS);
    refused(registry.world.pull(&strict, "npm:unsigned-server", None), Code::PackageRefused, "unsigned");
}

#[test]
fn a_signature_of_something_else_is_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("bad-server", &Made { signs: Signs::Another, ..good() });
    let packages = registry.world.packages(Policy::default(), TOOLS);
    refused(registry.world.pull(&packages, "npm:bad-server", None), Code::PackageRefused, "bad-signature");
    assert!(is_empty(&registry.world.path("data")));
}

#[test]
fn tampered_bytes_are_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("tampered-server", &good());
    let other = registry.with("tampered-server", &Made { says: "evil", ..good() }, |package| package.archive());
    registry.world.site.serve("/tampered-server/-/tampered-server-1.2.0.tgz", "application/octet-stream", other);
    let packages = registry.world.packages(Policy::default(), TOOLS);
    refused(registry.world.pull(&packages, "npm:tampered-server", None), Code::PackageUnverified, "promised");
    assert!(is_empty(&registry.world.path("data")));
}

#[test]
fn files_swapped_after_they_were_verified_are_not_started() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("swapped-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let locked = registry.world.pull(&packages, "npm:swapped-server", None).expect("it is pulled").locked;
    let script = packages.folder(&locked).expect("a folder").join("tree/node_modules/swapped-server/index.js");
    let old = fs::read(&script).expect("a file");
    fs::remove_file(&script).expect("a file");
    fs::write(&script, "console.log('evil!')\n").expect("a file");
    let fault = packages.start(&locked).expect_err("it is not started");
    assert_eq!(fault.code(), Code::PackageUnverified, "{fault}");
    assert!(fault.to_string().contains("swapped-server/index.js"), "{fault}");
    // Pulling it again puts the right bytes in place of the wrong ones.
    let again = registry.world.pull(&packages, "npm:swapped-server", Some(&locked)).expect("it is pulled again").locked;
    assert_eq!(fs::read(&script).expect("a file"), old);
    assert_eq!(run(&packages, &again), "hello");
    // A new list of files does not make them right.
    let folder = packages.folder(&locked).expect("a folder");
    let list = fs::read_to_string(folder.join("tree.files")).expect("a list");
    fs::write(folder.join("tree.files"), list.replacen("f ", "x ", 1)).expect("a list");
    assert_eq!(packages.start(&locked).expect_err("it is not started").code(), Code::PackageUnverified);
}

#[test]
fn an_update_says_what_changed_and_a_step_back_is_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("moving-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let first = registry.world.pull(&packages, "npm:moving-server", None).expect("it is pulled").locked;
    registry.publish("moving-server", &Made { version: "1.10.0", says: "hello again", ..good() });
    let second = registry.world.pull(&packages, "npm:moving-server", Some(&first)).expect("it is pulled");
    let changes = second.changes.expect("changes");
    assert_eq!(changes.version.as_ref().map(ToString::to_string).as_deref(), Some("1.2.0 -> 1.10.0"));
    assert_eq!(changes.packages.len(), 1);
    assert!(changes.files_changed.iter().any(|path| path.ends_with("index.js")), "{changes}");
    registry.publish("moving-server", &good());
    let result = registry.world.pull(&packages, "npm:moving-server", Some(&second.locked));
    refused(result, Code::PackageRefused, "downgrade");
}

#[test]
fn a_version_that_was_published_twice_is_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("twice-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let locked = registry.world.pull(&packages, "npm:twice-server", None).expect("it is pulled").locked;
    registry.publish("twice-server", &Made { says: "other", ..good() });
    refused(registry.world.pull(&packages, "npm:twice-server", Some(&locked)), Code::PackageRefused, "republished");
}

#[test]
fn a_name_one_letter_away_from_a_popular_one_is_refused_before_anything_is_asked() {
    let world = World::new();
    let packages = world.packages(Policy::default(), TOOLS);
    refused(world.pull(&packages, "npm:@modelcontextprotocol/server-filesytem", None), Code::PackageRefused, "server-filesystem");
}

#[test]
fn what_is_not_there_is_told() {
    if lacks("npm") {
        return;
    }
    let world = World::new();
    let packages = world.packages(Policy::default(), TOOLS);
    refused(world.pull(&packages, "npm:absent-server", None), Code::PackageMissing, "not in the registry");
    let bare = World::new();
    let packages = bare.packages(Policy::default(), &[]);
    if !std::path::Path::new("/usr/bin/npm").exists() {
        refused(bare.pull(&packages, "npm:absent-server", None), Code::RuntimeMissing, "npm");
    }
}

#[test]
fn the_program_that_is_named_is_started_with_the_packages_beside_it() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("helper", &Made { says: "the helper", ..good() });
    let manifest = r#"{"name":"tools","version":"1.0.0","bin":{"first":"first.js","second":"second.js"}}"#;
    let second = "try { require('helper') } catch { console.log('alone') }\n";
    let files = [("package.json", manifest), ("first.js", "console.log('first')\n"), ("second.js", second)];
    registry.npm.publish_archive(&Package::new("tools", "1.0.0", ""), crib_test::npm::packed(&files));
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let fault = registry.world.pull(&packages, "npm:tools", None).expect_err("it cannot be told which");
    assert!(fault.remedy().is_some_and(|hint| hint.contains("npm:tools#PROGRAM")), "{fault}");
    let locked = registry.world.pull(&packages, "npx://-y -p tools first", None).expect("it is pulled").locked;
    assert_eq!((locked.program.as_deref(), run(&packages, &locked).as_str()), (Some("first"), "first"));
    assert_eq!(locked.marks(), "#first");
    let alone = registry.world.pull(&packages, "npm:tools#second", None).expect("it is pulled").locked;
    assert_eq!(run(&packages, &alone), "alone");
    let locked = registry.world.pull(&packages, "npx://-p tools -p helper@1.2.0 second", None).expect("it is pulled").locked;
    assert_eq!((run(&packages, &locked).as_str(), locked.with), ("the helper", vec!["helper@1.2.0".to_owned()]));
    refused(registry.world.pull(&packages, "npm:tools#third", None), Code::PullFailed, "it has no program `third`");
}

#[test]
fn what_others_left_half_made_is_cleared_away_and_what_is_being_made_is_not() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("good-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let left = registry.world.path("data/store/.new-0123456789abcdef");
    let leave = || fs::create_dir_all(left.join("tree/node_modules")).expect("a folder");
    leave();
    let pulled = registry.world.pull(&packages, "npm:good-server", None).expect("it is pulled");
    assert!(!left.exists(), "whoever left it was killed");
    // Somebody is pulling something now.
    leave();
    let busy = packages.busy();
    assert!(!left.exists());
    leave();
    let other = registry.world.packages(Policy::default(), TOOLS);
    assert!(registry.world.pull(&other, "npm:good-server", None).is_ok());
    let sweep = || other.sweep(|| Ok(crib_package::Lock::default())).expect("it is cleared");
    assert_eq!(sweep(), 0);
    assert!(left.exists() && packages.start(&pulled.locked).is_ok());
    drop(busy);
    assert_eq!(sweep(), 2);
    assert!(!left.exists() && packages.start(&pulled.locked).is_err());
}

#[test]
fn what_npm_left_unfinished_is_not_taken_for_whole() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("good-server", &good());
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let npm = registry.world.path("bin/npm");
    let real = fs::read_to_string(&npm).expect("a script");
    // As it does where the disk is full: it says that all is well.
    fs::write(&npm, real.replace("exec ", "[ \"$1\" = ci ] && exit 0\nexec ")).expect("writable");
    refused(registry.world.pull(&packages, "npm:good-server", None), Code::PullFailed, "npm left it unfinished");
    assert!(is_empty(&registry.world.path("data")));
}
