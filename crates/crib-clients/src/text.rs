//! Texts as others wrote them: lines, indents, line ends, and changes that touch nothing else.

use std::ops::Range;

/// One change of a text: what stood there and what stands there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Where, in bytes of the text before.
    pub at: usize,
    pub removed: String,
    pub inserted: String,
}

impl Splice {
    /// Returns the one change that makes `after` out of `before`; `None` when they are the same.
    #[must_use]
    pub fn between(before: &str, after: &str) -> Option<Self> {
        if before == after {
            return None;
        }
        let start = common(before.chars(), after.chars());
        let (head, tail) = (before.get(start..)?, after.get(start..)?);
        let end = common(head.chars().rev(), tail.chars().rev());
        let removed = head.get(..head.len() - end)?.to_owned();
        let inserted = tail.get(..tail.len() - end)?.to_owned();
        Some(Self { at: start, removed, inserted })
    }

    /// Takes the change back in a text that may have changed elsewhere since; `None` when it is not there any more, or
    /// stands in several places.
    #[must_use]
    pub fn undone(&self, text: &str) -> Option<String> {
        if self.inserted.is_empty() {
            return None;
        }
        let is_here = text.get(self.at..).is_some_and(|rest| rest.starts_with(&self.inserted));
        let at = if is_here { self.at } else { text.find(&self.inserted).filter(|at| text.rfind(&self.inserted) == Some(*at))? };
        Some(replaced(text, at..at + self.inserted.len(), &self.removed))
    }
}

fn common(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// Returns the text with one range replaced.
pub(crate) fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    [before, with, after].concat()
}

/// Returns the text between two places; nothing when they are no places.
pub(crate) fn slice(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// Returns how lines end in a text.
pub(crate) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|before| before.ends_with('\r')) => "\r\n",
        Some(_) | None => "\n",
    }
}

/// Returns where the line of a place begins, behind a byte order mark.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    let start = slice(text, 0..at).rfind('\n').map_or(0, |newline| newline + 1);
    if start == 0 && text.starts_with(BOM) { BOM.len_utf8().min(at) } else { start }
}

/// Returns where the line of a place ends, before its line end.
pub(crate) fn line_stop(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let len = rest.find('\n').unwrap_or(rest.len());
    let line = slice(rest, 0..len);
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// Returns where the line after the line of a place begins.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// Returns the blanks a line begins with.
pub(crate) fn indent_at(text: &str, at: usize) -> &str {
    let line = text.get(line_start(text, at)..at).unwrap_or_default();
    let rest = line.trim_start_matches([' ', '\t']);
    slice(line, 0..line.len() - rest.len())
}

/// Returns whether nothing but blanks stands before a place on its line.
pub(crate) fn is_first_on_line(text: &str, at: usize) -> bool {
    text.get(line_start(text, at)..at).is_some_and(|before| before.trim().is_empty())
}

/// Returns the place before the line end and blanks that stand in front of a place, if it is the first on its line.
pub(crate) fn before_line_end(text: &str, at: usize) -> usize {
    let before = slice(text, 0..at).trim_end_matches([' ', '\t']);
    let before = before.strip_suffix('\n').map_or(before, |line| line.strip_suffix('\r').unwrap_or(line));
    before.len()
}

pub(crate) const BOM: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_can_be_taken_back_although_the_rest_has_moved() {
        let splice = Splice::between("a\nc\n", "a\nb\nc\n").unwrap();
        assert_eq!(splice.undone("a\nb\nc\n").unwrap(), "a\nc\n");
        assert_eq!(splice.undone("new\na\nb\nc\n").unwrap(), "new\na\nc\n");
        assert_eq!(splice.undone("b\nx\nb\n"), None);
        assert_eq!(splice.undone("gone"), None);
    }

    #[test]
    fn characters_stay_whole() {
        let splice = Splice::between("ä", "ö").unwrap();
        assert_eq!((splice.removed.as_str(), splice.inserted.as_str()), ("ä", "ö"));
    }
}
