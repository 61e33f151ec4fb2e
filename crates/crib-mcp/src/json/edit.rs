//! Edits by splicing.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Chunks, Object, Payload, Pieces};
use crate::scan::Span;

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
    pub(super) fn new(object: &'a Object) -> Self {
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
        for (at, member) in self.object.list().iter().enumerate() {
            if test(&member.name(self.object.source())) {
                self.changes.push((at, Change::Remove));
            }
        }
        self
    }

    /// Tells whether the result has no members.
    #[must_use]
    pub fn leaves_nothing(&self) -> bool {
        let removed = |at: usize| matches!(self.change(at), Some(Change::Remove));
        self.added.is_empty() && (0..self.object.list().len()).all(removed)
    }

    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.changes.is_empty() && self.added.is_empty()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.object.list().iter().position(|m| m.is(self.object.source(), name))
    }

    fn change(&self, at: usize) -> Option<&Change> {
        // The last word counts.
        self.changes.iter().rev().find(|(i, _)| *i == at).map(|(_, change)| change)
    }

    /// Writes the object with its changes.
    pub fn write(&self, out: &mut Pieces) {
        if self.is_unchanged() && !self.object.span().is_empty() {
            out.span(self.object.source(), self.object.span());
            return;
        }
        out.text("{");
        let mut first = true;
        for (name, value) in &self.added {
            separate(out, &mut first);
            out.string(name).text(":").chunks(value);
        }
        let members = self.object.list();
        let mut at = 0;
        while let Some(member) = members.get(at) {
            match self.change(at) {
                Some(Change::Remove) => at += 1,
                Some(Change::Replace(value)) => {
                    separate(out, &mut first);
                    out.span(self.object.source(), Span { start: member.key().start - 1, end: member.value().start });
                    out.chunks(value);
                    at += 1;
                }
                None => {
                    let run = (at..members.len()).take_while(|i| self.change(*i).is_none()).last().unwrap_or(at);
                    let end = members.get(run).unwrap_or(member).value().end;
                    separate(out, &mut first);
                    out.span(self.object.source(), Span { start: member.key().start - 1, end });
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
        let mut out = Pieces::with_capacity(self.object.span().len() + 256);
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
