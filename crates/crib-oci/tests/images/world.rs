//! Archives of every kind, and what comes of pulling them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crib_model::Fault;
use crib_oci::{Credentials, Platform, Pulled, Reference, Registry, Resolved, Step};
use crib_transport::{ClientOptions, HttpClient};
use serde_json::json;
use tar::{EntryType, Header};

use crate::shelf::Shelf;

/// A registry, and a place to unpack.
pub(crate) struct World {
    pub(crate) shelf: Shelf,
    pub(crate) folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    credentials: Credentials,
    /// Bytes of layers that came, as it was told last.
    pub(crate) done: AtomicU64,
}

/// An archive that is put together by hand, as no honest program would.
#[derive(Default)]
pub(crate) struct Layer(Vec<u8>);

impl Layer {
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.file_of(name, text.as_bytes(), 0o644)
    }

    pub(crate) fn file_of(self, name: &str, bytes: &[u8], mode: u32) -> Self {
        self.entry(EntryType::Regular, (name, ""), mode, bytes)
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, (name, ""), 0o755, b"")
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, (name, target), 0o777, b"")
    }

    pub(crate) fn same(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, (name, target), 0o644, b"")
    }

    pub(crate) fn entry(mut self, kind: EntryType, (name, target): (&str, &str), mode: u32, bytes: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        // Past the checks of a friendly writer.
        for (field, text) in [(0, name), (157, target)] {
            let room = header.as_mut_bytes().get_mut(field..field + 100).expect("a field");
            room.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        }
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let this = Self {
            shelf: Shelf::new(),
            folder: tempfile::tempdir().expect("a folder"),
            runtime,
            credentials: Credentials::default(),
            done: AtomicU64::new(0),
        };
        std::fs::create_dir(this.root()).expect("a folder");
        this
    }

    pub(crate) fn with_login(mut self, file: &str) -> Self {
        let path = self.folder.path().join("config.json");
        std::fs::write(&path, file.replace("HOST", &self.shelf.host)).expect("writable");
        self.credentials = Credentials::read([path]);
        self
    }

    /// Puts a helper into the search path; returns the file in which it may note what it was asked.
    pub(crate) fn with_helper(mut self, name: &str, script: &str) -> (Self, PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let asked = self.folder.path().join("asked");
        let path = self.folder.path().join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let search = format!("{}:/usr/bin:/bin", self.folder.path().display());
        let env = [("PATH", search), ("ASKED", asked.display().to_string())].map(|(name, value)| (name.into(), value.into()));
        self.credentials = self.credentials.with_env(env.into());
        (self, asked)
    }

    /// Where images are unpacked.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::new(HttpClient::new(ClientOptions::default()).expect("a client"), self.credentials.clone())
    }

    pub(crate) fn name(&self, rest: &str) -> Reference {
        Reference::parse(&format!("{}/{rest}", self.shelf.host)).expect("a name")
    }

    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved, Fault> {
        self.runtime.block_on(self.registry().resolve(&self.name(name), &Platform::here()))
    }

    pub(crate) fn pull(&self, name: &str) -> Result<Pulled, Fault> {
        let found = self.resolve(name)?;
        let (root, beside) = (self.root(), self.folder.path().join("beside"));
        self.runtime.block_on(self.registry().pull(&found, &root, &beside, &|step| self.note(step)))
    }

    fn note(&self, step: Step) {
        if let Step::Downloading { done, .. } = step {
            self.done.store(done, Ordering::Relaxed);
        }
    }

    /// Pulls an image of these layers.
    pub(crate) fn unpack(&self, layers: &[Vec<u8>]) -> Result<Pulled, Fault> {
        self.shelf.image(("x", "1"), &json!({ "Cmd": ["/x"] }), layers);
        self.pull("x:1")
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.root().join(name)).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.root().join(name).symlink_metadata().is_ok()
    }
}
