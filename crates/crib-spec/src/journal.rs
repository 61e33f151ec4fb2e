//! What a fixture received and did, in order, for tests to read.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::wait;

/// A journal kept in memory, in a file (fixtures in a process of their own), or both.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Value>>>,
    file: Option<Arc<Mutex<File>>>,
    source: Option<PathBuf>,
}

/// Returns the wall clock in milliseconds, comparable between processes of one machine.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Journal {
    /// Returns a journal in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a journal that is also appended to `path`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn to_file(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Some(Arc::new(Mutex::new(file))), ..Self::default() })
    }

    /// Returns a reader of a journal another process writes.
    #[must_use]
    pub fn from_file(path: &Path) -> Self {
        Self { source: Some(path.to_owned()), ..Self::default() }
    }

    /// Notes `what` with its details (an object).
    pub fn note(&self, what: &str, details: &Value) {
        let mut entry = json!({ "what": what, "at": now_ms(), "pid": std::process::id() });
        if let (Some(entry), Some(details)) = (entry.as_object_mut(), details.as_object()) {
            entry.extend(details.clone());
        }
        if let Some(file) = &self.file {
            // One write per line, because several processes may share the file. A journal that cannot be written
            // shows up as a missing entry in the test that reads it.
            file.lock().write_all(format!("{entry}\n").as_bytes()).ok();
        }
        self.entries.lock().push(entry);
    }

    /// Returns all entries of one kind, oldest first.
    #[must_use]
    pub fn all(&self, what: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["what"] == what).collect()
    }

    /// Returns the received messages with this method, oldest first: `{headers, body, at}`.
    #[must_use]
    pub fn received(&self, method: &str) -> Vec<Value> {
        self.all("received").into_iter().filter(|entry| entry["body"]["method"] == method).collect()
    }

    /// Waits until `pick` finds something in the entries.
    ///
    /// # Errors
    /// When the time is up.
    pub async fn until<T>(&self, limit: Duration, what: &str, pick: impl Fn(&[Value]) -> Option<T>) -> Result<T> {
        wait::eventually(limit, what, || std::future::ready(pick(&self.entries()))).await
    }

    /// Returns every entry.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        let Some(source) = &self.source else { return self.entries.lock().clone() };
        let text = std::fs::read_to_string(source).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
