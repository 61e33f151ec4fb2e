//! The command line as bash has it: what is typed is read as bash would read it, and what is offered is written so.

use super::{Candidate, candidates};

/// A line up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// Its words, of which the cursor stands in the last.
    words: Vec<String>,
    /// The quote that is open at the cursor.
    quote: Option<char>,
}

/// Returns what may take the place of `replaced`: bash breaks words at `=`, `:` and `@`, and replaces the last piece alone.
pub(super) fn answer(line: &str, replaced: &str) -> Vec<String> {
    let line = split(line);
    let current = line.words.last().map(String::as_str).unwrap_or_default();
    let replaced = split(replaced).words.pop().unwrap_or_default();
    let kept = current.strip_suffix(replaced.as_str()).unwrap_or_default();
    candidates(&line.words).into_iter().filter_map(|candidate| written(&candidate, kept, line.quote)).collect()
}

/// Writes what follows the part that is kept; one that is whole ends with a space.
fn written(candidate: &Candidate, kept: &str, quote: Option<char>) -> Option<String> {
    let rest = candidate.text.strip_prefix(kept)?;
    match quote {
        // Nothing in it may end the quote or be taken for more than text.
        Some(quote) => (!rest.contains([quote, '$', '`', '\\', '!'])).then(|| rest.to_owned()),
        None => {
            let is_plain = |c: char| c.is_alphanumeric() || "_./:=@%+,-~".contains(c);
            let escaped: String = rest.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c])).collect();
            Some(if candidate.is_open() { escaped } else { escaped + " " })
        }
    }
}

/// Splits a line into words. What only bash knows, as the value of a variable, stays as it was typed.
fn split(line: &str) -> Line {
    let mut found = Line::default();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (found.quote, c) {
            (Some(open), c) if c == open => found.quote = None,
            (None, '\'' | '"') => {
                found.quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => found.words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    found.words.push(word.unwrap_or_default());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).words
    }

    #[test]
    fn a_line_is_split_as_bash_splits_it() {
        assert_eq!(words("toolcrib call demo.ec"), ["toolcrib", "call", "demo.ec"]);
        assert_eq!(words("toolcrib  call "), ["toolcrib", "call", ""]);
        assert_eq!(words(r#"a 'b c' d\ e "f \" g"h"#), ["a", "b c", "d e", "f \" gh"]);
        assert_eq!(words(""), [""]);
        assert_eq!(split("a \"b c").quote, Some('"'));
    }

    #[test]
    fn what_is_offered_is_text_to_bash() {
        let offered = |text: &str, kept: &str, quote| written(&Candidate { text: text.to_owned(), about: String::new() }, kept, quote);
        assert_eq!(offered("unit=celsius", "unit=", None).as_deref(), Some("celsius "));
        assert_eq!(offered("demo.", "", None).as_deref(), Some("demo."));
        assert_eq!(offered("$(reboot) 加", "", None).as_deref(), Some(r"\$\(reboot\)\ 加 "));
        assert_eq!(offered("two words", "", Some('"')).as_deref(), Some("two words"));
        assert_eq!(offered("$(reboot)", "", Some('"')), None);
        assert_eq!(offered("other", "unit=", None), None);
    }
}
