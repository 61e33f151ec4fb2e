//! Checked JSON text that is passed on as bytes: values, objects with known members, and edits by splicing.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::scan::{self, Kind, Member, Members, ScanError, Span};

/// Slices at least this long are passed on by reference instead of copied.
const SHARE_BYTES_MIN: usize = 8 * 1024;

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

/// An object inside a message: the text it stands in and where its members are.
#[derive(Clone, Debug, Default)]
pub struct Object {
    text: Bytes,
    span: Span,
    members: Members,
}

impl Object {
    pub(crate) fn new(text: Bytes, span: Span, members: Members) -> Self {
        Self { text, span, members }
    }

    /// Returns the members in the order they were written.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Json)> {
        self.members.iter().map(|m| (m.name(&self.text), Json(slice(&self.text, m.value()))))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.is(&self.text, name))
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns the value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Json> {
        self.find(name).map(|m| Json(slice(&self.text, m.value())))
    }

    /// Returns the kind of a member's value.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.find(name).map(|m| m.kind)
    }

    /// Returns the text of a member's value without taking a share of the message.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|m| m.value().of(&self.text))
    }

    /// Returns the decoded string of a member; `None` when absent or not a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.find(name).and_then(|m| string_at(&self.text, m.value()))
    }

    #[must_use]
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.raw(name)? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    #[must_use]
    pub fn u64(&self, name: &str) -> Option<u64> {
        std::str::from_utf8(self.raw(name)?).ok()?.parse().ok()
    }

    /// Returns the whole object as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        if self.span.is_empty() { Json::from_static("{}") } else { Json(slice(&self.text, self.span)) }
    }
}

/// The `params`, `result` or `error` object of a message, with its `_meta`.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    pub object: Object,
    pub meta: Option<Object>,
}

impl Payload {
    /// Reads an object of any content.
    ///
    /// # Errors
    /// The text is not one acceptable JSON object.
    pub fn parse(text: &Bytes) -> Result<Self, ScanError> {
        let ((span, members), meta) = scan::object(text)?;
        let meta = meta.map(|(span, members)| Object::new(text.clone(), span, members));
        Ok(Self { object: Object::new(text.clone(), span, members), meta })
    }

    /// Writes a value that serialises to an object; anything else becomes an empty object.
    #[must_use]
    pub fn of<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        Self::parse(Json::of(value).bytes()).unwrap_or_default()
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<Json> {
        self.object.get(name)
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.object.text(name)
    }

    /// Returns a member of `_meta`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<Json> {
        self.meta.as_ref()?.get(name)
    }

    #[must_use]
    pub fn to_json(&self) -> Json {
        self.object.to_json()
    }

    /// Starts an edit of the object.
    #[must_use]
    pub fn edit(&self) -> Edit<'_> {
        Edit::new(&self.object)
    }

    /// Starts an edit of `_meta`; of an empty one where there is none.
    #[must_use]
    pub fn edit_meta(&self) -> Edit<'_> {
        static NONE: std::sync::LazyLock<Object> = std::sync::LazyLock::new(Object::default);
        Edit::new(self.meta.as_ref().unwrap_or(&NONE))
    }
}

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

    fn span(&mut self, text: &Bytes, span: Span) {
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

/// Changes to the members of one object. What is not named stays as it was written, to the byte.
#[derive(Debug)]
pub struct Edit<'a> {
    object: &'a Object,
    changes: SmallVec<[(usize, Change); 4]>,
    added: SmallVec<[(Cow<'a, str>, Chunks); 4]>,
}

#[derive(Debug)]
enum Change {
    Replace(Chunks),
    Remove,
}

impl<'a> Edit<'a> {
    fn new(object: &'a Object) -> Self {
        Self { object, changes: SmallVec::new(), added: SmallVec::new() }
    }

    /// Gives a member a value, where it stands or else in front of all others.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Chunks>) -> &mut Self {
        let name = name.into();
        match self.position(&name) {
            Some(at) => self.changes.push((at, Change::Replace(value.into()))),
            None => match self.added.iter_mut().find(|(other, _)| *other == name) {
                Some((_, old)) => *old = value.into(),
                None => self.added.push((name, value.into())),
            },
        }
        self
    }

    /// Gives a member a value only where the object, as it came, has none.
    pub fn set_missing(&mut self, name: &'a str, value: impl Into<Chunks>) -> &mut Self {
        if self.position(name).is_none() && self.added.iter().all(|(other, _)| other != name) {
            self.added.push((Cow::Borrowed(name), value.into()));
        }
        self
    }

    pub fn remove(&mut self, name: &str) -> &mut Self {
        if let Some(at) = self.position(name) {
            self.changes.push((at, Change::Remove));
        } else {
            self.added.retain(|(other, _)| other != name);
        }
        self
    }

    /// Removes every member whose name passes the test.
    pub fn remove_where(&mut self, test: impl Fn(&str) -> bool) -> &mut Self {
        for (at, member) in self.object.members.iter().enumerate() {
            if test(&member.name(&self.object.text)) {
                self.changes.push((at, Change::Remove));
            }
        }
        self
    }

    /// Tells whether the result has no members.
    #[must_use]
    pub fn leaves_nothing(&self) -> bool {
        let removed = |at: usize| matches!(self.change(at), Some(Change::Remove));
        self.added.is_empty() && (0..self.object.members.len()).all(removed)
    }

    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.changes.is_empty() && self.added.is_empty()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.object.members.iter().position(|m| m.is(&self.object.text, name))
    }

    fn change(&self, at: usize) -> Option<&Change> {
        // The last word counts.
        self.changes.iter().rev().find(|(i, _)| *i == at).map(|(_, change)| change)
    }

    /// Writes the object with its changes.
    pub fn write(&self, out: &mut Pieces) {
        if self.is_unchanged() && !self.object.span.is_empty() {
            out.span(&self.object.text, self.object.span);
            return;
        }
        out.text("{");
        let mut first = true;
        for (name, value) in &self.added {
            separate(out, &mut first);
            out.json(&Json::of(name.as_ref())).text(":").chunks(value);
        }
        let members = &self.object.members;
        let mut at = 0;
        while let Some(member) = members.get(at) {
            match self.change(at) {
                Some(Change::Remove) => at += 1,
                Some(Change::Replace(value)) => {
                    separate(out, &mut first);
                    out.span(&self.object.text, Span { start: member.key().start - 1, end: member.value().start });
                    out.chunks(value);
                    at += 1;
                }
                None => {
                    let run = (at..members.len()).take_while(|i| self.change(*i).is_none()).last().unwrap_or(at);
                    let end = members.get(run).unwrap_or(member).value().end;
                    separate(out, &mut first);
                    out.span(&self.object.text, Span { start: member.key().start - 1, end });
                    at = run + 1;
                }
            }
        }
        out.text("}");
    }

    #[must_use]
    pub fn finish(&self) -> Chunks {
        if self.is_unchanged() {
            return self.object.to_json().into();
        }
        let mut out = Pieces::with_capacity(self.object.span.len() + 256);
        self.write(&mut out);
        out.finish()
    }

    /// Writes the object and reads it again, for callers that go on working with it.
    #[must_use]
    pub fn to_payload(&self) -> Payload {
        Payload::parse(&self.finish().into_bytes()).unwrap_or_default()
    }
}

fn separate(out: &mut Pieces, first: &mut bool) {
    if !std::mem::replace(first, false) {
        out.text(",");
    }
}

pub(crate) fn slice(text: &Bytes, span: Span) -> Bytes {
    if span.start <= span.end && span.end <= text.len() { text.slice(span.start..span.end) } else { Bytes::new() }
}

pub(crate) fn string_at(text: &[u8], span: Span) -> Option<Cow<'_, str>> {
    let raw = span.of(text).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(scan::unescape(raw))
}
