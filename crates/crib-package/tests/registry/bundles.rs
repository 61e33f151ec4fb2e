//! Bundles, good and hostile.

use std::fs;

use crib_model::Code;
use crib_package::{Digest, FindingKind, Policy, Proof, Required};
use crib_test::minisign::Keys;
use crib_test::pypi::archive as bundle;
use serde_json::json;
use zip::write::SimpleFileOptions;

use crate::world::{World, is_empty, kinds, lacks, refused, run};

const TOOLS: &[&str] = &["node", "python3"];

fn manifest(entry: &str) -> String {
    json!({
        "manifest_version": "0.3", "name": "bundle", "version": "1.0.0", "author": { "name": "somebody" },
        "server": {
            "type": "node", "entry_point": entry,
            "mcp_config": { "command": "node", "args": [format!("${{__dirname}}/{entry}"), "--data=${__dirname}/data"], "env": { "MODE": "x" } }
        }
    })
    .to_string()
}

fn write(world: &World, bytes: &[u8]) -> String {
    let path = world.path("bundle.mcpb");
    fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

#[test]
fn a_good_bundle_is_unpacked_and_started_with_its_own_arguments() {
    if lacks("node") {
        return;
    }
    let world = World::new();
    let script = "console.log(process.argv.slice(2).map(a => a.split('/').pop()).join(' '), process.env.MODE)";
    let bytes = bundle(&[("manifest.json", &manifest("server/index.js")), ("server/index.js", script)]);
    let packages = world.packages(Policy::default(), TOOLS);
    let path = write(&world, &bytes);
    let pulled = world.pull(&packages, &path, None).expect("it is pulled");
    assert_eq!(kinds(&pulled), [FindingKind::Unsigned], "nobody said what it should be");
    assert_eq!(run(&packages, &pulled.locked), "data x");
    world.site.serve("/good.mcpb", "application/zip", bytes.clone());
    let promised = format!("{}/good.mcpb#sha256={}", world.site.base, Digest::of(&bytes).hex());
    let pulled = world.pull(&packages, &format!("mcpb:{promised}"), None).expect("it is pulled");
    assert_eq!((kinds(&pulled), pulled.locked.provenance.publisher.as_deref()), (Vec::new(), Some("somebody")));
}

#[test]
fn a_program_in_a_bundle_can_be_run_whatever_the_archive_says() {
    let world = World::new();
    let manifest = json!({
        "manifest_version": "0.3", "name": "bundle", "version": "1.0.0",
        "server": { "type": "binary", "entry_point": "bin/server", "mcp_config": { "command": "${__dirname}/bin/server", "args": ["--now"] } }
    });
    let bytes = bundle(&[("manifest.json", &manifest.to_string()), ("bin/server", "#!/bin/sh\necho started $1\n")]);
    let packages = world.packages(Policy::default(), TOOLS);
    let pulled = world.pull(&packages, &write(&world, &bytes), None).expect("it is pulled");
    assert_eq!(run(&packages, &pulled.locked), "started --now");
}

#[test]
fn a_bundle_that_is_not_the_promised_one_is_refused() {
    let world = World::new();
    let path = write(&world, &bundle(&[("manifest.json", &manifest("a.js")), ("a.js", "")]));
    let packages = world.packages(Policy::default(), TOOLS);
    let promised = format!("mcpb:{path}#sha256={}", Digest::of(b"another").hex());
    refused(world.pull(&packages, &promised, None), Code::PackageUnverified, "promised");
    assert!(is_empty(&world.path("data")));
}

#[test]
fn a_bundle_that_reaches_out_of_its_folder_is_refused() {
    for path in ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil"] {
        let world = World::new();
        let bytes = bundle(&[("manifest.json", &manifest("a.js")), ("a.js", ""), (path, "evil")]);
        let packages = world.packages(Policy::default(), TOOLS);
        refused(world.pull(&packages, &write(&world, &bytes), None), Code::PackageUnverified, "leads out");
        assert!(is_empty(&world.path("data")), "{path}");
        assert!(!world.path("evil").exists());
    }
}

#[test]
fn a_bundle_with_a_link_or_a_hostile_manifest_is_refused() {
    let world = World::new();
    let packages = world.packages(Policy::default(), TOOLS);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let bytes = archive.finish().expect("an archive").into_inner();
    refused(world.pull(&packages, &write(&world, &bytes), None), Code::PackageUnverified, "link");
    for entry in ["../../../usr/bin/node", "/bin/sh", "absent.js"] {
        let bytes = bundle(&[("manifest.json", &manifest(entry)), ("a.js", "")]);
        refused(world.pull(&packages, &write(&world, &bytes), None), Code::PackageUnverified, "cannot be started");
    }
}

#[test]
fn a_bundle_is_signed_by_a_key_that_is_believed_or_it_is_said() {
    if lacks("node") {
        return;
    }
    let mut world = World::new();
    let (ours, other) = (Keys::new(*b"our keys"), Keys::new(*b"not ours"));
    world.trust.keys = vec![ours.public().parse().expect("a key")];
    let bytes = bundle(&[("manifest.json", &manifest("a.js")), ("a.js", "")]);
    let packages = world.packages(Policy::default(), TOOLS);
    let serve = |signature: String| {
        world.site.serve("/x.mcpb", "application/zip", bytes.clone());
        world.site.serve("/x.mcpb.minisig", "text/plain", signature);
    };
    let place = format!("mcpb:{}/x.mcpb", world.site.base);
    serve(ours.sign(&bytes));
    let pulled = world.pull(&packages, &place, None).expect("it is pulled");
    assert_eq!(kinds(&pulled), []);
    let signer = pulled.locked.provenance.signer.clone().expect("a signer");
    assert_eq!(signer.to_string(), format!("minisign key {}", ours.public()));
    assert_eq!(pulled.locked.provenance.signature, Proof::Verified { by: signer.to_string() });

    serve(ours.sign(b"something else"));
    refused(world.pull(&packages, &place, None), Code::PackageRefused, "bad-signature");
    serve("no signature".to_owned());
    refused(world.pull(&packages, &place, None), Code::PackageRefused, "bad-signature");
    serve(other.sign(&bytes));
    let pulled_by_other = world.pull(&packages, &place, None).expect("it is pulled");
    assert_eq!(kinds(&pulled_by_other), [FindingKind::Unsigned]);
    assert!(matches!(&pulled_by_other.locked.provenance.signature, Proof::Present { note } if note.contains("none of yours")));
    // What was signed by one key once is not signed by another all of a sudden.
    refused(world.pull(&packages, &place, Some(&pulled.locked)), Code::PackageRefused, "signer-changed");

    world.trust.needs_key = true;
    let strict = world.packages(Policy::default(), TOOLS);
    refused(world.pull(&strict, &place, None), Code::PackageUnverified, "has to be signed by");
    refused(world.pull(&strict, &write(&world, &bytes), None), Code::PackageUnverified, "nobody signed");
    fs::write(world.path("bundle.mcpb.minisig"), ours.sign(&bytes)).expect("a file");
    assert!(world.pull(&strict, &write(&world, &bytes), None).is_ok(), "a file has its signature beside it");
}

#[test]
fn a_bundle_of_some_place_must_be_signed_by_the_key_that_is_required_there() {
    if lacks("node") {
        return;
    }
    let mut world = World::new();
    let (ours, other) = (Keys::new(*b"our keys"), Keys::new(*b"not ours"));
    let of = format!("mcpb:{}/*", world.site.base);
    let key = |keys: &Keys| vec![keys.public().parse().expect("a key")];
    world.trust.required = vec![Required { of, keys: key(&ours), ..Required::default() }];
    // One that is believed elsewhere will not do here.
    world.trust.keys = key(&other);
    let bytes = bundle(&[("manifest.json", &manifest("a.js")), ("a.js", "")]);
    let packages = world.packages(Policy::default(), TOOLS);
    let place = format!("mcpb:{}/x.mcpb", world.site.base);
    world.site.serve("/x.mcpb", "application/zip", bytes.clone());
    refused(world.pull(&packages, &place, None), Code::PackageUnverified, "nobody who can be verified signed it");
    world.site.serve("/x.mcpb.minisig", "text/plain", other.sign(&bytes));
    refused(world.pull(&packages, &place, None), Code::PackageUnverified, "has to be signed by");
    world.site.serve("/x.mcpb.minisig", "text/plain", ours.sign(&bytes));
    let pulled = world.pull(&packages, &place, None).expect("it is pulled");
    assert_eq!(kinds(&pulled), []);
    // Of what is elsewhere nothing is required.
    assert!(world.pull(&packages, &write(&world, &bytes), None).is_ok());
}
