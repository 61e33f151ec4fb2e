//! Checked JSON text that is passed on as bytes: values, objects with known members, and edits by splicing.

mod edit;
mod object;
mod pieces;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::scan::{self, Kind, ScanError, Span};

pub use edit::Edit;
pub use object::{Object, Payload};
pub use pieces::{Chunks, Pieces};

/// Tells whether a text inside quotes would not be the JSON string of that text.
fn needs_escape(text: &str) -> bool {
    text.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\')
}

/// One JSON value whose text has passed the strict scan.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// Checks a text and keeps it without surrounding space.
    ///
    /// # Errors
    /// Says what is wrong with the text and where.
    pub fn parse(text: &Bytes) -> Result<Self, ScanError> {
        let (span, _) = scan::value(text)?;
        Ok(Self(slice(text, span)))
    }

    /// Writes a value as JSON; a value that has no JSON form becomes `null`.
    #[must_use]
    pub fn of<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        Self(serde_json::to_vec(value).map_or_else(|_| Bytes::from_static(b"null"), Bytes::from))
    }

    /// Writes a text as a JSON string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        if needs_escape(text) {
            return Self::of(text);
        }
        // Exactly as large as needed, which spares the buffer a second allocation.
        let mut quoted = Vec::with_capacity(text.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(text.as_bytes());
        quoted.push(b'"');
        Self(Bytes::from(quoted))
    }

    /// A constant known to be valid JSON.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Takes text that came out of a scan.
    #[must_use]
    pub(crate) fn trusted(text: Bytes) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Returns the decoded string, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        string_at(&self.0, Span { start: 0, end: self.0.len() })
    }

    /// Reads the value into a type.
    ///
    /// # Errors
    /// The value does not have the type's shape.
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }

    /// Returns the members of the object this is.
    ///
    /// # Errors
    /// The value is not an object.
    pub fn to_object(&self) -> Result<Payload, ScanError> {
        Payload::parse(&self.0)
    }

    /// Returns the elements of the array this is.
    ///
    /// # Errors
    /// The value is not an array.
    pub fn to_elements(&self) -> Result<Vec<Self>, ScanError> {
        Ok(scan::array(&self.0)?.into_iter().map(|(span, _)| Self(slice(&self.0, span))).collect())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &serde_json::value::RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

pub(crate) fn slice(text: &Bytes, span: Span) -> Bytes {
    if span.start <= span.end && span.end <= text.len() { text.slice(span.start..span.end) } else { Bytes::new() }
}

pub(crate) fn string_at(text: &[u8], span: Span) -> Option<Cow<'_, str>> {
    let raw = span.of(text).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(scan::unescape(raw))
}
