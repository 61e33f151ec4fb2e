//! Whom to believe about packages.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom to believe about packages, and what is done about what is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Packages {
    /// Public keys that are believed: of minisign for bundles, the line that begins with `RW`; of cosign for images, its text; or the file of one.
    pub keys: Vec<String>,
    /// By whom packages of some names must be signed; nothing else will do for them.
    pub signers: Vec<Signers>,
    /// Sigstore's `trusted_root.json`, by which attestations are checked; the one that came with npm where absent.
    pub trusted_root: String,
    /// What is done about each kind of finding: `unsigned: refuse`.
    pub findings: IndexMap<String, Verdict>,
}

/// Who must have signed what has such a name: one of the keys or identities.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Signers {
    /// The names without their versions, `*` standing for any text: `npm:@acme/*`, `pypi:acme-*`, `oci:ghcr.io/acme/*`, `mcpb:https://acme.example/*`.
    #[serde(rename = "for")]
    pub of: String,
    /// Public keys of minisign or cosign, or their files.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Repositories, workflows or people as certificates of sigstore name them, `*` standing for any text: `https://github.com/acme/*`.
    #[serde(default)]
    pub identities: Vec<String>,
}

impl Packages {
    /// Returns the keys, wherever they stand.
    pub(crate) fn keys_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.keys.iter_mut().chain(self.signers.iter_mut().flat_map(|signers| &mut signers.keys))
    }
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
