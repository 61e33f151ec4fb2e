//! Where programs keep their settings on this machine, as far as it was told.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A kind of operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    Linux,
    Mac,
    Windows,
}

/// The directories and variables places are made of.
#[derive(Clone, Debug)]
pub struct Places {
    pub os: Os,
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`, or `~/.config`.
    pub config: PathBuf,
    /// `%APPDATA%`.
    pub roaming: PathBuf,
    /// `%LOCALAPPDATA%`.
    pub local: PathBuf,
    /// Directory of the project, for files that belong to one.
    pub project: PathBuf,
    /// Variables by which users move the settings of single programs.
    pub variables: BTreeMap<String, String>,
}

impl Places {
    /// Names of the variables that [`Places::variables`] should hold where they are set.
    pub const VARIABLES: &'static [&'static str] =
        &["CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "CLINE_DIR", "KIMI_CODE_HOME", "GROK_HOME"];

    /// The usual places below a home directory.
    #[must_use]
    pub fn new(os: Os, home: impl Into<PathBuf>, project: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Self {
            os,
            config: home.join(".config"),
            roaming: home.join("AppData").join("Roaming"),
            local: home.join("AppData").join("Local"),
            home,
            project: project.into(),
            variables: BTreeMap::new(),
        }
    }

    /// Writes out a place of the table.
    ///
    /// `~` is the home, `{config}` the XDG directory, `{local}` `%LOCALAPPDATA%`, `{app}` where applications of this
    /// system keep their settings, and `{NAME|~/.x}` a variable or else a directory.
    pub(crate) fn resolve(&self, template: &str) -> PathBuf {
        let (mut path, rest) = match template.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((word, rest)) => (self.word(word), rest),
            None => match template.strip_prefix('~') {
                Some(rest) => (self.home.clone(), rest),
                None => (self.project.clone(), template),
            },
        };
        path.extend(rest.split('/').filter(|part| !part.is_empty()));
        path
    }

    fn word(&self, word: &str) -> PathBuf {
        match word {
            "config" => self.config.clone(),
            "local" => self.local.clone(),
            "app" => match self.os {
                Os::Linux => self.config.clone(),
                Os::Mac => self.home.join("Library").join("Application Support"),
                Os::Windows => self.roaming.clone(),
            },
            _ => {
                let (name, default) = word.split_once('|').unwrap_or((word, "~"));
                match self.variables.get(name).filter(|value| !value.is_empty()) {
                    Some(value) => self.project.join(value),
                    None => self.resolve(default),
                }
            }
        }
    }
}
