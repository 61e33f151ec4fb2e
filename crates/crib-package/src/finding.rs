//! What was noticed about a package, and what is done about it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Something about a package that people should know before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// What and where, in words.
    pub message: String,
}

/// The kinds of findings, each with a verdict of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Its registry has no signature of it.
    Unsigned,
    /// A signature or attestation is there and is not one of these bytes.
    BadSignature,
    /// Another one signed it than the version before, or nobody did any more.
    SignerChanged,
    /// Nobody attests where it was built, or nobody here can check who does.
    NoProvenance,
    /// Its name is one letter away from that of a popular package.
    Typosquat,
    /// It is older than what is locked.
    Downgrade,
    /// The same version now has other bytes.
    Republished,
    /// It wants to run a script when it is installed; the script is not run.
    InstallScript,
    /// Its integrity rests on a broken hash.
    WeakHash,
    /// It is run from where it is and not from the store.
    Unpinned,
    /// It does not say itself that it is the server it is listed as.
    Unclaimed,
    /// It says itself that it is another server than the one it is listed as.
    Misclaimed,
    /// It is built on this machine, in a sandbox.
    Built,
    /// The registry that lists it advises against it.
    Deprecated,
    /// The registry that listed it has taken it back.
    Deleted,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Warn,
    Refuse,
}

/// The verdict on each kind of finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(BTreeMap<FindingKind, Verdict>);

impl Policy {
    /// Sets the verdict on one kind.
    #[must_use]
    pub fn with(mut self, kind: FindingKind, verdict: Verdict) -> Self {
        self.0.insert(kind, verdict);
        self
    }

    /// Returns the verdict on a kind: what was set, or what is usual.
    #[must_use]
    pub fn verdict(&self, kind: FindingKind) -> Verdict {
        self.0.get(&kind).copied().unwrap_or_else(|| kind.usual())
    }

    /// Returns the first finding that is to be refused.
    #[must_use]
    pub fn refused<'a>(&self, findings: &'a [Finding]) -> Option<&'a Finding> {
        findings.iter().find(|finding| self.verdict(finding.kind) == Verdict::Refuse)
    }
}

impl FindingKind {
    /// All of them, the worst first.
    pub const ALL: [Self; 15] = [
        Self::BadSignature,
        Self::SignerChanged,
        Self::Typosquat,
        Self::Downgrade,
        Self::Republished,
        Self::WeakHash,
        Self::Misclaimed,
        Self::Deleted,
        Self::Built,
        Self::Unsigned,
        Self::InstallScript,
        Self::Unpinned,
        Self::Unclaimed,
        Self::Deprecated,
        Self::NoProvenance,
    ];

    /// What cannot happen to an honest package is refused; what many honest packages lack is said.
    const fn usual(self) -> Verdict {
        match self {
            Self::BadSignature
            | Self::SignerChanged
            | Self::Republished
            | Self::Typosquat
            | Self::Downgrade
            | Self::WeakHash
            | Self::Misclaimed
            | Self::Deleted => Verdict::Refuse,
            Self::Built | Self::Unsigned | Self::InstallScript | Self::Unpinned | Self::Unclaimed | Self::Deprecated => Verdict::Warn,
            Self::NoProvenance => Verdict::Allow,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad-signature",
            Self::SignerChanged => "signer-changed",
            Self::NoProvenance => "no-provenance",
            Self::Typosquat => "typosquat",
            Self::Downgrade => "downgrade",
            Self::Republished => "republished",
            Self::InstallScript => "install-script",
            Self::WeakHash => "weak-hash",
            Self::Unpinned => "unpinned",
            Self::Unclaimed => "unclaimed",
            Self::Misclaimed => "misclaimed",
            Self::Built => "built",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
