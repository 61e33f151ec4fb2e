//! Messages as lines.

use bytes::{Bytes, BytesMut};
use crib_mcp::Chunks;

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
