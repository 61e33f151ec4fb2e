//! Texts in pieces, so that long parts of a message are passed on without copying.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Json, slice};
use crate::scan::Span;

/// Slices at least this long are passed on by reference instead of copied.
const SHARE_BYTES_MIN: usize = 8 * 1024;

/// Bytes in a few pieces, large ones shared with the message they came from.
#[derive(Clone, Debug, Default)]
pub struct Chunks(SmallVec<[Bytes; 4]>);

impl Chunks {
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter()
    }

    /// Joins the pieces; free when there is only one.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        let mut pieces = self.0;
        if pieces.len() == 1 {
            return pieces.pop().unwrap_or_default();
        }
        let mut whole = Vec::with_capacity(pieces.iter().map(Bytes::len).sum());
        for piece in &pieces {
            whole.extend_from_slice(piece);
        }
        Bytes::from(whole)
    }
}

impl From<Bytes> for Chunks {
    fn from(piece: Bytes) -> Self {
        Self(SmallVec::from_buf_and_len([piece, Bytes::new(), Bytes::new(), Bytes::new()], 1))
    }
}

impl From<Json> for Chunks {
    fn from(json: Json) -> Self {
        Self::from(json.0)
    }
}

impl IntoIterator for Chunks {
    type Item = Bytes;
    type IntoIter = smallvec::IntoIter<[Bytes; 4]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Collects the pieces of a message: short ones are copied together, long ones shared.
#[derive(Debug, Default)]
pub struct Pieces {
    done: SmallVec<[Bytes; 4]>,
    tail: Vec<u8>,
}

impl Pieces {
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { done: SmallVec::new(), tail: Vec::with_capacity(bytes.min(SHARE_BYTES_MIN * 2)) }
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.tail.extend_from_slice(text.as_bytes());
        self
    }

    pub fn copy(&mut self, text: &[u8]) -> &mut Self {
        self.tail.extend_from_slice(text);
        self
    }

    /// Adds a text as a JSON string.
    pub fn string(&mut self, text: &str) -> &mut Self {
        if super::needs_escape(text) {
            return self.json(&Json::of(text));
        }
        self.text("\"").text(text).text("\"")
    }

    pub fn json(&mut self, json: &Json) -> &mut Self {
        self.share(&json.0)
    }

    /// Adds bytes, by reference when they are many.
    pub fn share(&mut self, bytes: &Bytes) -> &mut Self {
        if bytes.len() < SHARE_BYTES_MIN {
            self.tail.extend_from_slice(bytes);
        } else {
            self.flush();
            self.done.push(bytes.clone());
        }
        self
    }

    pub fn chunks(&mut self, chunks: &Chunks) -> &mut Self {
        for piece in chunks.iter() {
            self.share(piece);
        }
        self
    }

    pub(super) fn span(&mut self, text: &Bytes, span: Span) {
        if span.len() < SHARE_BYTES_MIN {
            self.tail.extend_from_slice(span.of(text));
        } else {
            self.flush();
            self.done.push(slice(text, span));
        }
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            self.done.push(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }

    #[must_use]
    pub fn finish(mut self) -> Chunks {
        self.flush();
        Chunks(self.done)
    }
}
