//! How wide a text is on a terminal.

use unicode_width::UnicodeWidthStr as _;

/// Returns the columns a text takes: a Chinese character takes two.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}
