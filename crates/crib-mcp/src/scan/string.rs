//! The grammar of strings, sixteen bytes or more at a time.

use std::borrow::Cow;

use wide::{i8x16, u8x16};

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
        // Most strings are short and plain: one look.
        if let Some(chunk) = self.text.get(start..).and_then(<[u8]>::first_chunk::<LANES>) {
            let lanes = u8x16::new(*chunk);
            let at = stops(lanes).to_bitmask().trailing_zeros();
            let is_ascii = lanes.to_bitmask().trailing_zeros() >= at;
            if is_ascii && chunk.get(at as usize) == Some(&b'"') {
                self.pos = start + at as usize + 1;
                return Ok(false);
            }
        }
        self.any_string(start)
    }

    fn any_string(&mut self, start: usize) -> Result<bool, ScanError> {
        self.pos = start;
        let mut is_escaped = false;
        let mut is_ascii = true;
        loop {
            is_ascii &= self.plain();
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
        if !is_ascii && std::str::from_utf8(Span { start, end: self.pos }.of(self.text)).is_err() {
            self.pos = start;
            return self.fail(Reason::Utf8);
        }
        self.pos += 1;
        Ok(is_escaped)
    }

    /// Skips what needs no look: no quote, backslash or control character. Tells whether all of it was ASCII.
    #[inline]
    fn plain(&mut self) -> bool {
        let mut rest = self.text.get(self.pos..).unwrap_or_default();
        let mut high = 0;
        // Most strings are short: the wide loop has to be earned.
        let mut short = SHORT_CHUNKS;
        while let Some((chunk, behind)) = rest.split_first_chunk::<LANES>() {
            let lanes = u8x16::new(*chunk);
            let stop = stops(lanes).to_bitmask();
            if stop != 0 {
                let at = stop.trailing_zeros();
                high |= lanes.to_bitmask() & ((1 << at) - 1);
                self.pos = self.text.len() - rest.len() + at as usize;
                return high == 0;
            }
            high |= lanes.to_bitmask();
            rest = behind;
            short -= 1;
            if short == 0 {
                rest = skip_wide(rest, &mut high);
                short = SHORT_CHUNKS;
            }
        }
        let is_plain = |b: &&u8| **b >= 0x20 && **b != b'"' && **b != b'\\';
        let mut is_ascii = high == 0;
        let skipped = rest.iter().take_while(is_plain).inspect(|b| is_ascii &= b.is_ascii()).count();
        self.pos = self.text.len() - rest.len() + skipped;
        is_ascii
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

/// Bytes that are looked at together.
const LANES: usize = 16;
/// Chunks looked at singly before and after a run of wide ones; more than make up a wide one.
const SHORT_CHUNKS: u32 = 5;

/// Marks the quotes, backslashes and control characters of a chunk.
#[inline]
fn stops(lanes: u8x16) -> u8x16 {
    let is_control = lanes.min(u8x16::splat(0x1F)).simd_eq(lanes);
    is_control | lanes.simd_eq(u8x16::splat(b'"')) | lanes.simd_eq(u8x16::splat(b'\\'))
}

/// Skips runs of four chunks without a quote, backslash or control character.
#[inline]
fn skip_wide<'a>(rest: &'a [u8], high: &mut u32) -> &'a [u8] {
    let mut rest = skip_ascii(rest);
    let mut seen = u8x16::ZERO;
    while let Some((four, behind)) = rest.split_first_chunk::<{ 4 * LANES }>() {
        let (chunks, _) = four.as_chunks::<LANES>();
        let [stop, any] = chunks.iter().fold([u8x16::ZERO; 2], |[stop, any], chunk| {
            let lanes = u8x16::new(*chunk);
            [stop | stops(lanes), any | lanes]
        });
        if stop.to_bitmask() != 0 {
            break;
        }
        seen |= any;
        rest = behind;
    }
    *high |= seen.to_bitmask();
    rest
}

/// Skips runs of eight chunks of printable ASCII without a quote or backslash.
///
/// As signed numbers, control characters and all that is not ASCII are below the space. With one bit turned the quote is
/// where the space was, and the space above: one comparison for all of them.
#[inline]
fn skip_ascii(mut rest: &[u8]) -> &[u8] {
    const TURNED: u8 = b' ' ^ b'"';
    while let Some((eight, behind)) = rest.split_first_chunk::<{ 8 * LANES }>() {
        let (chunks, _) = eight.as_chunks::<LANES>();
        let stop = chunks.iter().fold(i8x16::ZERO, |stop, chunk| {
            let lanes = i8x16::new(chunk.map(u8::cast_signed)) ^ i8x16::splat(TURNED.cast_signed());
            let is_low = lanes.simd_lt(i8x16::splat(b'!'.cast_signed()));
            stop | is_low | lanes.simd_eq(i8x16::splat((b'\\' ^ TURNED).cast_signed()))
        });
        if stop.to_bitmask() != 0 {
            break;
        }
        rest = behind;
    }
    rest
}
