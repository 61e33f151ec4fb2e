//! Keys that were seen, so that none is seen twice.

use std::borrow::Cow;
use std::collections::HashSet;

use super::scanner::Scanner;
use super::{Reason, ScanError, Slot, unescape};

/// Objects with more members than this are checked for duplicates with a hash set.
const LINEAR_KEYS_MAX: usize = 16;

/// A key of an object, without its quotes.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) at: Slot,
    pub(super) is_escaped: bool,
}

impl Key {
    /// Returns the key with its escapes decoded.
    pub(super) fn decoded(self, text: &[u8]) -> Cow<'_, [u8]> {
        let raw = self.at.of(text);
        if self.is_escaped { Cow::Owned(unescape(raw).into_owned().into_bytes()) } else { Cow::Borrowed(raw) }
    }

    /// Tells whether the key, its escapes decoded, is `name`.
    #[inline]
    pub(super) fn is(self, text: &[u8], name: &str) -> bool {
        let raw = self.at.of(text);
        if self.is_escaped { unescape(raw) == name } else { raw == name.as_bytes() }
    }
}

/// The keys of one open object.
pub(super) struct Seen<'a> {
    base: usize,
    set: Option<HashSet<Cow<'a, [u8]>>>,
}

impl<'a> Seen<'a> {
    /// Starts an object inside those whose keys are noted already.
    pub(super) fn new(scanner: &Scanner<'a>) -> Self {
        Self { base: scanner.keys.len(), set: None }
    }

    /// Forgets the keys of the object.
    #[inline]
    pub(super) fn close(self, scanner: &mut Scanner<'a>) {
        scanner.keys.truncate(self.base);
    }

    /// Notes one more key.
    #[inline]
    pub(super) fn add(&mut self, scanner: &mut Scanner<'a>, key: Key) -> Result<(), ScanError> {
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
