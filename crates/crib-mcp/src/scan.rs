//! The strict one-pass reader: finds where things are in a message and refuses what two readers could read differently.
//!
//! One pass over the bytes checks the whole JSON grammar (RFC 8259) and notes the members of at most three objects:
//! the message, its `params`/`result`/`error`, and the `_meta` of that. Everything else is skipped over, but still
//! checked: duplicate keys at any depth (after decoding escapes), invalid UTF-8, lone surrogates, a byte order mark,
//! trailing bytes and nesting beyond [`DEPTH_MAX`] are errors. What passes here means the same to every later reader,
//! so its bytes can be forwarded as they are.

use std::borrow::Cow;
use std::collections::HashSet;

use smallvec::SmallVec;

/// Deepest nesting of objects and arrays that is accepted.
pub const DEPTH_MAX: u32 = 128;
/// Objects with more members than this are checked for duplicates with a hash set.
const LINEAR_KEYS_MAX: usize = 16;

/// A range of bytes inside one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// Returns the bytes of `text` this span covers; empty when it lies outside.
    #[must_use]
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    #[must_use]
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// What kind of JSON value a member holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A span in half the space: messages are shorter than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    start: u32,
    end: u32,
}

impl Slot {
    #[inline]
    fn new(start: usize, end: usize) -> Self {
        let narrow = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    #[inline]
    fn span(self) -> Span {
        Span { start: self.start as usize, end: self.end as usize }
    }

    #[inline]
    fn of(self, text: &[u8]) -> &[u8] {
        self.span().of(text)
    }
}

/// One member of an object: where its key and its value stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    key: Slot,
    value: Slot,
    pub(crate) kind: Kind,
    key_is_escaped: bool,
}

impl Member {
    /// Returns where the key stands, without its quotes.
    #[inline]
    pub(crate) fn key(&self) -> Span {
        self.key.span()
    }

    #[inline]
    pub(crate) fn value(&self) -> Span {
        self.value.span()
    }

    /// Tells whether the key, its escapes decoded, is `name`.
    #[must_use]
    pub(crate) fn is(&self, text: &[u8], name: &str) -> bool {
        let raw = self.key.of(text);
        if self.key_is_escaped { unescape(raw).as_bytes() == name.as_bytes() } else { raw == name.as_bytes() }
    }

    /// Returns the key with its escapes decoded.
    #[must_use]
    pub(crate) fn name<'a>(&self, text: &'a [u8]) -> Cow<'a, str> {
        unescape(self.key.of(text))
    }
}

/// The members of one object in the order they were written.
pub(crate) type Members = SmallVec<[Member; 6]>;

/// Why a text is not acceptable JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct ScanError {
    pub reason: Reason,
    pub at: usize,
}

/// The ways a text can fail the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("unexpected end of text")]
    End,
    #[error("unexpected character")]
    Unexpected,
    #[error("byte order mark")]
    ByteOrderMark,
    #[error("bytes after the end of the value")]
    Trailing,
    #[error("text of 4 GiB or more")]
    TooLong,
    #[error("nesting deeper than 128")]
    TooDeep,
    #[error("duplicate key")]
    DuplicateKey,
    #[error("invalid UTF-8")]
    Utf8,
    #[error("control character in a string")]
    Control,
    #[error("invalid escape")]
    Escape,
    #[error("invalid number")]
    Number,
    #[error("not an object")]
    NotAnObject,
    #[error("not an array")]
    NotAnArray,
}

/// An object that was noted: where it stands and its members.
pub(crate) type Noted = (Span, Members);

/// What one pass over a message found.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) top: Members,
    /// The object under `params`, `result` or `error`, whichever came first.
    pub(crate) body: Option<Noted>,
    pub(crate) meta: Option<Noted>,
}

/// Scans one message, which must be an object.
pub(crate) fn message(text: &[u8]) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::new(text);
    let mut out = Scanned::default();
    scanner.space();
    if scanner.peek() != Some(b'{') {
        // Whether it is not an object or not JSON at all decides between two error codes.
        scanner.value()?;
        scanner.end()?;
        return Err(ScanError { reason: Reason::NotAnObject, at: 0 });
    }
    let mut top = Members::new();
    scanner.object(Level::Top(&mut out), Some(&mut top))?;
    out.top = top;
    scanner.end()?;
    Ok(out)
}

/// Scans an object of any content and returns its members, and those of its `_meta`.
pub(crate) fn object(text: &[u8]) -> Result<(Noted, Option<Noted>), ScanError> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    let start = scanner.pos;
    if scanner.peek() != Some(b'{') {
        return Err(ScanError { reason: Reason::NotAnObject, at: start });
    }
    let mut members = Members::new();
    let mut meta = None;
    scanner.object(Level::Body(&mut meta), Some(&mut members))?;
    let span = Span { start, end: scanner.pos };
    scanner.end()?;
    Ok(((span, members), meta))
}

/// Scans an array and returns where its elements stand.
pub(crate) fn array(text: &[u8]) -> Result<Vec<(Span, Kind)>, ScanError> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    if scanner.peek() != Some(b'[') {
        return Err(ScanError { reason: Reason::NotAnArray, at: scanner.pos });
    }
    let mut elements = Vec::new();
    scanner.array(Some(&mut elements))?;
    scanner.end()?;
    Ok(elements)
}

/// Checks that a text is one acceptable JSON value.
pub(crate) fn value(text: &[u8]) -> Result<(Span, Kind), ScanError> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    let start = scanner.pos;
    let kind = scanner.value()?;
    let span = Span { start, end: scanner.pos };
    scanner.end()?;
    Ok((span, kind))
}

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

/// Which object is being read, and so what to note in it.
enum Level<'a> {
    Top(&'a mut Scanned),
    Body(&'a mut Option<Noted>),
    Other,
}

#[derive(Clone, Copy)]
struct Key {
    at: Slot,
    is_escaped: bool,
}

impl Key {
    /// Returns the key with its escapes decoded.
    fn decoded(self, text: &[u8]) -> Cow<'_, [u8]> {
        let raw = self.at.of(text);
        if self.is_escaped { Cow::Owned(unescape(raw).into_owned().into_bytes()) } else { Cow::Borrowed(raw) }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    pos: usize,
    depth: u32,
    /// Keys of the objects that are open, innermost last.
    keys: SmallVec<[Key; 32]>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0, depth: 0, keys: SmallVec::new() }
    }

    fn fail<T>(&self, reason: Reason) -> Result<T, ScanError> {
        Err(ScanError { reason, at: self.pos })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    fn end(&mut self) -> Result<(), ScanError> {
        if u32::try_from(self.text.len()).is_err() {
            return self.fail(Reason::TooLong);
        }
        self.space();
        if self.pos == self.text.len() { Ok(()) } else { self.fail(Reason::Trailing) }
    }

    fn value(&mut self) -> Result<Kind, ScanError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| Kind::String),
            Some(b'{') => self.object(Level::Other, None).map(|()| Kind::Object),
            Some(b'[') => self.array(None).map(|()| Kind::Array),
            Some(b't') => self.literal(b"true", Kind::Bool),
            Some(b'f') => self.literal(b"false", Kind::Bool),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Kind::Number),
            Some(0xEF) if self.pos == 0 => self.fail(Reason::ByteOrderMark),
            Some(_) => self.fail(Reason::Unexpected),
            None => self.fail(Reason::End),
        }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Kind, ScanError> {
        if self.text.get(self.pos..self.pos + word.len()) == Some(word) {
            self.pos += word.len();
            return Ok(kind);
        }
        self.fail(Reason::Unexpected)
    }

    fn deeper(&mut self) -> Result<(), ScanError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { self.fail(Reason::TooDeep) } else { Ok(()) }
    }

    fn array(&mut self, mut elements: Option<&mut Vec<(Span, Kind)>>) -> Result<(), ScanError> {
        self.deeper()?;
        self.pos += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.pos += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.space();
            let start = self.pos;
            let kind = self.value()?;
            if let Some(list) = elements.as_deref_mut() {
                list.push((Span { start, end: self.pos }, kind));
            }
            self.space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => break,
                Some(_) => return self.fail(Reason::Unexpected),
                None => return self.fail(Reason::End),
            }
        }
        self.pos += 1;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self, mut level: Level<'_>, mut members: Option<&mut Members>) -> Result<(), ScanError> {
        self.deeper()?;
        self.pos += 1;
        let mut seen = Seen { base: self.keys.len(), set: None };
        self.space();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.space();
            let key = self.key()?;
            seen.add(self, key)?;
            let start = self.pos;
            let kind = self.member_value(&mut level, key)?;
            if let Some(list) = members.as_deref_mut() {
                let value = Slot::new(start, self.pos);
                list.push(Member { key: key.at, value, kind, key_is_escaped: key.is_escaped });
            }
            self.space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => break,
                Some(_) => return self.fail(Reason::Unexpected),
                None => return self.fail(Reason::End),
            }
        }
        self.keys.truncate(seen.base);
        self.pos += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Reads `"key" :` and the space behind it.
    #[inline]
    fn key(&mut self) -> Result<Key, ScanError> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return self.fail(Reason::Unexpected),
            None => return self.fail(Reason::End),
        }
        let start = self.pos + 1;
        let is_escaped = self.string()?;
        let at = Slot::new(start, self.pos - 1);
        self.space();
        match self.peek() {
            Some(b':') => self.pos += 1,
            Some(_) => return self.fail(Reason::Unexpected),
            None => return self.fail(Reason::End),
        }
        self.space();
        Ok(Key { at, is_escaped })
    }

    #[inline]
    fn member_value(&mut self, level: &mut Level<'_>, key: Key) -> Result<Kind, ScanError> {
        if self.peek() != Some(b'{') {
            return self.value();
        }
        let start = self.pos;
        let text = self.text;
        let is = |name: &str| key.decoded(text).as_ref() == name.as_bytes();
        match level {
            Level::Top(out) if out.body.is_none() && (is("params") || is("result") || is("error")) => {
                let mut members = Members::new();
                let mut meta = None;
                self.object(Level::Body(&mut meta), Some(&mut members))?;
                out.meta = meta;
                out.body = Some((Span { start, end: self.pos }, members));
            }
            Level::Body(meta) if is("_meta") => {
                let mut members = Members::new();
                self.object(Level::Other, Some(&mut members))?;
                **meta = Some((Span { start, end: self.pos }, members));
            }
            Level::Top(_) | Level::Body(_) | Level::Other => self.object(Level::Other, None)?,
        }
        Ok(Kind::Object)
    }

    /// Reads a string from its opening to behind its closing quote; tells whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, ScanError> {
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

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        match self.peek() {
            Some(b'0') => self.pos += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail(Reason::Number),
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), ScanError> {
        let start = self.pos;
        self.digits();
        if self.pos == start { self.fail(Reason::Number) } else { Ok(()) }
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

/// The keys of one open object.
struct Seen<'a> {
    base: usize,
    set: Option<HashSet<Cow<'a, [u8]>>>,
}

impl<'a> Seen<'a> {
    #[inline]
    fn add(&mut self, scanner: &mut Scanner<'a>, key: Key) -> Result<(), ScanError> {
        let text = scanner.text;
        let duplicate = Err(ScanError { reason: Reason::DuplicateKey, at: key.at.span().start });
        if let Some(set) = &mut self.set {
            return if set.insert(key.decoded(text)) { Ok(()) } else { duplicate };
        }
        let open = scanner.keys.get(self.base..).unwrap_or_default();
        if open.iter().any(|other| same_key(text, *other, key)) {
            return duplicate;
        }
        if open.len() == LINEAR_KEYS_MAX {
            self.set = Some(open.iter().chain([&key]).map(|key| key.decoded(text)).collect());
        }
        scanner.keys.push(key);
        Ok(())
    }
}

#[inline]
fn same_key(text: &[u8], a: Key, b: Key) -> bool {
    if a.is_escaped || b.is_escaped {
        return a.decoded(text) == b.decoded(text);
    }
    a.at.of(text) == b.at.of(text)
}
