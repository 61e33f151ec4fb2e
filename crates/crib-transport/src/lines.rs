//! Messages as lines.

use bytes::{Bytes, BytesMut};
use crib_mcp::Chunks;

/// Splits a byte stream into lines, within a limit.
#[derive(Debug)]
pub(crate) struct LineDecoder {
    buffer: BytesMut,
    scanned: usize,
    max: usize,
    is_skipping: bool,
}

/// A line was longer than the limit; it was discarded to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl LineDecoder {
    pub(crate) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, max, is_skipping: false }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn next(&mut self) -> Option<Result<Bytes, TooLong>> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unseen) else {
                self.scanned = self.buffer.len();
                if self.is_skipping {
                    self.buffer.clear();
                    self.scanned = 0;
                } else if self.buffer.len() > self.max {
                    self.buffer.clear();
                    self.scanned = 0;
                    self.is_skipping = true;
                    return Some(Err(TooLong));
                }
                return None;
            };
            let mut line = self.buffer.split_to(self.scanned + at + 1).freeze();
            self.scanned = 0;
            line.truncate(line.len() - 1);
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if std::mem::take(&mut self.is_skipping) || line.is_empty() {
                continue;
            }
            return Some(if line.len() > self.max { Err(TooLong) } else { Ok(line) });
        }
    }
}

/// Makes one line of a message, with its end.
///
/// A line feed inside JSON can only stand between tokens, where a space means the same.
pub(crate) fn line(message: &Chunks) -> Bytes {
    let mut line = BytesMut::with_capacity(message.len() + 1);
    for piece in message.iter() {
        line.extend_from_slice(piece);
    }
    if memchr::memchr2(b'\n', b'\r', &line).is_some() {
        for byte in line.iter_mut().filter(|byte| matches!(**byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
    line.extend_from_slice(b"\n");
    line.freeze()
}
