//! What a pull tells while it goes on.

use std::fmt;
use std::sync::Arc;

/// A step of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The exact versions are being looked for.
    Resolving { source: String },
    /// They are found: the version, and how many packages come with it.
    Resolved { source: String, version: String, packages: usize },
    /// Signatures and attestations are being looked at.
    Verifying,
    /// Bytes of a file that is downloaded here; `total` where the server says.
    Downloading { done: u64, total: Option<u64> },
    /// The packages are downloaded and unpacked.
    Installing { packages: usize },
    /// Every file is being hashed.
    Hashing,
    /// It is in the store.
    Stored { files: usize, bytes: u64 },
}

/// Takes the events of a pull; must not block.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event) + Send + Sync>);

impl Progress {
    pub fn new(tell: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Returns one that tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(drop)
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
