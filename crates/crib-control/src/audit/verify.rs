//! Checking a log against its own chain.

use std::io::{BufRead, Read as _};

use super::AuditError;
use super::chain::{Head, LINE_BYTES_MAX, Mark};

/// What a log that holds together says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub lines: u64,
    pub calls: u64,
    /// Calls that the log says it could not keep.
    pub lost: u64,
    /// What the first line follows: the start, or the last line of an earlier file.
    pub after: Mark,
    /// The last line. To be kept elsewhere: a log that is cut or written anew as a whole holds together too.
    pub last: Mark,
}

/// Checks that every line follows from the one before it. With `after`, the first line must follow that one: the last
/// line of an earlier file, or [`Mark::START`].
///
/// # Errors
/// The first line that does not fit, counted from 1.
pub fn verify(mut log: impl BufRead, after: Option<Mark>) -> Result<Verified, AuditError> {
    let mut verified: Option<Verified> = None;
    let (mut line, mut count) = (Vec::new(), 0);
    let broken = |line, why| AuditError::Broken { line, why };
    loop {
        line.clear();
        if log.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        count += 1;
        if line.pop() != Some(b'\n') {
            return Err(broken(count, "does not end"));
        }
        let head: Head<'_> = serde_json::from_slice(&line).map_err(|_odd| broken(count, "is not a line of an audit log"))?;
        let prev = blake3::Hash::from_hex(head.prev).map_err(|_odd| broken(count, "has no hash of the line before"))?;
        let before = Mark { seq: head.seq.wrapping_sub(1), hash: prev };
        let mut sum = verified.unwrap_or_else(|| Verified::nothing(before, after.unwrap_or(before)));
        if before.seq == 0 && before.hash != Mark::START.hash {
            return Err(broken(count, "is the first one and follows another"));
        }
        if sum.last.seq != before.seq {
            return Err(broken(count, "has a number that does not follow: lines are missing or out of order"));
        }
        if sum.last.hash != before.hash {
            return Err(broken(count, "does not fit the line before it: one of the two was changed"));
        }
        sum.lines = count;
        sum.calls += u64::from(head.event == "call");
        sum.lost = sum.lost.saturating_add(head.lost);
        sum.last = Mark { seq: head.seq, hash: blake3::hash(&line) };
        verified = Some(sum);
    }
    let start = after.unwrap_or(Mark::START);
    Ok(verified.unwrap_or_else(|| Verified::nothing(start, start)))
}

impl Verified {
    fn nothing(after: Mark, last: Mark) -> Self {
        Self { lines: 0, calls: 0, lost: 0, after, last }
    }
}
