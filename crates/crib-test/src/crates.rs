//! A sparse index of crates.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Site, hex};

/// What `Cargo.lock` says of crates that come from the index.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// An index, and the archives of its crates.
#[derive(Clone, Debug)]
pub struct Index {
    pub site: Site,
}

/// Version 1.0.0 of a crate.
#[derive(Clone, Copy, Debug)]
pub struct Crate<'a> {
    pub name: &'a str,
    /// Files beside its manifest and its lock.
    pub files: &'a [(&'a str, &'a str)],
    /// The one crate it needs, and the digest of its archive.
    pub needs: Option<(&'a str, &'a str)>,
}

impl Index {
    #[must_use]
    pub fn new(site: Site) -> Self {
        site.serve("/index/config.json", "application/json", json!({ "dl": format!("{}/crates", site.base) }).to_string());
        Self { site }
    }

    /// Returns the settings by which cargo asks this index in the place of its own.
    #[must_use]
    pub fn settings(&self) -> String {
        let base = &self.site.base;
        format!("[source.crates-io]\nreplace-with = \"loopback\"\n[source.loopback]\nregistry = \"sparse+{base}/index/\"\n")
    }

    /// Publishes a crate, with the digest of `promised` where that is another one; returns its archive and its digest.
    pub fn publish(&self, made: &Crate<'_>, promised: Option<&[u8]>) -> (Vec<u8>, String) {
        let Crate { name, files, needs } = made;
        let folder = tempfile::tempdir().expect("a folder");
        let root = format!("{name}-1.0.0");
        let inner = folder.path().join(&root);
        fs::create_dir_all(inner.join("src")).expect("a folder");
        let mut manifest = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
        let mut lock = format!("version = 3\n\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        if let Some((other, sum)) = needs {
            manifest = format!("{manifest}[dependencies]\n{other} = \"1\"\n");
            lock = format!(
                "{lock}dependencies = [\"{other}\"]\n\n[[package]]\nname = \"{other}\"\nversion = \"1.0.0\"\nsource = \"{SOURCE}\"\nchecksum = \"{sum}\"\n"
            );
        }
        for (path, text) in [("Cargo.toml", manifest.as_str()), ("Cargo.lock", &lock)].iter().chain(*files) {
            fs::write(inner.join(path), text).expect("a file");
        }
        let tar = Command::new("tar").args(["czf", "-", &root]).current_dir(folder.path()).output().expect("tar");
        assert!(tar.status.success(), "{tar:?}");
        let sum = hex(&Sha256::digest(promised.unwrap_or(&tar.stdout)));
        let needed = needs.map(|(other, _)| {
            json!({ "name": other, "req": "^1", "features": [], "optional": false, "default_features": true, "target": null, "kind": "normal" })
        });
        let needed: Vec<Value> = needed.into_iter().collect();
        let line = json!({ "name": name, "vers": "1.0.0", "deps": needed, "cksum": sum, "features": {}, "yanked": false });
        let (first, second) = (name.get(..2).expect("four letters"), name.get(2..4).expect("four letters"));
        self.site.serve(&format!("/index/{first}/{second}/{name}"), "text/plain", format!("{line}\n"));
        self.site.serve(&format!("/crates/{name}/1.0.0/download"), "application/gzip", tar.stdout.clone());
        (tar.stdout, sum)
    }
}
