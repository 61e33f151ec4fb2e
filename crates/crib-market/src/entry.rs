//! What a registry answers: servers, with what the registry itself says of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ServerJson;
use crate::date;

/// Where a registry keeps its own word on a server.
const OFFICIAL_META: &str = "io.modelcontextprotocol.registry/official";
/// Most entries of one page; nobody asks for more than a hundred.
const ENTRIES_MAX: usize = 1000;
const MESSAGE_LETTERS_MAX: usize = 500;
const CURSOR_BYTES_MAX: usize = 1024;

/// Whether a version should be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Active,
    Deprecated,
    Deleted,
}

impl Status {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
        }
    }
}

/// One version of a server in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub server: ServerJson,
    pub status: Status,
    /// Why it is no longer active, in one line that hides nothing.
    pub status_message: Option<String>,
    /// In seconds since 1970.
    pub updated_at: Option<u64>,
    pub is_latest: bool,
    /// The entry as the registry gave it, as JSON.
    pub(crate) listed: String,
}

/// A page of entries.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// How many entries could not be read.
    pub(crate) broken: usize,
    pub(crate) next: Option<String>,
}

impl Entry {
    /// Reads one entry: `{server, _meta}`, or the server alone.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let server = ServerJson::read(value.get("server").unwrap_or(value))?;
        let meta = value.get("_meta").and_then(|meta| meta.get(OFFICIAL_META));
        let field = |name: &str| meta.and_then(|meta| meta.get(name));
        let text = |name: &str| field(name).and_then(Value::as_str);
        // Before the registry's own word there was the author's, in the server.
        let status = text("status").or_else(|| value.pointer("/server/status").and_then(Value::as_str));
        Some(Self {
            server,
            status: match status {
                Some("deprecated") => Status::Deprecated,
                Some("deleted") => Status::Deleted,
                Some(_) | None => Status::Active,
            },
            status_message: text("statusMessage").filter(|text| !text.is_empty()).map(|text| crate::shown(text, MESSAGE_LETTERS_MAX)),
            updated_at: text("updatedAt").or_else(|| text("publishedAt")).and_then(date::seconds),
            is_latest: field("isLatest").and_then(Value::as_bool).unwrap_or(false),
            listed: value.to_string(),
        })
    }

    /// Returns the server as the registry gave it, and what the registry says of it itself.
    #[must_use]
    pub fn as_listed(&self) -> (Value, Option<Value>) {
        match serde_json::from_str(&self.listed) {
            Ok(Value::Object(mut entry)) if entry.contains_key("server") => {
                (entry.remove("server").unwrap_or_default(), entry.remove("_meta"))
            }
            Ok(server) => (server, None),
            // It was never read from anywhere.
            Err(_) => (serde_json::to_value(&self.server).unwrap_or_default(), None),
        }
    }

    /// Compares two versions of one server: what is said to be the latest, then versions, then dates.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        let rank = |entry: &Self| (entry.is_latest, order(&entry.server.version), entry.updated_at);
        rank(self) > rank(other)
    }
}

/// Orders versions: numbers as numbers, and a pre-release before its release.
fn order(version: &str) -> (Vec<(u64, String)>, bool, String) {
    let version = version.trim_start_matches('v').split('+').next().unwrap_or_default();
    let (main, pre) = version.split_once('-').map_or((version, None), |(main, pre)| (main, Some(pre)));
    let part = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        (digits.parse().unwrap_or(0), part.strip_prefix(digits.as_str()).unwrap_or_default().to_owned())
    };
    (main.split('.').map(part).collect(), pre.is_none(), pre.unwrap_or_default().to_owned())
}

impl Page {
    /// Reads a page; none where it is not one.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let list = value.get("servers")?;
        let list = if list.is_null() { &[][..] } else { list.as_array()?.as_slice() };
        let metadata = value.get("metadata");
        let cursor = metadata.and_then(|metadata| metadata.get("nextCursor").or_else(|| metadata.get("next_cursor")));
        let next = cursor.and_then(Value::as_str).filter(|cursor| !cursor.is_empty() && cursor.len() <= CURSOR_BYTES_MAX);
        let entries: Vec<Entry> = list.iter().take(ENTRIES_MAX).filter_map(Entry::read).collect();
        Some(Self { broken: list.len().saturating_sub(entries.len()), entries, next: next.map(str::to_owned) })
    }
}
