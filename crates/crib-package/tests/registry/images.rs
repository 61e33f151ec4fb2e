//! Images: locked by their digests, and started as they were locked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crib_model::Code;
use crib_package::{Entry, FindingKind, Policy, Verdict};
use serde_json::{Value, json};

use crate::shelf::Shelf;
use crate::world::{World, is_empty, kinds, refused};

fn layer(text: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, name: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        archive.append_data(&mut header, name, text.as_bytes()).expect("room");
    };
    add(tar::EntryType::Regular, "bin/server", text);
    add(tar::EntryType::Directory, "empty", "");
    archive.into_inner().expect("an archive")
}

fn config() -> Value {
    json!({ "Entrypoint": ["server"], "Cmd": ["--usual"], "Env": ["PATH=/bin", "MODE=one"], "WorkingDir": "/work", "User": "7" })
}

fn digest(descriptor: &Value) -> String {
    descriptor.get("digest").and_then(Value::as_str).expect("a digest").to_owned()
}

#[test]
fn an_image_is_locked_by_its_digest_and_starts_as_it_says() {
    let (world, shelf) = (World::new(), Shelf::new());
    let one = digest(&shelf.image(("owner/server", "1"), &config(), &[layer("one")]));
    let packages = world.packages(Policy::default(), &[]);
    let source = format!("oci:{}/owner/server:1", shelf.host);
    let pulled = world.pull(&packages, &source, None).expect("it is pulled");
    assert_eq!(kinds(&pulled), [FindingKind::Unsigned]);
    let locked = pulled.locked;
    assert_eq!((locked.version.as_str(), locked.provenance.integrity.as_ref()), ("1", Some(&one)));
    let start = packages.start(&locked).expect("it is what was locked");
    let image = start.image.clone().expect("a root directory");
    assert_eq!((start.cwd.clone(), image.user, image.root.join("empty").is_dir()), (Some(PathBuf::from("/work")), Some(7), true));
    assert_eq!(start.clone().with_args(&[]).args, ["--usual"]);
    assert_eq!(start.with_args(&["--mine".to_owned()]).args, ["--mine"], "as `docker run` has it");

    // The tag moves: what is new is said, and what the image says of itself is that of the new one.
    let mut next = config();
    next.as_object_mut().expect("an object").insert("Env".into(), json!(["PATH=/bin", "MODE=two"]));
    let two = digest(&shelf.image(("owner/server", "1"), &next, &[layer("two")]));
    let again = world.pull(&packages, &source, Some(&locked)).expect("it is pulled");
    let changes = again.changes.expect("they differ").to_string();
    assert!(changes.contains(&format!("{one} -> {two}")) && changes.contains("0 added, 0 removed, 1 changed"), "{changes}");
    let Entry::Image(entry) = again.locked.entry else { panic!("an image") };
    assert_eq!(entry.env.get("MODE").map(String::as_str), Some("two"));
    // The one before is still itself, and by its digest still to be had.
    packages.start(&locked).expect("it is what was locked");
    let pinned = world.pull(&packages, &format!("{source}@{one}"), None).expect("it is pulled");
    assert_eq!(pinned.locked.tree, locked.tree);
}

#[test]
fn what_was_changed_in_the_store_or_the_registry_is_refused() {
    type Change = fn(&std::path::Path) -> std::io::Result<()>;
    let changes: [Change; 4] = [
        |root| {
            fs::set_permissions(root.join("bin/server"), fs::Permissions::from_mode(0o755))?;
            fs::write(root.join("bin/server"), "evil")
        },
        |root| fs::write(root.join("new"), "evil"),
        |root| fs::create_dir(root.join("new")),
        |root| fs::remove_dir(root.join("empty")),
    ];
    for change in changes {
        let (world, shelf) = (World::new(), Shelf::new());
        shelf.image(("x", "1"), &config(), &[layer("one")]);
        let packages = world.packages(Policy::default(), &[]);
        let locked = world.pull(&packages, &format!("oci:{}/x:1", shelf.host), None).expect("it is pulled").locked;
        let root = packages.start(&locked).expect("untouched").image.expect("an image").root;
        change(&root).expect("a change");
        assert_eq!(packages.start(&locked).expect_err("it is found").code(), Code::PackageUnverified);
    }
    let (world, shelf) = (World::new(), Shelf::new());
    // A registry as they are, and one that answers with something else.
    shelf.ask_for_token(None);
    shelf.keep_blobs_elsewhere();
    shelf.cut_once_after(100);
    let one = digest(&shelf.image(("x", "1"), &config(), &[layer("one")]));
    let other = json!({ "schemaVersion": 2 }).to_string();
    shelf.serve(&format!("/v2/x/manifests/{one}"), "application/vnd.oci.image.manifest.v1+json", other);
    let packages = world.packages(Policy::default(), &[]);
    refused(world.pull(&packages, &format!("oci:{}/x:1@{one}", shelf.host), None), Code::PackageUnverified, "not what was asked for");
    assert!(shelf.asked().len() > 1);
    assert!(!world.path("data").join("store").exists() || is_empty(&world.path("data")));
}

#[test]
fn an_image_that_nobody_signed_is_refused_where_the_policy_says_so() {
    let (world, shelf) = (World::new(), Shelf::new());
    shelf.image(("x", "1"), &config(), &[layer("one")]);
    let packages = world.packages(Policy::default().with(FindingKind::Unsigned, Verdict::Refuse), &[]);
    refused(world.pull(&packages, &format!("oci:{}/x:1", shelf.host), None), Code::PackageRefused, "nobody vouches");
    assert!(!shelf.asked().iter().any(|(path, _)| path.contains("/blobs/")), "nothing was downloaded");
    refused(world.pull(&packages, &format!("oci:{}/absent:1", shelf.host), None), Code::PackageMissing, "not in its registry");
}
