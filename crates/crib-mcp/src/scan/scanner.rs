//! The grammar of values.

use smallvec::SmallVec;

use super::keys::{Key, Seen};
use super::{Below, DEPTH_MAX, Kind, Member, Members, Noted, Reason, ScanError, Slot, Span};

/// Which object is being read, and so what to note in it.
pub(super) enum Level<'a> {
    Top(&'a mut Below),
    Body(&'a mut Option<Noted>),
    Other,
}

/// Reads one value from the start of a text to its end.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a [u8],
    pub(super) pos: usize,
    depth: u32,
    pub(super) names_uri: bool,
    /// Keys of the objects that are open, innermost last.
    pub(super) keys: SmallVec<[Key; 32]>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0, depth: 0, names_uri: false, keys: SmallVec::new() }
    }

    pub(super) fn fail<T>(&self, reason: Reason) -> Result<T, ScanError> {
        Err(ScanError { reason, at: self.pos })
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        // Most messages have no space between their parts, and all it could be is below the letters.
        while let Some(b'\0'..=b' ') = self.peek() {
            let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() else { return };
            self.pos += 1;
        }
    }

    pub(super) fn end(&mut self) -> Result<(), ScanError> {
        if u32::try_from(self.text.len()).is_err() {
            return self.fail(Reason::TooLong);
        }
        self.space();
        if self.pos == self.text.len() { Ok(()) } else { self.fail(Reason::Trailing) }
    }

    pub(super) fn value(&mut self) -> Result<Kind, ScanError> {
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

    pub(super) fn array(&mut self, mut elements: Option<&mut Vec<(Span, Kind)>>) -> Result<(), ScanError> {
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

    pub(super) fn object(&mut self, mut level: Level<'_>, mut members: Option<&mut Members>) -> Result<(), ScanError> {
        self.deeper()?;
        self.pos += 1;
        let mut seen = Seen::new(self);
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
        seen.close(self);
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
        let key = Key { at, is_escaped };
        self.names_uri |= key.is(self.text, "uri");
        Ok(key)
    }

    #[inline]
    fn member_value(&mut self, level: &mut Level<'_>, key: Key) -> Result<Kind, ScanError> {
        if self.peek() != Some(b'{') {
            return self.value();
        }
        let start = self.pos;
        let text = self.text;
        let is = |name: &str| key.is(text, name);
        match level {
            Level::Top(out) if out.body.is_none() && (is("params") || is("result") || is("error")) => {
                let (span, members) = out.body.insert(Noted::default());
                self.object(Level::Body(&mut out.meta), Some(members))?;
                *span = Span { start, end: self.pos };
            }
            Level::Body(meta) if is("_meta") => {
                let (span, members) = meta.insert(Noted::default());
                self.object(Level::Other, Some(members))?;
                *span = Span { start, end: self.pos };
            }
            Level::Top(_) | Level::Body(_) | Level::Other => self.object(Level::Other, None)?,
        }
        Ok(Kind::Object)
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
