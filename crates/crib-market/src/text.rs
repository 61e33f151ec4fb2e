//! Text of strangers on a screen.

use crib_registry::pins::visible;

/// Returns a text in one line in which nothing is hidden, cut where it gets too long.
#[must_use]
pub fn shown(text: &str, letters_max: usize) -> String {
    // What is cut away need not be looked at.
    let start: String = text.chars().take(letters_max.saturating_mul(4)).collect();
    let line = visible(&start.split_whitespace().collect::<Vec<_>>().join(" "));
    if line.chars().count() <= letters_max {
        return line;
    }
    let mut cut: String = line.chars().take(letters_max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_hides() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n c\u{202e}d", 80), "a\\u{1b}[2Jb c\\u{202e}d");
        assert_eq!(shown("one two three", 8), "one two…");
        assert_eq!(shown(&"x".repeat(1_000_000), 3), "xx…");
    }
}
