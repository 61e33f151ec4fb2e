//! The strict one-pass reader: finds where things are in a message and refuses what two readers could read differently.
//!
//! One pass over the bytes checks the whole JSON grammar (RFC 8259) and notes the members of at most three objects:
//! the message, its `params`/`result`/`error`, and the `_meta` of that. Everything else is skipped over, but still
//! checked: duplicate keys at any depth (after decoding escapes), invalid UTF-8, lone surrogates, a byte order mark,
//! trailing bytes and nesting beyond [`DEPTH_MAX`] are errors. What passes here means the same to every later reader,
//! so its bytes can be forwarded as they are.

mod keys;
mod scanner;
mod string;

use std::borrow::Cow;

use smallvec::SmallVec;

use scanner::{Level, Scanner};
pub(crate) use string::unescape;

/// Deepest nesting of objects and arrays that is accepted.
pub const DEPTH_MAX: u32 = 128;
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
        if self.key_is_escaped { unescape(raw) == name } else { raw == name.as_bytes() }
    }

    /// Returns the key with its escapes decoded, as bytes, which spares the usual key a look at each of its letters.
    #[must_use]
    pub(crate) fn name_bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let raw = self.key.of(text);
        if self.key_is_escaped { Cow::Owned(unescape(raw).into_owned().into_bytes()) } else { Cow::Borrowed(raw) }
    }

    /// Returns the key with its escapes decoded.
    #[must_use]
    pub(crate) fn name<'a>(&self, text: &'a [u8]) -> Cow<'a, str> {
        let raw = self.key.of(text);
        if self.key_is_escaped { unescape(raw) } else { Cow::Borrowed(std::str::from_utf8(raw).unwrap_or_default()) }
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
    pub(crate) below: Below,
}

/// The objects under the top of a message that are noted.
#[derive(Debug, Default)]
pub(crate) struct Below {
    /// The object under `params`, `result` or `error`, whichever came first.
    pub(crate) body: Option<Noted>,
    pub(crate) meta: Option<Noted>,
    /// Whether any object of the text has a member `uri`.
    pub(crate) names_uri: bool,
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
    let Scanned { top, below } = &mut out;
    scanner.object(Level::Top(below), Some(top))?;
    scanner.end()?;
    below.names_uri = scanner.names_uri;
    Ok(out)
}

/// Scans an object of any content, which is the body then.
pub(crate) fn object(text: &[u8]) -> Result<Below, ScanError> {
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
    Ok(Below { body: Some((span, members)), meta, names_uri: scanner.names_uri })
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
