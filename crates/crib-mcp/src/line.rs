//! Messages as lines (stdio transport): bytes in, whole lines out.

use bytes::{Buf as _, Bytes, BytesMut};

/// A line was longer than the limit and has been discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {bytes_max} bytes")]
pub struct TooLong {
    pub bytes_max: usize,
}

/// Cuts a stream of bytes into lines. Iterate it after each [`LineDecoder::push`].
///
/// Empty lines are skipped and a carriage return before the line feed is dropped. A line that is too long gives one
/// error, as soon as that is certain, and is discarded to its end.
#[derive(Debug)]
pub struct LineDecoder {
    bytes_max: usize,
    buffer: BytesMut,
    /// How much of the buffer is known to have no line feed.
    searched: usize,
    is_discarding: bool,
}

impl LineDecoder {
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Self {
        Self { bytes_max: max_line_bytes, buffer: BytesMut::new(), searched: 0, is_discarding: false }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.is_discarding {
            let Some(end) = memchr::memchr(b'\n', rest) else { return };
            self.is_discarding = false;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        self.buffer.extend_from_slice(rest);
    }

    /// Returns the last line of a stream that ended without a line feed.
    pub fn finish(&mut self) -> Option<Result<Bytes, TooLong>> {
        self.searched = 0;
        let line = self.buffer.split().freeze();
        if std::mem::take(&mut self.is_discarding) { None } else { self.judge(line) }
    }

    /// `None` for a line that says nothing.
    fn judge(&self, mut line: Bytes) -> Option<Result<Bytes, TooLong>> {
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.bytes_max {
            return Some(Err(TooLong { bytes_max: self.bytes_max }));
        }
        let says_something = line.iter().any(|b| !b.is_ascii_whitespace());
        says_something.then_some(Ok(line))
    }
}

impl Iterator for LineDecoder {
    type Item = Result<Bytes, TooLong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', fresh) else {
                self.searched = self.buffer.len();
                // One more byte may be the carriage return.
                if self.searched > self.bytes_max.saturating_add(1) {
                    self.buffer.clear();
                    self.searched = 0;
                    self.is_discarding = true;
                    return Some(Err(TooLong { bytes_max: self.bytes_max }));
                }
                return None;
            };
            let line = self.buffer.split_to(self.searched + at).freeze();
            self.buffer.advance(1);
            self.searched = 0;
            if let Some(line) = self.judge(line) {
                return Some(line);
            }
        }
    }
}
