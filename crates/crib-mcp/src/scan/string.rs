//! The grammar of strings, a word or more at a time.

use std::borrow::Cow;

use super::scanner::Scanner;
use super::{Reason, ScanError, Span};

/// Decodes the escapes of a string's inside. The text must have passed the scan.
#[must_use]
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    let text = std::str::from_utf8(raw).unwrap_or_default();
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    quoted.push_str(text);
    quoted.push('"');
    Cow::Owned(serde_json::from_str(&quoted).unwrap_or_default())
}

impl Scanner<'_> {
    /// Reads a string from its opening to behind its closing quote; tells whether it holds escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, ScanError> {
        let start = self.pos + 1;
        self.pos = start;
        let mut is_escaped = false;
        let mut high = 0;
        loop {
            self.plain(&mut high);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    self.escape()?;
                }
                Some(_) => return self.fail(Reason::Control),
                None => return self.fail(Reason::End),
            }
        }
        if high & HIGH_BITS != 0 && std::str::from_utf8(Span { start, end: self.pos }.of(self.text)).is_err() {
            self.pos = start;
            return self.fail(Reason::Utf8);
        }
        self.pos += 1;
        Ok(is_escaped)
    }

    /// Skips what needs no look: no quote, backslash or control character. Collects the high bits seen, and perhaps
    /// some of the bytes right behind.
    #[inline]
    fn plain(&mut self, high: &mut u64) {
        let mut rest = self.text.get(self.pos..).unwrap_or_default();
        // Most strings are short: a look at two words before the wide loop is worth its price.
        for _ in 0..2 {
            let Some((chunk, behind)) = rest.split_first_chunk() else { return self.plain_tail(rest, high) };
            let word = u64::from_le_bytes(*chunk);
            *high |= word;
            if let Some(at) = first_special(word) {
                self.pos = self.text.len() - rest.len() + at;
                return;
            }
            rest = behind;
        }
        rest = skip_wide(rest, high);
        while let Some((chunk, behind)) = rest.split_first_chunk() {
            let word = u64::from_le_bytes(*chunk);
            *high |= word;
            if let Some(at) = first_special(word) {
                self.pos = self.text.len() - rest.len() + at;
                return;
            }
            rest = behind;
        }
        self.plain_tail(rest, high);
    }

    /// The last bytes of a text, fewer than a word.
    fn plain_tail(&mut self, rest: &[u8], high: &mut u64) {
        let is_plain = |b: &&u8| **b >= 0x20 && **b != b'"' && **b != b'\\';
        let skipped = rest.iter().take_while(is_plain).inspect(|b| *high |= u64::from(**b)).count();
        self.pos = self.text.len() - rest.len() + skipped;
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.pos += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 1;
                Ok(())
            }
            Some(b'u') => match self.hex4()? {
                0xD800..=0xDBFF => {
                    let is_pair = self.peek() == Some(b'\\') && self.text.get(self.pos + 1) == Some(&b'u');
                    if !is_pair {
                        return self.fail(Reason::Escape);
                    }
                    self.pos += 1;
                    if (0xDC00..=0xDFFF).contains(&self.hex4()?) { Ok(()) } else { self.fail(Reason::Escape) }
                }
                0xDC00..=0xDFFF => self.fail(Reason::Escape),
                _ => Ok(()),
            },
            Some(_) => self.fail(Reason::Escape),
            None => self.fail(Reason::End),
        }
    }

    /// Reads `uXXXX`, standing on the `u`.
    fn hex4(&mut self) -> Result<u32, ScanError> {
        let Some(digits) = self.text.get(self.pos + 1..self.pos + 5) else {
            return self.fail(Reason::End);
        };
        let mut code = 0;
        for &digit in digits {
            let Some(n) = char::from(digit).to_digit(16) else {
                return self.fail(Reason::Escape);
            };
            code = code * 16 + n;
        }
        self.pos += 5;
        Ok(code)
    }
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = LOW_BITS << 7;

/// Returns where in eight bytes, first byte lowest, the first quote, backslash or control character stands.
#[inline]
fn first_special(word: u64) -> Option<usize> {
    // A byte's high bit is set by borrowing. That is exact for the lowest such byte, the only one that counts.
    let below = |word: u64, limit: u64| word.wrapping_sub(LOW_BITS * limit) & !word;
    let quote = word ^ (LOW_BITS * 0x22);
    let backslash = word ^ (LOW_BITS * 0x5C);
    let found = (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGH_BITS;
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

/// Skips whole chunks without a quote, backslash or control character.
#[inline]
fn skip_wide<'a>(mut rest: &'a [u8], high: &mut u64) -> &'a [u8] {
    const WIDE: usize = 64;
    let mut seen = 0u8;
    while let Some((chunk, behind)) = rest.split_first_chunk::<WIDE>() {
        let mut stop = 0u8;
        let mut bits = 0u8;
        // Without branches, so that the compiler turns it into vector code.
        for &b in chunk {
            stop |= u8::from(b < 0x20) | u8::from(b == b'"') | u8::from(b == b'\\');
            bits |= b;
        }
        if stop != 0 {
            break;
        }
        seen |= bits;
        rest = behind;
    }
    *high |= u64::from(seen);
    rest
}
