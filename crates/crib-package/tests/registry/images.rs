//! Images: locked by their digests, and started as they were locked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::Code;
use crib_package::{Entry, FindingKind, Locked, Policy, Proof, Pulled, Required, Trust, Verdict};
use crib_test::attest::{Authority, Identity, NOON, pem};
use serde_json::{Value, json};

use crate::shelf::{INDEX, MANIFEST, Shelf};
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

const OURS: Identity<'static> = Identity { repository: "https://github.com/owner/repository", workflow: "publish.yml", tag: "v1" };
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An image, the authority that is believed, and those who sign.
struct Signed {
    world: World,
    shelf: Shelf,
    authority: Authority,
    /// The digest of the image for this machine.
    image: String,
}

impl Signed {
    fn new() -> Self {
        let (mut world, shelf, authority) = (World::new(), Shelf::new(), Authority::new("authority"));
        let root = world.path("trusted_root.json");
        fs::write(&root, authority.trusted_root()).expect("a file");
        world.trust.root = Some(root);
        let image = digest(&shelf.image(("x", "1"), &config(), &[layer("one")]));
        Self { world, shelf, authority, image }
    }

    /// Attaches a bundle to a digest, as the list of what refers to it has it.
    fn attach(&self, to: &str, bundle: &Value) {
        let blob = self.shelf.blob("x", BUNDLE, bundle.to_string().as_bytes());
        let empty = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 2 });
        let artifact = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": empty, "layers": [blob] });
        let mut part = self.shelf.manifest("x", "", MANIFEST, &artifact);
        put(&mut part, "artifactType", BUNDLE.into());
        let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [part] });
        self.shelf.serve(&format!("/v2/x/referrers/{to}"), INDEX, list.to_string());
    }

    /// Signs it as cosign does: a tag beside the image.
    fn cosign(&self, of: &str, identity: Identity<'_>, by: &Authority) {
        let payload = json!({
            "critical": { "identity": { "docker-reference": "x" }, "image": { "docker-manifest-digest": of }, "type": "cosign container image signature" },
            "optional": null
        });
        let payload = payload.to_string().into_bytes();
        let (signature, certificate) = by.sign(identity, &payload);
        let entry = by.entry_of_bytes(&payload, &signature, &certificate, NOON);
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
        let number = |pointer: &str| text(pointer).parse::<u64>().expect("a number");
        let bundle = json!({
            "SignedEntryTimestamp": text("/inclusionPromise/signedEntryTimestamp"),
            "Payload": {
                "body": text("/canonicalizedBody"), "integratedTime": number("/integratedTime"), "logIndex": number("/logIndex"),
                "logID": crib_test::hex(&STANDARD.decode(text("/logId/keyId")).expect("an id"))
            }
        });
        let mut part = self.shelf.blob("x", "application/vnd.dev.cosign.simplesigning.v1+json", &payload);
        let annotations = json!({
            "dev.cosignproject.cosign/signature": STANDARD.encode(&signature),
            "dev.sigstore.cosign/certificate": pem(&certificate), "dev.sigstore.cosign/bundle": bundle.to_string()
        });
        put(&mut part, "annotations", annotations);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [part] });
        self.shelf.manifest("x", &format!("{}.sig", self.image.replace(':', "-")), MANIFEST, &manifest);
    }

    fn pull(&self, policy: Policy, before: Option<&Locked>) -> Result<Pulled, crib_model::Fault> {
        let packages = self.world.packages(policy, &[]);
        self.world.pull(&packages, &format!("oci:{}/x:1", self.shelf.host), before)
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    object.as_object_mut().expect("an object").insert(name.to_owned(), value);
}

fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

#[test]
fn an_image_is_verified_by_what_is_attached_to_it() {
    let signed = Signed::new();
    let said = signed.authority.attest(OURS, ("sha256", hex(&signed.image)), NOON);
    signed.attach(&signed.image, &said.for_npm());
    let strict = Policy::default().with(FindingKind::Unsigned, Verdict::Refuse);
    let pulled = signed.pull(strict, None).expect("it is pulled");
    assert_eq!(kinds(&pulled), []);
    let provenance = &pulled.locked.provenance;
    let signer = provenance.signer.as_ref().expect("a signer");
    assert_eq!(signer.repository.as_deref(), Some(OURS.repository));
    assert_eq!(provenance.attestation, Proof::Verified { by: signer.to_string() }, "it states where it was built");

    // Another one, or nobody, is not the same.
    let other = Identity { repository: "https://github.com/other/repository", ..OURS };
    signed.attach(&signed.image, &signed.authority.attest(other, ("sha256", hex(&signed.image)), NOON).for_npm());
    refused(signed.pull(Policy::default(), Some(&pulled.locked)), Code::PackageRefused, "signer-changed");
    signed.shelf.serve(&format!("/v2/x/referrers/{}", signed.image), INDEX, json!({ "manifests": [] }).to_string());
    refused(signed.pull(Policy::default(), Some(&pulled.locked)), Code::PackageRefused, "is signed by nobody");
    // Beside another one, the one who is known is enough.
    signed.attach(&signed.image, &said.for_npm());
    signed.cosign(&signed.image, other, &signed.authority);
    assert_eq!(
        signed.pull(Policy::default(), Some(&pulled.locked)).expect("it is pulled").locked.provenance.signer,
        pulled.locked.provenance.signer
    );
}

#[test]
fn a_signature_of_cosign_is_verified_and_a_forged_one_is_refused() {
    let signed = Signed::new();
    signed.cosign(&signed.image, OURS, &signed.authority);
    let pulled = signed.pull(Policy::default(), None).expect("it is pulled");
    assert!(matches!(&pulled.locked.provenance.signature, Proof::Verified { by } if by.contains("publish.yml")));
    assert_eq!((kinds(&pulled), &pulled.locked.provenance.attestation), (vec![], &Proof::Absent));

    // The signature of another image beside this one.
    signed.cosign(&format!("sha256:{}", "1".repeat(64)), OURS, &signed.authority);
    refused(signed.pull(Policy::default(), None), Code::PackageRefused, "it is about other bytes");
    // Nobody here knows who signed.
    signed.cosign(&signed.image, OURS, &Authority::new("stranger"));
    let pulled = signed.pull(Policy::default(), None).expect("it is pulled");
    assert_eq!(kinds(&pulled), [FindingKind::Unsigned]);
    assert!(matches!(&pulled.locked.provenance.signature, Proof::Present { note } if note.contains("none of the trusted root")));
    // Signed with a key, which has no certificate.
    let mut part = signed.shelf.blob("x", "application/vnd.dev.cosign.simplesigning.v1+json", b"{}");
    part["annotations"] = json!({ "dev.cosignproject.cosign/signature": "MEUC" });
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [part] });
    signed.shelf.manifest("x", &format!("{}.sig", signed.image.replace(':', "-")), MANIFEST, &manifest);
    refused(signed.pull(Policy::default().with(FindingKind::Unsigned, Verdict::Refuse), None), Code::PackageRefused, "not known here");
}

#[test]
fn an_image_that_is_signed_with_a_key_is_believed_by_whoever_has_the_key() {
    let mut signed = Signed::new();
    let (key, other) = (crib_test::attest::PlainKey::new(), crib_test::attest::PlainKey::new());
    let sign = |signed: &Signed, by: &crib_test::attest::PlainKey, of: &str| {
        let payload = json!({ "critical": { "image": { "docker-manifest-digest": of } } }).to_string().into_bytes();
        let mut part = signed.shelf.blob("x", "application/vnd.dev.cosign.simplesigning.v1+json", &payload);
        put(&mut part, "annotations", json!({ "dev.cosignproject.cosign/signature": STANDARD.encode(by.sign(&payload)) }));
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [part] });
        signed.shelf.manifest("x", &format!("{}.sig", signed.image.replace(':', "-")), MANIFEST, &manifest);
    };
    sign(&signed, &key, &signed.image);
    signed.world.trust.image_keys = vec![key.public().parse().expect("a key")];
    signed.world.trust.needs_key = true;
    let pulled = signed.pull(Policy::default(), None).expect("it is pulled");
    assert!(matches!(&pulled.locked.provenance.signature, Proof::Verified { by } if by.starts_with("cosign key ")));
    assert_eq!(kinds(&pulled), []);
    // The key is kept, and whoever signs with another is another.
    signed.world.trust.image_keys.clear();
    signed.world.trust.needs_key = false;
    assert!(signed.pull(Policy::default(), Some(&pulled.locked)).expect("it is pulled").locked.provenance.signer.is_some());
    sign(&signed, &other, &signed.image);
    refused(signed.pull(Policy::default(), Some(&pulled.locked)), Code::PackageRefused, "signer-changed");
    signed.world.trust.image_keys = vec![key.public().parse().expect("a key")];
    signed.world.trust.needs_key = true;
    refused(signed.pull(Policy::default(), None), Code::PackageUnverified, "is not signed by the key it has to be signed by");
    // The same is required of names, whatever is said on a command line.
    signed.world.trust = Trust { image_keys: vec![other.public().parse().expect("a key")], needs_key: true, ..Trust::default() };
    assert!(signed.pull(Policy::default(), None).is_ok());
    let of = format!("oci:{}/*", signed.shelf.host);
    signed.world.trust.required = vec![Required { of, image_keys: vec![key.public().parse().expect("a key")], ..Required::default() }];
    refused(signed.pull(Policy::default(), None), Code::PackageUnverified, "is not signed");
    signed.world.trust.needs_key = false;
    refused(signed.pull(Policy::default(), None), Code::PackageUnverified, "is not signed by whom it has to be");
    sign(&signed, &key, &signed.image);
    assert_eq!(kinds(&signed.pull(Policy::default(), None).expect("it is pulled")), []);
    signed.world.trust = Trust { image_keys: vec![key.public().parse().expect("a key")], ..Trust::default() };
    // The signature of another image is none of this one.
    sign(&signed, &key, &format!("sha256:{}", "1".repeat(64)));
    refused(signed.pull(Policy::default(), None), Code::PackageRefused, "it is about other bytes");
}

#[test]
fn a_statement_about_the_index_vouches_for_its_images_and_other_bytes_are_refused() {
    let signed = Signed::new();
    let index = signed.pull(Policy::default(), None).expect("it is pulled").locked.provenance.index.expect("an index");
    // A registry without the list has a tag in its place.
    let said = signed.authority.attest(OURS, ("sha256", hex(&index)), NOON).for_npm();
    let blob = signed.shelf.blob("x", BUNDLE, said.to_string().as_bytes());
    let artifact = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [blob] });
    let mut part = signed.shelf.manifest("x", "", MANIFEST, &artifact);
    part["artifactType"] = BUNDLE.into();
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [part] });
    signed.shelf.manifest("x", &index.replace(':', "-"), INDEX, &list);
    let pulled = signed.pull(Policy::default(), None).expect("it is pulled");
    assert!(pulled.locked.provenance.signer.is_some() && kinds(&pulled).is_empty());
    let path = format!("/v2/x/blobs/{}", digest(&blob));
    signed.shelf.serve(&path, "application/octet-stream", "{}");
    refused(signed.pull(Policy::default(), None), Code::PackageUnverified, "a document attached to it has");
}
