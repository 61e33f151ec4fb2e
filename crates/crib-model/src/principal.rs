//! Who is calling.

use std::sync::Arc;

/// The tenant everything belongs to: part of every key of every cache and table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The only tenant of an instance that has no tenants configured.
    #[must_use]
    pub fn local() -> Self {
        Self("local".into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An authenticated caller. Made by authentication only; never read from headers or `_meta`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    pub tenant: Tenant,
    /// Name of the API key, or `anonymous` on a loopback listener without keys.
    pub name: Arc<str>,
}

impl Principal {
    #[must_use]
    pub fn anonymous() -> Self {
        Self { tenant: Tenant::local(), name: "anonymous".into() }
    }
}
