//! A registry that speaks npm's protocol.

use std::fs;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Site, hex};

const JSON: &str = "application/json";
/// The head of a P-256 key.
const SPKI: [u8; 26] = [48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0];

/// A registry with a key of its own.
#[derive(Debug)]
pub struct Registry {
    pub site: Site,
    key: EcdsaKeyPair,
}

/// A version of a package, with one script.
#[derive(Clone, Copy, Debug)]
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// The text of the script.
    pub script: &'a str,
    pub signs: Signs,
    /// The server that it says it is.
    pub server: Option<&'a str>,
    /// What it wants to be run when it is installed.
    pub postinstall: Option<&'a str>,
    /// The versions of Node.js that it wants.
    pub node: Option<&'a str>,
}

/// Whose version the registry signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    Nothing,
    This,
    Another,
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Published {
    pub archive: Vec<u8>,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// SHA-512 of it, in hexadecimal.
    pub sha512: String,
}

impl<'a> Package<'a> {
    /// A package that nobody signs.
    #[must_use]
    pub const fn new(name: &'a str, version: &'a str, script: &'a str) -> Self {
        Self { name, version, script, signs: Signs::Nothing, server: None, postinstall: None, node: None }
    }

    /// Packs it.
    #[must_use]
    pub fn archive(&self) -> Vec<u8> {
        let mut manifest = json!({ "name": self.name, "version": self.version, "bin": { short(self.name): "index.js" } });
        let object = manifest.as_object_mut().expect("an object");
        object.extend(self.server.map(|server| ("mcpName".to_owned(), json!(server))));
        object.extend(self.node.map(|node| ("engines".to_owned(), json!({ "node": node }))));
        object.extend(self.postinstall.map(|command| ("scripts".to_owned(), json!({ "postinstall": command }))));
        packed(&[("package.json", &manifest.to_string()), ("index.js", self.script)])
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        let site = Site::new();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let public = STANDARD.encode([&SPKI[..], key.public_key().as_ref()].concat());
        let keys = json!({ "keys": [{ "keyid": "SHA256:test", "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "key": public }] });
        site.serve("/-/npm/v1/keys", JSON, keys.to_string());
        Self { site, key }
    }

    /// Publishes a version as the latest.
    pub fn publish(&self, package: &Package<'_>) -> Published {
        self.publish_archive(package, package.archive())
    }

    /// Publishes a version as the latest, with an archive of the test's own.
    pub fn publish_archive(&self, package: &Package<'_>, archive: Vec<u8>) -> Published {
        let Package { name, version, .. } = package;
        let sum = digest(&SHA512, &archive);
        let integrity = format!("sha512-{}", STANDARD.encode(sum));
        let path = format!("/{name}/-/{}-{version}.tgz", short(name));
        let signed = if package.signs == Signs::Another { "0.0.1" } else { version };
        let signature = self.key.sign(&SystemRandom::new(), format!("{name}@{signed}:{integrity}").as_bytes()).expect("a signature");
        let mut dist = json!({ "tarball": format!("{}{path}", self.site.base), "integrity": integrity });
        if package.signs != Signs::Nothing {
            let signatures = json!([{ "keyid": "SHA256:test", "sig": STANDARD.encode(signature) }]);
            dist.as_object_mut().expect("an object").insert("signatures".to_owned(), signatures);
        }
        let document: Value = json!({
            "name": name, "version": version, "dist": dist, "bin": { short(name): "index.js" },
            "hasInstallScript": package.postinstall.is_some(),
            "_npmUser": { "name": "somebody" }, "repository": { "url": "https://example.com/repository" }
        });
        let all = json!({ "name": name, "dist-tags": { "latest": version }, "versions": { *version: document } });
        let place = name.replace('/', "%2f");
        self.site.serve(&format!("/{place}"), JSON, all.to_string());
        for named in [version, "latest"] {
            self.site.serve(&format!("/{place}/{named}"), JSON, document.to_string());
        }
        self.site.serve(&path, "application/octet-stream", archive.clone());
        Published { sha256: hex(digest(&SHA256, &archive).as_ref()), sha512: hex(sum.as_ref()), archive }
    }

    /// Publishes what is attested of a version.
    pub fn attest(&self, name: &str, version: &str, bundles: &[Value]) {
        let list: Vec<Value> =
            bundles.iter().map(|bundle| json!({ "predicateType": "https://slsa.dev/provenance/v1", "bundle": bundle })).collect();
        let path = format!("/-/npm/v1/attestations/{}@{version}", name.replace('/', "%2f"));
        self.site.serve(&path, JSON, json!({ "attestations": list }).to_string());
    }
}

/// Packs files as the archive of a package.
#[must_use]
pub fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join("package").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let tar = Command::new("tar").args(["czf", "-", "package"]).current_dir(folder.path()).output().expect("tar");
    assert!(tar.status.success(), "{tar:?}");
    tar.stdout
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
