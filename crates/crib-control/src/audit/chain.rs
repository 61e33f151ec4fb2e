//! The chain of lines.

use std::fmt;
use std::io::Write as _;

use serde::Deserialize;

/// Longest line there is; longer ones are not ours.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// A place in the chain: a line's number and its hash. Kept elsewhere, it shows whether the log was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub seq: u64,
    pub hash: blake3::Hash,
}

/// Lines that go on from a mark.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) mark: Mark,
    pub(super) text: Vec<u8>,
}

impl Sheet {
    pub(super) fn after(mark: Mark) -> Self {
        Self { mark, text: Vec::new() }
    }

    /// Adds a line: a number, the hash of the line before, and the members `body`.
    pub(super) fn line(&mut self, body: &[u8]) {
        let begin = self.text.len();
        self.mark.seq += 1;
        // Writing to memory does not fail.
        drop(write!(self.text, "{{\"seq\":{},\"prev\":\"{}\",", self.mark.seq, self.mark.hash.to_hex()));
        self.text.extend_from_slice(body);
        self.text.push(b'}');
        self.mark.hash = blake3::hash(self.text.get(begin..).unwrap_or_default());
        self.text.push(b'\n');
    }
}

/// What verifying reads of a line.
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    pub(super) seq: u64,
    pub(super) prev: &'a str,
    pub(super) event: &'a str,
    #[serde(default)]
    pub(super) lost: u64,
}

impl Mark {
    /// Before the first line.
    pub const START: Self = Self { seq: 0, hash: blake3::Hash::from_bytes([0; 32]) };

    /// Reads the mark of a line, its line break left out; `None` where it is none of ours.
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        let head: Head<'_> = serde_json::from_slice(line).ok()?;
        blake3::Hash::from_hex(head.prev).ok()?;
        Some(Self { seq: head.seq, hash: blake3::hash(line) })
    }

    /// Reads a mark as it is shown: `NUMBER:HASH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(':')?;
        Some(Self { seq: seq.parse().ok()?, hash: blake3::Hash::from_hex(hash).ok()? })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash.to_hex())
    }
}
