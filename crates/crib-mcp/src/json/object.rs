//! Objects whose members are known: parts of a message, or a text of their own.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::{Edit, Json, slice, string_at};
use crate::scan::{self, Below, Kind, Member, Members, ScanError, Span};

/// An object inside a message: the text it stands in and where its members are.
///
/// A share of something immutable, so it costs little to copy and to carry through the stages of a call.
#[derive(Clone, Debug, Default)]
pub struct Object(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    text: Bytes,
    span: Span,
    members: Members,
}

impl Object {
    pub(crate) fn new(text: Bytes, span: Span, members: Members) -> Self {
        Self(Some(Arc::new(Inner { text, span, members })))
    }

    /// Returns the message this is part of.
    pub(super) fn source(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.0.as_ref().map_or(&NONE, |inner| &inner.text)
    }

    pub(super) fn span(&self) -> Span {
        self.0.as_ref().map_or(Span { start: 0, end: 0 }, |inner| inner.span)
    }

    pub(super) fn list(&self) -> &[Member] {
        self.0.as_ref().map_or(&[], |inner| &inner.members)
    }

    /// Returns the members in the order they were written.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Json)> {
        self.list().iter().map(|m| (m.name(self.source()), Json(slice(self.source(), m.value()))))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    fn find(&self, name: &str) -> Option<&Member> {
        self.list().iter().find(|m| m.is(self.source(), name))
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns the value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Json> {
        self.find(name).map(|m| Json(slice(self.source(), m.value())))
    }

    /// Returns the kind of a member's value.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.find(name).map(|m| m.kind)
    }

    /// Returns the text of a member's value without taking a share of the message.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|m| m.value().of(self.source()))
    }

    /// Returns the decoded string of a member; `None` when absent or not a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.find(name).and_then(|m| string_at(self.source(), m.value()))
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
        if self.span().is_empty() { Json::from_static("{}") } else { Json(slice(self.source(), self.span())) }
    }
}

/// The `params`, `result` or `error` object of a message, with its `_meta`.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    pub object: Object,
    pub meta: Option<Object>,
    names_uri: bool,
}

impl Payload {
    /// Reads an object of any content.
    ///
    /// # Errors
    /// The text is not one acceptable JSON object.
    pub fn parse(text: &Bytes) -> Result<Self, ScanError> {
        Ok(Self::new(text, scan::object(text)?))
    }

    /// Takes what a pass over a text noted below its top.
    pub(crate) fn new(text: &Bytes, below: Below) -> Self {
        let object = |(span, members)| Object::new(text.clone(), span, members);
        Self { object: below.body.map(object).unwrap_or_default(), meta: below.meta.map(object), names_uri: below.names_uri }
    }

    /// Tells whether any object in it, at any depth, has a member `uri`; it may be one of the message around it.
    #[must_use]
    pub fn names_uri(&self) -> bool {
        self.names_uri
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
