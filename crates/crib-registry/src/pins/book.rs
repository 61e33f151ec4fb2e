//! The book of pins: what is trusted, and what waits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canonical::Definition;
use super::judge::HeldWhy;

/// Version of the book's form.
const VERSION: u32 = 1;
/// Longest definition whose text is kept for showing what changed; of longer ones only the digest is kept.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Servers in one book; beyond it the one not seen for the longest time is forgotten.
const SERVERS_MAX: usize = 1024;
/// Kinds of clients a record knows; beyond it new kinds share the trust of the others.
pub(super) const KINDS_MAX: usize = 64;
/// Definitions that may wait at one server; further ones are held without their text.
pub(super) const PENDING_MAX: usize = 2048;

/// Everything that is trusted and everything that waits, by server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    version: u32,
    /// By `slug@origin`.
    servers: BTreeMap<String, Record>,
}

/// What is known of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// When it was listed last, in seconds since 1970.
    pub seen: u64,
    /// The kinds of clients it was listed for: lists depend on what a client can do.
    pub kinds: BTreeSet<String>,
    /// The definitions that may be used, by the tool's own name. Different kinds of clients may be shown different ones.
    pub tools: BTreeMap<String, Vec<Pin>>,
    /// What is held back until somebody approves it.
    pub pending: BTreeMap<String, Pending>,
}

/// A definition that may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub digest: String,
    /// The canonical definition; empty where it is too long to keep.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The kinds of clients that are shown this one.
    pub kinds: BTreeSet<String>,
    /// When it was pinned, in seconds since 1970.
    pub since: u64,
}

/// A definition that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    pub digest: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    pub kinds: BTreeSet<String>,
    pub since: u64,
    pub why: HeldWhy,
}

/// Something to approve: a server, what it is, a tool's own name, and the digest of the definition that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub slug: String,
    pub origin: String,
    pub name: String,
    pub digest: String,
}

/// Why a text is no book of pins.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error("it is not a book of pins: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("it is of version {0}, and this program reads version {VERSION}")]
    Version(u32),
}

impl Default for Book {
    fn default() -> Self {
        Self { version: VERSION, servers: BTreeMap::new() }
    }
}

impl Book {
    /// Reads a book.
    ///
    /// # Errors
    /// The text is something else, or of another version.
    pub fn parse(text: &[u8]) -> Result<Self, BookError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        // The version first: what a newer program wrote is not malformed.
        let Head { version } = serde_json::from_slice(text)?;
        if version != VERSION {
            return Err(BookError::Version(version));
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// Writes the book.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Returns the records with the servers they are of, as `(slug, origin)`.
    pub fn records(&self) -> impl Iterator<Item = ((&str, &str), &Record)> {
        self.servers.iter().map(|(key, record)| (key.split_once('@').unwrap_or((key, "")), record))
    }

    #[must_use]
    pub fn record(&self, slug: &str, origin: &str) -> Option<&Record> {
        self.servers.get(&key(slug, origin))
    }

    /// Returns the record of a server, made if there is none.
    pub(super) fn open(&mut self, slug: &str, origin: &str) -> &mut Record {
        let key = key(slug, origin);
        if !self.servers.contains_key(&key)
            && self.servers.len() >= SERVERS_MAX
            && let Some(oldest) = self.servers.iter().min_by_key(|(_, record)| record.seen).map(|(key, _)| key.clone())
        {
            self.servers.remove(&oldest);
        }
        self.servers.entry(key).or_default()
    }

    /// Takes what waits as what is trusted, if it still is the definition with this digest.
    pub fn approve(&mut self, approval: &Approval, now: u64) -> bool {
        let Approval { slug, origin, name, digest } = approval;
        let Some(record) = self.servers.get_mut(&key(slug, origin)) else { return false };
        let Some(waiting) = record.pending.get(name).filter(|waiting| waiting.digest == *digest) else { return false };
        let definition = Definition { text: waiting.text.clone(), digest: waiting.digest.clone() };
        let kinds = waiting.kinds.clone();
        record.pending.remove(name);
        for kind in &kinds {
            record.pin(name, &definition, kind, now);
        }
        true
    }

    /// Forgets all that is known of a server: what it lists next is trusted anew.
    pub fn forget(&mut self, slug: &str) -> usize {
        let before = self.servers.len();
        self.servers.retain(|key, _| key.split_once('@').is_none_or(|(known, _)| known != slug));
        before - self.servers.len()
    }
}

impl Record {
    /// Takes a definition as the one that a kind of clients is shown. Returns whether that is new.
    pub(super) fn pin(&mut self, name: &str, definition: &Definition, kind: &str, now: u64) -> bool {
        let pins = self.tools.entry(name.to_owned()).or_default();
        let is_pinned = |pin: &Pin| pin.digest == definition.digest && pin.kinds.contains(kind);
        if pins.iter().any(is_pinned) {
            return false;
        }
        for pin in pins.iter_mut() {
            pin.kinds.remove(kind);
        }
        match pins.iter_mut().find(|pin| pin.digest == definition.digest) {
            Some(pin) => {
                pin.kinds.insert(kind.to_owned());
            }
            None => pins.push(Pin {
                digest: definition.digest.clone(),
                text: kept(&definition.text),
                kinds: BTreeSet::from([kind.to_owned()]),
                since: now,
            }),
        }
        pins.retain(|pin| !pin.kinds.is_empty());
        true
    }

    /// Returns the definition that a kind of clients is shown, else any that is trusted.
    #[must_use]
    pub fn trusted(&self, name: &str, kind: Option<&str>) -> Option<&Pin> {
        let pins = self.tools.get(name)?;
        pins.iter().find(|pin| kind.is_some_and(|kind| pin.kinds.contains(kind))).or_else(|| pins.first())
    }
}

impl Pending {
    pub(super) fn new(definition: &Definition, kind: &str, why: HeldWhy, now: u64) -> Self {
        let kinds = BTreeSet::from([kind.to_owned()]);
        Self { digest: definition.digest.clone(), text: kept(&definition.text), kinds, since: now, why }
    }
}

fn kept(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX { text.to_owned() } else { String::new() }
}

fn key(slug: &str, origin: &str) -> String {
    format!("{slug}@{origin}")
}
