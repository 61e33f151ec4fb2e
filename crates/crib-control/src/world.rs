//! What surrounds a configuration: variables, files, directories. A port, so that compiling stays a pure function.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crib_store::SecretName;

use crate::compile::Package;

/// What is wrong with how a server names its package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    /// The way to the place inside of the server.
    pub path: Vec<String>,
    pub message: String,
    pub hint: String,
}

/// Where variables and files come from.
pub trait World {
    /// Returns an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// Reads a file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Returns the directory relative paths start from.
    fn directory(&self) -> &Path;

    /// Returns what was answered to a question of a file, where it may stand anywhere.
    fn answer(&self, _: &SecretName) -> Option<String> {
        None
    }

    /// Returns what is wrong with how a server names its package, which whoever fetches packages knows.
    fn misnamed(&self, _: &Package) -> Option<Misnamed> {
        None
    }

    fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").or_else(|| self.variable("USERPROFILE")).filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    /// Returns the path with `~` replaced, seen from [`World::directory`].
    fn absolute(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            (Ok(_) | Err(_), _) => self.directory().join(path),
        }
    }
}

/// A world of given variables and files.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    directory: PathBuf,
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
    answers: BTreeMap<SecretName, String>,
}

impl Fixed {
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), ..Self::default() }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds an answer.
    #[must_use]
    pub fn answered(mut self, name: SecretName, value: &str) -> Self {
        self.answers.insert(name, value.to_owned());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(self.directory.join(path), text.to_owned());
        self
    }
}

impl World for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn answer(&self, name: &SecretName) -> Option<String> {
        self.answers.get(name).cloned()
    }
}
