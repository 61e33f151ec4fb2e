//! A registry that speaks npm's protocol.

use std::fs;

use crib_model::Code;
use crib_package::{FindingKind, Lock, Locked, Means, Owner, Policy, Progress, Proof, Source, Verdict};
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
    let sweep = || other.sweep(|| Ok(Lock::default())).expect("it is cleared");
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

#[test]
fn an_update_tells_what_its_code_mentions_and_its_manifest_asks_for_that_it_did_not() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    let publish = |version: &str, script: &str| {
        registry.npm.publish(&Package { signs: Signs::This, ..Package::new("reaching-server", version, script) });
    };
    publish("1.0.0", "#!/usr/bin/env node\nconsole.log(process.env.HOST)\n");
    let packages = registry.world.packages(Policy::default(), TOOLS);
    let before = registry.world.pull(&packages, "npm:reaching-server", None).expect("it is pulled").locked;
    assert_eq!(packages.reach(&before).expect("it is here").of_means(Means::Processes).count(), 0);
    publish("1.1.0", "#!/usr/bin/env node\nrequire('child_process');\nconsole.log(process.env.HOST, process.env.API_TOKEN)\n");
    let after = registry.world.pull(&packages, "npm:reaching-server", Some(&before)).expect("it is pulled");
    let changes = after.changes.expect("changes");
    let text = changes.to_string();
    for line in [
        "reaches     now also for processes (reaching-server 1.1.0, index.js)\n",
        "reads       now also API_TOKEN (reaching-server 1.1.0)\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(changes.asks.is_empty() && changes.asks_no_more.is_empty(), "{text}");
    let reach = packages.reach(&after.locked).expect("it is here");
    assert!(reach.is_whole);
    assert_eq!(reach.of_means(Means::Processes).collect::<Vec<_>>(), [("reaching-server", "index.js")]);
    // Nothing is gained where the code is the same.
    assert!(packages.changes(&after.locked, &after.locked).is_empty());
}

#[test]
fn a_name_like_a_popular_one_among_what_is_needed_is_refused() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("good-server", &good());
    registry.publish("lodahs", &good());
    let pull = |policy: Policy| {
        let packages = registry.world.packages(policy, TOOLS);
        let mut source = Source::parse("npm:good-server").expect("a source");
        if let Source::Npm { more, .. } = &mut source {
            more.with.push("lodahs".to_owned());
        }
        registry.world.wait(packages.pull(&source, None, &Progress::silent()))
    };
    refused(pull(Policy::default()), Code::PackageRefused, "`lodahs@1.2.0`, which `npm:good-server` needs");
    assert!(is_empty(&registry.world.path("data")));
    assert!(pull(Policy::default().with(FindingKind::Typosquat, Verdict::Allow)).is_ok());
}

#[test]
fn what_one_refuses_is_not_taken_from_another_who_wants_it() {
    if lacks("npm") {
        return;
    }
    let registry = Registry::new();
    registry.publish("good-server", &good());
    let data = registry.world.path("data");
    let wants = registry.world.packages(Policy::default(), TOOLS);
    let refuses = registry.world.packages(Policy::default(), TOOLS);
    let source = Source::parse("npm:good-server").expect("a source");
    let locked = registry.world.pull(&wants, "npm:good-server", None).expect("it is pulled").locked;
    // To him it is a step back, which is seen when everything is here.
    let newer = Locked { version: "9.0.0".to_owned(), packages: Default::default(), ..locked.clone() };
    let nothing = || Ok(Lock::default());
    let all = || {
        let mut lock = Lock::default();
        lock.put(&Owner::Own, "good", locked.clone());
        Ok(lock)
    };
    let empty = || assert_eq!(wants.sweep(nothing).expect("nobody is busy"), 1);
    let refuse = || refused(registry.world.wait(refuses.pull(&source, Some(&newer), &Progress::silent())), Code::PackageRefused, "go back");
    empty();

    // Nobody else wants it.
    refuse();
    refuses.forget_refused(nothing).expect("it is removed");
    assert!(is_empty(&data));

    // Another one has found it there, and has not locked it yet.
    refuse();
    let busy = wants.busy();
    registry.world.wait(wants.pull(&source, None, &Progress::silent())).expect("it is pulled");
    refuses.forget_refused(nothing).expect("it stays");
    wants.start(&locked).expect("it is there");
    // Now he has.
    drop(busy);
    refuses.forget_refused(all).expect("it stays");
    wants.start(&locked).expect("it is there");
    empty();

    // Both at once.
    let busy = wants.busy();
    let (silent, other) = (Progress::silent(), Progress::silent());
    registry.world.wait(async {
        let (refused, pulled) = tokio::join!(refuses.pull(&source, Some(&newer), &silent), wants.pull(&source, None, &other));
        assert!(refused.is_err() && pulled.is_ok());
    });
    refuses.forget_refused(nothing).expect("it stays");
    drop(busy);
    refuses.forget_refused(all).expect("it stays");
    wants.start(&locked).expect("it is there");
}
