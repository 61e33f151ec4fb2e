//! `toolcrib.lock`: which bytes each server is, and what it may have.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use serde::{Deserialize, Serialize};

use crate::{Digest, Grants, Key, NetGrant, Signer};

/// The form of the file.
const VERSION: u32 = 1;
const HEAD: &str = "# Written by toolcrib: which bytes each server is, and what it may have. Keep it under version control.\n\n";

/// The lockfile. Entries are in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The servers of the user's own configuration, and those that stand in none.
    #[serde(default)]
    pub servers: BTreeMap<String, Locked>,
    /// The servers of other configurations, by their files: a name says nothing outside of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    configurations: BTreeMap<PathBuf, BTreeMap<String, Locked>>,
}

/// Whose server something is locked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The user's own configuration.
    #[default]
    Own,
    /// Another configuration, by the path of its file.
    File(PathBuf),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// What was asked for: `npm:@scope/name`.
    pub source: String,
    /// The exact version that came of it.
    pub version: String,
    /// Further packages or requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Which of its programs is started, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The series of Python that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The system and processor the bytes are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The digest of the files in the store; none for what is run from where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Digest>,
    /// The digest of what was made of them on this machine: links to the interpreter, compiled modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    pub entry: Entry,
    /// Arguments after those of the entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables that are no secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub grants: Grants,
    /// What is built on this machine, in a sandbox, whenever it is pulled.
    #[serde(default, skip_serializing_if = "Build::is_empty")]
    pub build: Build,
    #[serde(default)]
    pub provenance: Provenance,
    /// The entry of a registry of servers that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// Every package that was installed, `name@version`, and the digests its registry gave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, Vec<String>>,
}

/// Packages whose own scripts are run when they are installed: in a sandbox, because somebody wanted it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Build {
    /// Their names.
    pub packages: Vec<String>,
    /// What the scripts may reach. The server itself has grants of its own.
    pub net: NetGrant,
}

/// An entry of a registry of servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// `io.github.owner/server`.
    pub name: String,
    pub version: String,
    /// The address of the registry.
    pub registry: String,
    /// What it says that the server is to be told: variables, arguments, a runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Vec<String>>,
}

/// The program that runs a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// `node`, `python`.
    pub name: String,
    /// The version it was installed with.
    pub version: String,
    /// Where it is on this machine.
    pub path: PathBuf,
    /// The folder of its libraries, never more: it may be somebody's home that it was installed into.
    pub home: PathBuf,
}

/// How it is started. Paths are inside the store's folder of the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "kind")]
pub enum Entry {
    /// `node SCRIPT`.
    Node { script: PathBuf },
    /// A function of a module, as its console script would call it.
    Python { module: String, function: String, script: String },
    /// `python FILE`, with modules found in `paths`.
    Script { file: PathBuf, paths: Vec<PathBuf> },
    /// A program of the package.
    Binary { program: PathBuf },
    /// A program of this machine.
    Command { program: String, cwd: Option<PathBuf> },
    /// A server elsewhere.
    Url { url: String },
    /// The root directory of an image.
    Image(Box<Image>),
}

/// How an image is started. Paths are inside the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// What is always started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Its arguments where none are given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// Whose number it has inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// Folders that it writes to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<PathBuf>,
    /// The server that it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// Who says that these bytes are that package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provenance {
    /// The digest its registry gave, which was checked at installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
    /// The digest of the index of images by which an image was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The registry's signature over name, version and digest.
    pub signature: Proof,
    /// A statement of where and from what it was built.
    pub attestation: Proof,
    /// Who made the signature or statement that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// Who published it, as the registry says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// When this version was released, as its registry says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
    /// The repository it is said to be built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// What is known of a signature or attestation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Proof {
    /// There is none, or nowhere to ask for one.
    #[default]
    Absent,
    /// It is there; nobody checked who made it.
    Present { note: String },
    /// It was checked: by which key.
    Verified { by: String },
}

impl Build {
    /// Returns whether nothing is built.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}

impl Locked {
    /// Returns what comes after the name and version in the source of it: `?python=3.12#PROGRAM`.
    #[must_use]
    pub fn marks(&self) -> String {
        let part = |mark: &str, text: Option<&String>| text.map(|text| format!("{mark}{text}")).unwrap_or_default();
        part("?python=", self.python.as_ref()) + &part("#", self.program.as_ref())
    }

    /// Returns the key of minisign it was signed by.
    pub(crate) fn minisign_key(&self) -> Option<Key> {
        self.provenance.signer.as_ref().and_then(Key::of)
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, servers: BTreeMap::new(), configurations: BTreeMap::new() }
    }
}

impl Lock {
    /// Returns what is locked for a server of somebody's.
    #[must_use]
    pub fn get(&self, owner: &Owner, name: &str) -> Option<&Locked> {
        match owner {
            Owner::Own => self.servers.get(name),
            Owner::File(file) => self.configurations.get(file)?.get(name),
        }
    }

    /// Locks a server for somebody, and for nobody else who has one of that name.
    pub fn put(&mut self, owner: &Owner, name: &str, locked: Locked) {
        let servers = match owner {
            Owner::Own => &mut self.servers,
            Owner::File(file) => self.configurations.entry(file.clone()).or_default(),
        };
        servers.insert(name.to_owned(), locked);
    }

    /// Returns everything that is locked, whoever needs it.
    pub fn all(&self) -> impl Iterator<Item = &Locked> {
        self.servers.values().chain(self.configurations.values().flat_map(BTreeMap::values))
    }

    /// Returns the files of the configurations that something is locked for, beside the user's own.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.configurations.keys().map(PathBuf::as_path)
    }

    /// Forgets the configurations whose files are gone, and what their servers were granted with them.
    pub fn forget_gone(&mut self) {
        // What cannot be looked at is not gone.
        self.configurations.retain(|file, _| !matches!(file.try_exists(), Ok(false)));
    }

    /// Reads a lockfile; one that does not exist is empty.
    ///
    /// # Errors
    /// TC0508 when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(path, "read", error)),
        };
        let lock: Self = toml::from_str(&text).map_err(|error| failed(path, "read", error))?;
        if lock.version != VERSION {
            return Err(failed(path, "read", format!("its version is {}; this toolcrib knows {VERSION}", lock.version)));
        }
        Ok(lock)
    }

    /// Writes the lockfile, whole or not at all.
    ///
    /// # Errors
    /// TC0508 when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Fault> {
        let text = toml::to_string(self).map_err(|error| failed(path, "written", error))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let beside = folder.join(format!(".toolcrib.lock.{}", std::process::id()));
        let write = || {
            std::fs::create_dir_all(folder)?;
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(HEAD.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|error: std::io::Error| failed(path, "written", error))
    }
}

fn failed(path: &Path, what: &str, why: impl std::fmt::Display) -> Fault {
    let fault = Fault::new(Code::LockInvalid, format!("`{}` cannot be {what}", path.display())).because(why);
    fault.hint("if the file is damaged, bring it back from a backup, or move it away: packages are pulled, and grants asked for, anew\ntoolcrib explain TC0508")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was written when there was one entry for each name.
    const OLD: &str = "version = 1\n\n[servers.reader]\nsource = \"npm:reader\"\nversion = \"1.0.0\"\n\n\
        [servers.reader.entry]\nkind = \"node\"\nscript = \"index.js\"\n\n[servers.reader.grants]\nread = [\"/notes\"]\n";

    #[test]
    fn a_name_is_one_server_in_each_configuration() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("toolcrib.lock");
        std::fs::write(&path, OLD).expect("writable");
        let mut lock = Lock::load(&path).expect("the old form is read");
        let own = lock.get(&Owner::Own, "reader").expect("it is there").clone();
        let file = folder.path().join("project.yaml");
        std::fs::write(&file, "").expect("writable");
        let project = Owner::File(file.clone());
        assert_eq!(lock.get(&project, "reader"), None);
        let other = Locked { version: "2.0.0".to_owned(), grants: Grants::default(), ..own.clone() };
        lock.put(&project, "reader", other.clone());
        lock.save(&path).expect("written");
        let mut lock = Lock::load(&path).expect("read");
        assert_eq!((lock.get(&Owner::Own, "reader"), lock.get(&project, "reader")), (Some(&own), Some(&other)));
        assert_eq!(lock.all().count(), 2);
        lock.forget_gone();
        assert_eq!(lock.all().count(), 2);
        std::fs::remove_file(file).expect("it is there");
        lock.forget_gone();
        assert_eq!(lock.all().collect::<Vec<_>>(), [&own]);
    }
}
