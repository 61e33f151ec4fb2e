//! The port through which lists are judged, and the book that lives as long as the program.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crib_model::{Clock, Slug};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::judge::{Listed, Verdict};

/// What happens to definitions that are not those that were approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are in no list and cannot be called.
    #[default]
    Hold,
    /// They are used, and the fact is said.
    Warn,
    /// Nothing is compared and nothing kept.
    Off,
}

/// What happens to tools a known server did not have before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewTools {
    /// They wait for approval like changed ones.
    #[default]
    Hold,
    /// They are pinned as they come.
    Accept,
}

/// What happens to answers whose text speaks to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Results {
    /// They go on, and the fact is said.
    #[default]
    Warn,
    /// The caller gets an error in their place.
    Hold,
    /// Nobody looks.
    Off,
}

/// How the tools of a server are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    pub new_tools: NewTools,
    /// Whether every finding holds a tool back, not only the certain ones.
    pub is_strict: bool,
    pub results: Results,
}

impl Policy {
    /// For servers that are part of the program.
    #[must_use]
    pub fn off() -> Self {
        Self { mode: Mode::Off, results: Results::Off, ..Self::default() }
    }
}

/// The policies of all servers, and what each server is.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// For servers that are not named.
    pub default: Policy,
    pub servers: HashMap<Slug, (Policy, String)>,
}

impl Policies {
    /// Returns how a server is judged, and its origin.
    #[must_use]
    pub fn of(&self, slug: &Slug) -> (Policy, &str) {
        self.servers.get(slug).map_or((self.default, ""), |(policy, origin)| (*policy, origin))
    }
}

/// Judges lists by what was seen before. Never asked in the middle of a call.
pub trait Pins: Send + Sync + 'static {
    /// Compares a list with what is trusted; what is seen for the first time becomes trusted. May wait for a disk.
    fn judge(&self, slug: &Slug, kind: &str, tools: &[crib_mcp::Json], instructions: Option<&str>) -> Verdict;

    /// Tells whether a tool of this server may not be called before its list was judged.
    fn holds(&self, slug: &Slug) -> bool;

    /// Returns a figure that is another one after somebody approved something: lists are then judged anew. May look at
    /// a disk; asked every other second.
    fn edition(&self) -> u64;
}

/// No pins: every definition is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unpinned;

impl Pins for Unpinned {
    fn judge(&self, _: &Slug, _: &str, _: &[crib_mcp::Json], _: Option<&str>) -> Verdict {
        Verdict::default()
    }

    fn holds(&self, _: &Slug) -> bool {
        false
    }

    fn edition(&self) -> u64 {
        0
    }
}

/// Pins that are forgotten when the program ends.
pub struct InMemory {
    policies: Policies,
    book: Mutex<Book>,
    edition: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemory").field("policies", &self.policies).finish_non_exhaustive()
    }
}

impl InMemory {
    #[must_use]
    pub fn new(policies: Policies, clock: Arc<dyn Clock>) -> Self {
        Self { policies, book: Mutex::default(), edition: AtomicU64::new(0), clock }
    }

    /// Lets a program look at the book, or approve what waits in it.
    pub fn with_book<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let result = change(&mut self.book.lock());
        self.edition.fetch_add(1, Ordering::Relaxed);
        result
    }
}

impl Pins for InMemory {
    fn judge(&self, slug: &Slug, kind: &str, tools: &[crib_mcp::Json], instructions: Option<&str>) -> Verdict {
        let (policy, origin) = self.policies.of(slug);
        let listed = Listed { slug: slug.as_str(), origin, kind, tools, instructions };
        self.book.lock().judge(&listed, policy, self.clock.unix().as_secs()).verdict
    }

    fn holds(&self, slug: &Slug) -> bool {
        self.policies.of(slug).0.mode == Mode::Hold
    }

    fn edition(&self) -> u64 {
        self.edition.load(Ordering::Relaxed)
    }
}
