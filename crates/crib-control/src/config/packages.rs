//! Whom to believe about packages.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom to believe about packages, and what is done about what is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Packages {
    /// Public keys of minisign, for bundles: the line that begins with `RW`.
    pub keys: Vec<String>,
    /// Sigstore's `trusted_root.json`, by which attestations are checked; the one that came with npm where absent.
    pub trusted_root: String,
    /// What is done about each kind of finding: `unsigned: refuse`.
    pub findings: IndexMap<String, Verdict>,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is said.
    Allow,
    /// It is said.
    Warn,
    /// The package is refused.
    Refuse,
}
