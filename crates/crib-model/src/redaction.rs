//! Secrets are taken out of what people get to read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::Fault;

/// What stands for a value.
const REDACTED: &str = "[secret]";
/// Shorter values are words that anything may hold.
const BYTES_MIN: usize = 4;

/// The values that a server was given, to be kept out of what it says about itself. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redaction(Arc<[SecretString]>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redaction({})", self.0.len())
    }
}

impl Redaction {
    /// Takes values. What a server writes comes line by line, so each line of a value counts for itself, too.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = SecretString>) -> Self {
        let mut all = Vec::new();
        for value in values {
            let text = value.expose_secret();
            if text.contains('\n') {
                all.extend(text.lines().map(str::trim).filter(|line| line.len() >= BYTES_MIN).map(SecretString::from));
            }
            if text.len() >= BYTES_MIN {
                all.push(value);
            }
        }
        // The longest first: one value may be the beginning of another.
        all.sort_by_key(|value| std::cmp::Reverse(value.expose_secret().len()));
        Self(all.into())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a text without the values.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for value in self.0.iter().map(SecretString::expose_secret) {
            if text.contains(value) {
                text = Cow::Owned(text.replace(value, REDACTED));
            }
        }
        text
    }

    /// Returns a fault without the values.
    #[must_use]
    pub fn fault(&self, fault: &Fault) -> Fault {
        let mut clean = Fault::new(fault.code(), self.text(fault.message()).into_owned());
        for cause in fault.causes() {
            clean = clean.because(self.text(cause));
        }
        match fault.remedy() {
            Some(hint) => clean.hint(self.text(hint).into_owned()),
            None => clean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_whole_and_line_by_line() {
        let redaction = Redaction::new(["s3cr3t", "s3cr3t-and-more", "one\nline two\n", "abc"].map(SecretString::from));
        assert_eq!(redaction.text("a s3cr3t-and-more, s3cr3t!"), "a [secret], [secret]!");
        assert_eq!(redaction.text("it is line two of abc, and one"), "it is [secret] of abc, and one");
        assert!(matches!(redaction.text("nothing"), Cow::Borrowed("nothing")));
        assert!(!format!("{redaction:?}").contains("s3cr3t"));
    }
}
