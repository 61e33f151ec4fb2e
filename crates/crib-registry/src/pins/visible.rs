//! Text as it is, on a screen that hides nothing.

use crate::names;

/// Spells out what nobody sees, or what would move the cursor or turn the text around; line breaks stay.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !names::is_hidden(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}
