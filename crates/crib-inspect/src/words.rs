//! In which language words are said: whoever shows them knows, and hands over how.

use std::borrow::Cow;

/// Says a message, or one made of a known pattern, in the user's language.
pub type Speak = fn(&str) -> Cow<'_, str>;

/// Says it as it is.
#[must_use]
pub fn plainly(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Says a word that stands before a value. The colon tells it from a name that somebody gave.
pub(crate) fn label(speak: Speak, word: &str, columns: usize) -> String {
    let said = speak(&format!("{word}:")).trim_end_matches([':', '：']).to_owned();
    padded(&said, columns)
}

/// Fills a text up to so many columns; characters of East Asia take two.
fn padded(text: &str, columns: usize) -> String {
    let taken: usize = text.chars().map(|c| if matches!(u32::from(c), 0x2E80..=0xFFDC) { 2 } else { 1 }).sum();
    [text, &" ".repeat(columns.saturating_sub(taken))].concat()
}
