//! What one upstream offers, as it listed it.

use crib_mcp::{Json, Revision};
use crib_model::{Fault, Slug};

/// Who may share a cached list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CacheScope {
    Public,
    #[default]
    Private,
}

impl CacheScope {
    /// Reads the protocol's word; anything unknown is private.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "public" { Self::Public } else { Self::Private }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// For how long, and by whom, a list may be cached. The default is not at all, which is what older servers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Caching {
    pub ttl_ms: u64,
    pub scope: CacheScope,
}

impl Caching {
    /// Returns what holds for both: the shorter time, and private if either is.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let scope = if self.scope == CacheScope::Public { other.scope } else { CacheScope::Private };
        Self { ttl_ms: self.ttl_ms.min(other.ttl_ms), scope }
    }
}

/// All pages of one list of one upstream.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The items as received.
    pub items: Vec<Json>,
    /// `None` where the upstream does not offer this list at all; it then has no say in how the merged list is cached.
    pub caching: Option<Caching>,
}

impl List {
    /// What the list says on caching; items of which nothing was said may not be cached.
    pub(crate) fn caching_said(&self) -> Option<Caching> {
        self.caching.or_else(|| (!self.items.is_empty()).then(Caching::default))
    }
}

impl From<Vec<Json>> for List {
    fn from(items: Vec<Json>) -> Self {
        Self { items, caching: Some(Caching::default()) }
    }
}

/// Everything one upstream lists.
#[derive(Clone, Debug)]
pub struct Listing {
    pub slug: Slug,
    /// The dialect the items are written in.
    pub revision: Revision,
    pub tools: List,
    pub resources: List,
    pub templates: List,
    pub prompts: List,
    /// Why a list is missing or may be incomplete.
    pub fault: Option<Fault>,
}

impl Listing {
    /// A listing without items.
    #[must_use]
    pub fn empty(slug: Slug, revision: Revision) -> Self {
        Self {
            slug,
            revision,
            tools: List::default(),
            resources: List::default(),
            templates: List::default(),
            prompts: List::default(),
            fault: None,
        }
    }
}
