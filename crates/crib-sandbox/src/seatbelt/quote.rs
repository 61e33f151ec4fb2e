//! Texts inside of a profile.

use std::path::Path;

/// Returns a path as a literal of the profile's language: nothing in it ends the literal or stands for something else.
pub(super) fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

/// Returns a text as a literal.
pub(super) fn text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a literal as the interpreter of profiles does, and returns it with what stands behind it.
    fn read(literal: &str) -> Option<(String, &str)> {
        let (mut text, mut letters) = (String::new(), literal.strip_prefix('"')?.char_indices());
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => return Some((text, literal.get(at + 2..)?)),
                // A letter or number behind it would stand for another one.
                '\\' => text.push(letters.next().map(|(_, letter)| letter).filter(|letter| matches!(letter, '"' | '\\'))?),
                letter => text.push(letter),
            }
        }
        None
    }

    #[test]
    fn quotes_and_backslashes_are_of_the_text() {
        assert_eq!(path(Path::new(r#"/a b/"c"\d"#)), r#""/a b/\"c\"\\d""#);
        assert_eq!(path(Path::new("/书/ä")), "\"/书/ä\"");
    }

    proptest! {
        #[test]
        fn no_path_breaks_out_of_its_literal(name in "[\"\\\\a-z()/ ;#\n\t\u{1}é]{0,24}|\\PC{0,24}") {
            let rule = format!("{}) (allow default)", path(Path::new(&name)));
            prop_assert_eq!(read(&rule), Some((name, ") (allow default)")));
        }
    }
}
