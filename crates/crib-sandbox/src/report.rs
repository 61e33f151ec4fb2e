//! What holds on this machine, promise by promise.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing a sandbox promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Only granted networks are reached.
    Network,
    /// Only granted files are read and written, and only the runtime's are run.
    Files,
    /// The environment is the granted one.
    Environment,
    /// No privilege is left, and none can be had.
    Privilege,
    /// Processes outside are neither seen nor signalled.
    Processes,
    /// No process is traced or has its memory read.
    Ptrace,
    /// Nothing is mounted, and no namespace entered.
    Mounts,
    /// `/tmp` and the home directory are its own, and bounded.
    Scratch,
    /// Memory is bounded.
    Memory,
    /// Processes and threads are bounded.
    ProcessCount,
    /// The size and the number of open files are bounded.
    FileLimits,
    /// Every process ends with the gateway.
    Reaped,
}

/// Whether a promise holds, by what, and where it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "holds")]
pub enum Holds {
    Yes { by: String },
    Partly { by: String, gap: String },
    No { why: String },
}

/// What holds for one start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report(BTreeMap<Promise, Holds>);

impl Promise {
    pub const ALL: &'static [Self] = &[
        Self::Network,
        Self::Files,
        Self::Environment,
        Self::Privilege,
        Self::Processes,
        Self::Ptrace,
        Self::Mounts,
        Self::Scratch,
        Self::Memory,
        Self::ProcessCount,
        Self::FileLimits,
        Self::Reaped,
    ];

    /// Returns the promise in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "only granted networks",
            Self::Files => "only granted files",
            Self::Environment => "only the granted environment",
            Self::Privilege => "no privileges",
            Self::Processes => "no processes of others",
            Self::Ptrace => "no tracing",
            Self::Mounts => "no mounts",
            Self::Scratch => "a private /tmp",
            Self::Memory => "bounded memory",
            Self::ProcessCount => "bounded processes",
            Self::FileLimits => "bounded files",
            Self::Reaped => "ends with the gateway",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Holds {
    pub fn yes(by: impl Into<String>) -> Self {
        Self::Yes { by: by.into() }
    }

    pub fn partly(by: impl Into<String>, gap: impl Into<String>) -> Self {
        Self::Partly { by: by.into(), gap: gap.into() }
    }

    pub fn no(why: impl fmt::Display) -> Self {
        Self::No { why: why.to_string() }
    }

    #[must_use]
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes { .. })
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes { by } => write!(f, "yes, by {by}"),
            Self::Partly { by, gap } => write!(f, "partly, by {by}; {gap}"),
            Self::No { why } => write!(f, "no: {why}"),
        }
    }
}

impl Report {
    /// Returns a report by which nothing holds.
    #[must_use]
    pub fn nothing(why: &str) -> Self {
        Self(Promise::ALL.iter().map(|promise| (*promise, Holds::no(why))).collect())
    }

    pub fn set(&mut self, promise: Promise, holds: Holds) {
        self.0.insert(promise, holds);
    }

    #[must_use]
    pub fn holds(&self, promise: Promise) -> Option<&Holds> {
        self.0.get(&promise)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Promise, &Holds)> {
        self.0.iter().map(|(promise, holds)| (*promise, holds))
    }

    /// Returns the promises that do not fully hold.
    pub fn gaps(&self) -> impl Iterator<Item = (Promise, &Holds)> {
        self.iter().filter(|(_, holds)| !holds.is_yes())
    }

    /// Returns the first of the wanted promises that does not fully hold.
    #[must_use]
    pub fn missing(&self, wanted: &[Promise]) -> Option<Promise> {
        wanted.iter().copied().find(|promise| !self.holds(*promise).is_some_and(Holds::is_yes))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (promise, holds) in self.iter() {
            writeln!(f, "{:<30}{holds}", promise.as_str())?;
        }
        Ok(())
    }
}
