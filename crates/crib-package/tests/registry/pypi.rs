//! An index that speaks PyPI's protocol.

use std::io::Write as _;

use crib_model::Code;
use crib_package::{Digest, FindingKind, Listed, Listing, Policy, Progress, Proof, Source, Standing};

use crate::world::{World, kinds, lacks, refused, run};

fn wheel(name: &str, says: &str) -> Vec<u8> {
    crib_test::pypi::wheel(name, &format!("print({says:?})"))
}

fn publish(world: &World, name: &str, file: &str, bytes: Vec<u8>, promised: &[u8]) {
    crib_test::pypi::publish(&world.site, (name, file), bytes, promised, &[]);
}

/// Runs a test with each installer that is there.
pub(crate) fn each(test: impl Fn(&World, &[&str])) {
    for tools in [&["uv", "python3"][..], &["python3"]] {
        if !tools.iter().any(|tool| lacks(tool)) {
            test(&World::new(), tools);
        }
    }
}

#[test]
fn a_good_package_is_installed_from_its_wheel_and_started_from_the_store() {
    each(|world, tools| {
        let good = wheel("good_server", "hello");
        publish(world, "good-server", "good_server-1.0-py3-none-any.whl", good.clone(), &good);
        let packages = world.packages(Policy::default(), tools);
        let pulled = world.pull(&packages, "pypi:good-server", None).expect("it is pulled");
        assert_eq!(pulled.locked.version, "1.0");
        assert!(matches!(&pulled.locked.provenance.attestation, Proof::Present { note } if note.contains("owner/repository")));
        assert!(!kinds(&pulled).contains(&FindingKind::Unsigned));
        assert_eq!(run(&packages, &pulled.locked), "hello");
        let again = world.pull(&packages, "pypi:good-server", Some(&pulled.locked)).expect("it is pulled again");
        assert_eq!(again.locked.tree, pulled.locked.tree);
        let module = packages.folder(&pulled.locked).expect("a folder").join("tree/good_server/__init__.py");
        std::fs::remove_file(&module).expect("a file");
        assert_eq!(packages.start(&again.locked).expect_err("it is not started").code(), Code::PackageUnverified);
    });
}

#[test]
fn tampered_bytes_are_refused() {
    each(|world, tools| {
        let promised = wheel("tampered_server", "hello");
        publish(world, "tampered-server", "tampered_server-1.0-py3-none-any.whl", wheel("tampered_server", "evil!"), &promised);
        let packages = world.packages(Policy::default(), tools);
        refused(world.pull(&packages, "pypi:tampered-server", None), Code::PackageUnverified, "promised");
    });
}

#[test]
fn what_would_have_to_be_built_is_refused() {
    each(|world, tools| {
        publish(world, "source-server", "source_server-1.0.tar.gz", b"no archive".to_vec(), b"no archive");
        let packages = world.packages(Policy::default(), tools);
        let fault = world.pull(&packages, "pypi:source-server", None).expect_err("it is refused");
        assert!(matches!(fault.code(), Code::PullFailed | Code::PackageMissing), "{fault}");
    });
}

#[test]
fn what_is_not_there_is_told() {
    each(|world, tools| {
        let packages = world.packages(Policy::default(), tools);
        refused(world.pull(&packages, "pypi:absent-server", None), Code::PackageMissing, "not in the index");
    });
}

#[test]
fn what_is_listed_is_the_file_and_the_server_it_says() {
    each(|world, tools| {
        let good = wheel("listed_server", "hello");
        publish(world, "listed-server", "listed_server-1.0-py3-none-any.whl", good.clone(), &good);
        let pull = |name: &str, sum: String| {
            let listed = Listed { name: name.to_owned(), version: "1.0".to_owned(), registry: world.site.base.clone(), asks: None };
            let listing = Listing { listed, standing: Standing::Active, sha256: Some(sum) };
            let source = Source::parse("pypi:listed-server@1.0").expect("a source");
            world.wait(world.packages(Policy::default(), tools).pull_listed(&source, &listing, None, &Progress::silent()))
        };
        let pulled = pull("io.github.a/listed_server", Digest::of(&good).hex()).expect("it is pulled");
        assert_eq!(kinds(&pulled), Vec::new());
        assert_eq!(pulled.locked.listed.expect("it is listed").name, "io.github.a/listed_server");
        refused(pull("io.github.a/listed_server", Digest::of(b"another").hex()), Code::PackageUnverified, "the one that is listed");
        refused(pull("io.github.a/listed", Digest::of(&good).hex()), Code::PackageRefused, "misclaimed");
    });
}

#[test]
fn the_python_and_the_program_that_are_named_are_used() {
    each(|world, tools| {
        let good = wheel("good_server", "hello");
        publish(world, "good-server", "good_server-1.0-py3-none-any.whl", good.clone(), &good);
        let packages = world.packages(Policy::default(), tools);
        let pulled = world.pull(&packages, "uvx://--from good-server==1.0 good-server", None).expect("it is pulled").locked;
        assert_eq!((pulled.marks().as_str(), run(&packages, &pulled).as_str()), ("", "hello"));
        let version = pulled.runtime.as_ref().expect("an interpreter").version.clone();
        let series = version.rsplit_once('.').expect("numbers").0.to_owned();
        // The interpreter may be known by its series only where there is uv to be asked, or a program of that name.
        if let Ok(same) = world.pull(&packages, &format!("uvx://--python {series} good-server"), None) {
            assert!(same.locked.runtime.expect("an interpreter").version.starts_with(&format!("{series}.")));
            assert_eq!(same.locked.python, Some(series));
        }
        refused(world.pull(&packages, "pypi:good-server?python=3.99", None), Code::RuntimeMissing, "there is no Python 3.99");
        refused(world.pull(&packages, "pypi:good-server#other", None), Code::PullFailed, "it has no program `other`");
    });
}

#[test]
fn what_is_locked_for_two_interpreters_starts_with_each() {
    if lacks("uv") || lacks("python3") {
        return;
    }
    let world = World::new();
    let good = wheel("good_server", "hello");
    publish(&world, "good-server", "good_server-1.0-py3-none-any.whl", good.clone(), &good);
    let packages = world.packages(Policy::default(), &["uv", "python3"]);
    let one = world.pull(&packages, "pypi:good-server", None).expect("it is pulled").locked;
    // The next one is found where programs always are.
    std::fs::remove_file(world.path("bin/python3")).expect("it was put there");
    let other = match world.pull(&world.packages(Policy::default(), &["uv"]), "pypi:good-server", None) {
        Ok(pulled) if pulled.locked.runtime != one.runtime => pulled.locked,
        Ok(_) | Err(_) => {
            drop(writeln!(std::io::stderr(), "skipped: there is one Python here"));
            return;
        }
    };
    assert!(one.tree == other.tree && one.made != other.made, "{:?} {:?}", one.runtime, other.runtime);
    assert_eq!((run(&packages, &one).as_str(), run(&packages, &other).as_str()), ("hello", "hello"));
}
