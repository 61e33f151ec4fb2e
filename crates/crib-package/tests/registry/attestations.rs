//! Statements of who built a package, good and forged.

use crib_model::Code;
use crib_package::{Digest, FindingKind, Policy, Proof, Pulled, Required, Signer};
use crib_test::attest::{Attestation, Authority, Identity, NOON};
use crib_test::npm::Published;
use serde_json::Value;

use crate::npm::{Made, Registry, TOOLS, good};
use crate::pypi::each;
use crate::world::{kinds, lacks, refused, run};

const OURS: Identity<'static> = Identity { repository: "https://github.com/owner/repository", workflow: "publish.yml", tag: "v1.2.0" };

/// A registry, and an authority that is believed.
fn believed() -> (Registry, Authority) {
    let (mut registry, authority) = (Registry::new(), Authority::new("authority"));
    let path = registry.world.path("trusted_root.json");
    std::fs::write(&path, authority.trusted_root()).expect("a file");
    registry.world.trust.root = Some(path);
    (registry, authority)
}

/// Publishes a version with what is said of it.
fn publish(registry: &Registry, version: &str, says: impl FnOnce(&Published) -> Option<Attestation>) {
    let published = registry.publish("good-server", &Made { version, ..good() });
    let said: Vec<Value> = says(&published).iter().map(Attestation::for_npm).collect();
    registry.npm.attest("good-server", version, &said);
}

fn pull(registry: &Registry, before: Option<&Pulled>) -> Result<Pulled, crib_model::Fault> {
    let packages = registry.world.packages(Policy::default(), TOOLS);
    registry.world.pull(&packages, "npm:good-server", before.map(|before| &before.locked))
}

#[test]
fn who_built_a_package_is_verified_and_kept() {
    if lacks("npm") {
        return;
    }
    let (registry, authority) = believed();
    publish(&registry, "1.2.0", |file| Some(authority.attest(OURS, ("sha512", &file.sha512), NOON)));
    let pulled = pull(&registry, None).expect("it is pulled");
    let signer = Signer {
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        identity: "https://github.com/owner/repository/.github/workflows/publish.yml@refs/tags/v1.2.0".to_owned(),
        repository: Some("https://github.com/owner/repository".to_owned()),
    };
    assert_eq!(pulled.locked.provenance.attestation, Proof::Verified { by: signer.identity.clone() });
    assert_eq!(pulled.locked.provenance.signer, Some(signer));
    assert!(!kinds(&pulled).contains(&FindingKind::NoProvenance));
    assert_eq!(run(&registry.world.packages(Policy::default(), TOOLS), &pulled.locked), "hello");
}

/// Signed at this time, and then changed.
fn forged(authority: &Authority, file: &Published, at: u64, change: impl FnOnce(&mut Attestation)) -> Attestation {
    let mut said = authority.attest(OURS, ("sha512", &file.sha512), at);
    change(&mut said);
    said
}

#[test]
fn a_forged_statement_is_refused_whatever_part_of_it_was_forged() {
    if lacks("npm") {
        return;
    }
    let (registry, authority) = believed();
    let stranger = Authority::new("authority");
    type Forge<'a> = &'a dyn Fn(&Published) -> Attestation;
    let cases: [(Forge<'_>, &str); 7] = [
        (&|_| authority.attest(OURS, ("sha512", &"0".repeat(128)), NOON), "about other bytes"),
        (&|file| forged(&authority, file, NOON, |said| said.payload.push(b' ')), "not by the key of its certificate"),
        (
            &|file| {
                let other = authority.attest(Identity { workflow: "other.yml", ..OURS }, ("sha512", &file.sha512), NOON);
                forged(&authority, file, NOON, |said| said.certificate = other.certificate)
            },
            "not by the key of its certificate",
        ),
        (
            &|file| {
                let other = authority.attest(OURS, ("sha512", &file.sha512), NOON);
                forged(&authority, file, NOON, |said| said.entry = other.entry)
            },
            "holds another signature",
        ),
        (&|file| forged(&authority, file, NOON, |said| said.entry["integratedTime"] = "1767225901".into()), "is not signed by that log"),
        (&|file| forged(&authority, file, NOON + 2 * 24 * 3600, |_| {}), "did not hold when it was used"),
        (
            // Its certificate is by another one who calls itself the same, and the log of the right one was told.
            &|file| {
                forged(&stranger, file, NOON, |said| {
                    said.entry = authority.entry(&said.payload, &said.signature, &said.certificate, NOON);
                })
            },
            "did not hold when it was used",
        ),
    ];
    for (forge, word) in cases {
        publish(&registry, "1.2.0", |file| Some(forge(file)));
        let fault = pull(&registry, None).expect_err("it is refused");
        assert!(fault.code() == Code::PackageRefused && fault.to_string().contains(word), "{word}: {fault}");
    }
}

#[test]
fn what_nobody_here_can_check_is_seen_and_not_believed() {
    if lacks("npm") {
        return;
    }
    let (mut registry, authority) = believed();
    let stranger = Authority::new("stranger");
    publish(&registry, "1.2.0", |file| Some(stranger.attest(OURS, ("sha512", &file.sha512), NOON)));
    let pulled = pull(&registry, None).expect("it is pulled");
    assert!(matches!(&pulled.locked.provenance.attestation, Proof::Present { note } if note.contains("log is none of the trusted root")));
    assert_eq!(pulled.locked.provenance.signer, None);
    publish(&registry, "1.2.0", |file| {
        Some(forged(&authority, file, NOON, |said| {
            let entry = said.entry.as_object_mut().expect("an object");
            entry.remove("inclusionPromise");
            entry.remove("inclusionProof");
        }))
    });
    let pulled = pull(&registry, None).expect("it is pulled");
    assert!(matches!(&pulled.locked.provenance.attestation, Proof::Present { note } if note.contains("neither a promise nor a proof")));
    registry.world.trust.root = None;
    publish(&registry, "1.2.0", |file| Some(authority.attest(OURS, ("sha512", &file.sha512), NOON)));
    let pulled = pull(&registry, None).expect("it is pulled");
    let note = "by https://github.com/owner/repository/.github/workflows/publish.yml@refs/tags/v1.2.0; the signature was not checked: there is no trusted root";
    assert!(matches!(&pulled.locked.provenance.attestation, Proof::Present { note: known } if known.starts_with(note)));
    registry.world.trust.root = Some(registry.world.path("absent.json"));
    refused(pull(&registry, None), Code::PackageUnverified, "no trusted root of sigstore");
}

#[test]
fn another_signer_or_none_is_refused_and_another_tag_is_not() {
    if lacks("npm") {
        return;
    }
    let (registry, authority) = believed();
    let by = |identity: Identity<'static>| {
        let authority = &authority;
        move |file: &Published| Some(authority.attest(identity, ("sha512", &file.sha512), NOON))
    };
    publish(&registry, "1.2.0", by(OURS));
    let first = pull(&registry, None).expect("it is pulled");
    publish(&registry, "1.3.0", by(Identity { tag: "v1.3.0", ..OURS }));
    let second = pull(&registry, Some(&first)).expect("it is pulled");
    publish(&registry, "1.4.0", by(Identity { repository: "https://github.com/other/repository", ..OURS }));
    refused(pull(&registry, Some(&second)), Code::PackageRefused, "signer-changed");
    publish(&registry, "1.4.0", by(Identity { workflow: "another.yml", ..OURS }));
    refused(pull(&registry, Some(&second)), Code::PackageRefused, "signer-changed");
    publish(&registry, "1.4.0", |_| None);
    refused(pull(&registry, Some(&second)), Code::PackageRefused, "is signed by nobody");
}

#[test]
fn a_package_of_some_names_must_be_built_where_its_user_says() {
    if lacks("npm") {
        return;
    }
    let (mut registry, authority) = believed();
    let required =
        |of: &str, identity: &str| vec![Required { of: of.to_owned(), identities: vec![identity.to_owned()], ..Required::default() }];
    publish(&registry, "1.2.0", |file| Some(authority.attest(OURS, ("sha512", &file.sha512), NOON)));
    for (of, identity, is_good) in [
        ("npm:good-*", "https://github.com/owner/*", true),
        ("npm:good-*", "https://github.com/owner/repository/.github/workflows/publish.yml@refs/tags/*", true),
        ("npm:good-*", "https://github.com/other/*", false),
        ("npm:other-*", "https://github.com/other/*", true),
    ] {
        registry.world.trust.required = required(of, identity);
        match pull(&registry, None) {
            Ok(_) => assert!(is_good, "{of} {identity}"),
            Err(fault) => assert!(!is_good && fault.code() == Code::PackageUnverified, "{of} {identity}: {fault}"),
        }
    }
    // What nobody here can check is signed by nobody.
    let stranger = Authority::new("stranger");
    publish(&registry, "1.2.0", |file| Some(stranger.attest(OURS, ("sha512", &file.sha512), NOON)));
    registry.world.trust.required = required("npm:good-*", "*");
    refused(pull(&registry, None), Code::PackageUnverified, "nobody who can be verified signed it");
}

#[test]
fn attestations_of_python_packages_are_verified_too() {
    each(|world, tools| {
        let authority = Authority::new("authority");
        let root = world.path("trusted_root.json");
        std::fs::write(&root, authority.trusted_root()).expect("a file");
        let packages = world.trusting(crib_package::Trust { root: Some(root), ..crib_package::Trust::default() }, tools);
        let wheel = crib_test::pypi::wheel("signed_server", "print('hello')");
        let publish = |said: &Attestation| {
            let file = ("signed-server", "signed_server-1.0-py3-none-any.whl");
            crib_test::pypi::publish(&world.site, file, wheel.clone(), &wheel, &[said.for_pypi()]);
        };
        let sum = Digest::of(&wheel).hex();
        publish(&authority.attest(OURS, ("sha256", &sum), NOON));
        let pulled = world.pull(&packages, "pypi:signed-server", None).expect("it is pulled");
        let signer = pulled.locked.provenance.signer.as_ref().expect("a signer");
        assert_eq!(signer.repository.as_deref(), Some("https://github.com/owner/repository"));
        publish(&authority.attest(OURS, ("sha256", &Digest::of(b"another").hex()), NOON));
        refused(world.pull(&packages, "pypi:signed-server", None), Code::PackageRefused, "about other bytes");
    });
}
