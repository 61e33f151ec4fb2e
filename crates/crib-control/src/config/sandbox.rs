//! What a server that is started from a package may have.

use schemars::JsonSchema;
use serde::Deserialize;

/// Grants. What does not stand here is not there for the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Sandbox {
    /// Files and folders it may read.
    pub read: Vec<String>,
    /// Files and folders it may read and write.
    pub write: Vec<String>,
    /// Hosts it may reach: `api.example.com`, `*.example.com`, `host:8443`; `*` alone is every host.
    pub net: Vec<String>,
    /// Variables of the gateway's own environment it is given.
    pub env: Vec<String>,
}
