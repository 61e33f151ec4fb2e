//! Finding the translation of what is about to be shown.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{Tongue, chinese};

/// A hole in a pattern.
const HOLE: &str = "{}";
/// Stands before what is wrong with a place in a file.
const POINTER: &str = "╰── ";

/// A message with holes, split at them.
#[derive(Debug)]
struct Pattern {
    parts: Vec<&'static str>,
    /// How much of a message is its own; of two patterns that fit, the one with more to say is meant.
    weight: usize,
    chinese: &'static str,
    /// The translation, split at its holes: which one stands before each piece. Nothing stands before the first.
    pieces: Vec<(usize, &'static str)>,
}

#[derive(Debug)]
struct Book {
    whole: HashMap<&'static str, &'static str>,
    patterns: Vec<Pattern>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let (patterns, whole): (Vec<_>, Vec<_>) = chinese::all().partition(|(english, _)| english.contains(HOLE));
    let mut patterns: Vec<Pattern> = patterns.into_iter().map(|(english, chinese)| Pattern::new(english, chinese)).collect();
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.weight));
    Book { whole: whole.into_iter().collect(), patterns }
});

/// Translates a message line by line. What stands in the holes of a pattern is translated where it is a message itself.
#[must_use]
pub fn translate(tongue: Tongue, text: &str) -> Cow<'_, str> {
    if tongue == Tongue::English {
        return Cow::Borrowed(text);
    }
    if let Some(found) = find_filled(text) {
        return Cow::Owned(found);
    }
    let lines = text.split('\n').map(|line| line_of(line).unwrap_or_else(|| line.to_owned()));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// Returns the translation of a message or of a pattern, as it stands in the table.
pub(crate) fn find(english: &str) -> Option<&'static str> {
    let patterns = || BOOK.patterns.iter().find(|pattern| pattern.parts.join(HOLE) == english).map(|pattern| pattern.chinese);
    BOOK.whole.get(english).copied().or_else(patterns)
}

/// Translates a line; one of an example keeps its command, and one that is set in keeps its place.
fn line_of(line: &str) -> Option<String> {
    let inner = line.trim_start();
    let margin = line.strip_suffix(inner).unwrap_or_default();
    if inner.is_empty() {
        return None;
    }
    let whole = |text: &str| BOOK.whole.get(text).copied();
    if let Some(found) = whole(line) {
        return Some(found.to_owned());
    }
    if let Some(found) = whole(inner) {
        return Some([margin, found].concat());
    }
    // `  command        what it does`: before the patterns, for which the command might stand in a hole.
    let example = inner.rsplit_once("  ");
    if let Some((command, found)) = example.and_then(|(command, comment)| Some((command, whole(comment)?))) {
        return Some([margin, command, "  ", found].concat());
    }
    if let Some(found) = find_filled(line) {
        return Some(found);
    }
    if let Some(found) = find_filled(inner) {
        return Some([margin, &found].concat());
    }
    if let Some((command, found)) = example.and_then(|(command, comment)| Some((command, find_filled(comment)?))) {
        return Some([margin, command, "  ", &found].concat());
    }
    // What is wrong with a place in a file, below a picture of it.
    if let Some((picture, found)) = inner.split_once(POINTER).and_then(|(picture, wrong)| Some((picture, sentence(wrong)?))) {
        return Some([margin, picture, POINTER, &found].concat());
    }
    Some([margin, &sentence(inner).or_else(|| with_counts(inner))?].concat())
}

/// Translates a message with its causes behind it, each after a colon; what is nobody's message stays.
fn sentence(text: &str) -> Option<String> {
    if let Some(found) = find_filled(text) {
        return Some(found);
    }
    let (before, after) = text.split_once(": ")?;
    // A word alone is often a name, or the last word of a server.
    let known = Some(before).filter(|before| before.contains(' ')).and_then(find_filled);
    let cause = Some(after).filter(|after| after.contains(' ')).and_then(sentence);
    let is_any = known.is_some() || cause.is_some();
    is_any.then(|| [known.as_deref().unwrap_or(before), "：", cause.as_deref().unwrap_or(after)].concat())
}

fn find_filled(text: &str) -> Option<String> {
    if let Some(found) = BOOK.whole.get(text) {
        return Some((*found).to_owned());
    }
    BOOK.patterns.iter().find_map(|pattern| pattern.fill(text))
}

/// Splits a translation at its holes: `{}` is the next one, `{1}` the second, wherever it stands.
fn pieces(chinese: &'static str) -> Vec<(usize, &'static str)> {
    let mut pieces = Vec::new();
    let (mut rest, mut before, mut next) = (chinese, 0, 0);
    while let Some((piece, number, after)) = next_hole(rest) {
        pieces.push((before, piece));
        before = number.unwrap_or(next);
        next += 1;
        rest = after;
    }
    pieces.push((before, rest));
    pieces
}

/// Returns what is before the next hole, its number where it has one, and what comes after.
fn next_hole(text: &'static str) -> Option<(&'static str, Option<usize>, &'static str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (before, hole) = text.split_at_checked(at)?;
        let (number, after) = hole.strip_prefix('{')?.split_once('}')?;
        let is_hole = number.bytes().all(|b| b.is_ascii_digit());
        is_hole.then(|| (before, number.parse().ok(), after))
    })
}

/// Translates a message, a list of them, or a number of things. Anything else is somebody's own.
fn inside(hole: &str) -> Cow<'_, str> {
    if let Some(found) = BOOK.whole.get(hole) {
        return Cow::Borrowed(found);
    }
    if let Some(list) = hole.contains(", ").then(|| hole.split(", ").map(|one| BOOK.whole.get(one).copied()).collect::<Option<Vec<_>>>()) {
        return list.map_or(Cow::Borrowed(hole), |list| Cow::Owned(list.join("、")));
    }
    counted(hole).map_or(Cow::Borrowed(hole), Cow::Owned)
}

/// Translates a number of things: `3 servers`.
fn counted(text: &str) -> Option<String> {
    let (number, _) = text.split_once(' ')?;
    let patterns = || BOOK.patterns.iter().filter(|pattern| pattern.parts.first() == Some(&""));
    if number.bytes().all(|b| b.is_ascii_digit()) { patterns().find_map(|pattern| pattern.fill(text)) } else { None }
}

/// Translates what stands with numbers of things: `http://127.0.0.1:8665, 3 servers, 40 tools`.
fn with_counts(text: &str) -> Option<String> {
    let (what, counts) = text.split_once(", ")?;
    let counts = counts.split(", ").map(counted).collect::<Option<Vec<String>>>()?;
    Some([what, "，", &counts.join("，")].concat())
}

// === impl Pattern ===

impl Pattern {
    fn new(english: &'static str, chinese: &'static str) -> Self {
        let parts: Vec<&str> = english.split(HOLE).collect();
        Self { weight: parts.iter().map(|part| part.len()).sum(), parts, chinese, pieces: pieces(chinese) }
    }

    /// Translates what stands in a hole: a cause is a message with causes of its own, and a name stays.
    fn inside<'a>(&self, at: usize, hole: &'a str) -> Cow<'a, str> {
        let (before, after) = (self.parts.get(at).copied().unwrap_or_default(), &self.parts.get(at + 1..).unwrap_or_default());
        match after {
            _ if before.ends_with('`') => Cow::Borrowed(hole),
            [""] if before.ends_with(": ") => sentence(hole).map_or_else(|| inside(hole), Cow::Owned),
            _ => inside(hole),
        }
    }

    /// Translates a text that fits.
    fn fill(&self, text: &str) -> Option<String> {
        let (first, others) = self.parts.split_first()?;
        let (last, inner) = others.split_last()?;
        let mut rest = text.strip_prefix(first)?.strip_suffix(last)?;
        let mut holes = Vec::with_capacity(others.len());
        for part in inner {
            let (hole, after) = rest.split_once(part)?;
            holes.push(hole);
            rest = after;
        }
        holes.push(rest);
        // A pattern is one line, and so is what stands in it.
        if holes.iter().any(|hole| hole.contains('\n')) {
            return None;
        }
        // What begins with a hole begins with a name, and not with a message before this one.
        if first.is_empty() && holes.first().is_some_and(|hole| hole.contains(": ")) {
            return None;
        }
        // `{} servers` counts something; it is not the end of a sentence.
        let is_count = first.is_empty() && inner.is_empty() && !last.trim_start().contains(' ');
        if is_count && !rest.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut holes: Vec<Cow<'_, str>> = holes.into_iter().enumerate().map(|(at, hole)| self.inside(at, hole)).collect();
        let mut out = String::new();
        let mut pieces = self.pieces.iter();
        out.push_str(pieces.next()?.1);
        for (place, piece) in pieces {
            out.push_str(&std::mem::take(holes.get_mut(*place)?));
            out.push_str(piece);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(english: &str, chinese: &str) {
        assert_eq!(translate(Tongue::Chinese, english), chinese);
        assert_eq!(translate(Tongue::English, english), english);
    }

    #[test]
    fn a_message_is_found_whole_by_its_pattern_or_stays() {
        check("nothing was changed", "没有任何改动");
        check("removed  time", "已移除   time");
        check(
            "gateway  http://127.0.0.1:8665 in the background   (toolcrib stop)",
            "网关     http://127.0.0.1:8665 已在后台运行   （停止：toolcrib stop）",
        );
        check("nobody has ever said this", "nobody has ever said this");
    }

    #[test]
    fn words_may_stand_in_another_order() {
        check("invalid value `cobol` for `--lang <LANG>`", "`--lang <LANG>` 的值 `cobol` 无效");
    }

    #[test]
    fn what_is_counted_is_translated_and_what_is_somebodys_own_is_not() {
        check("the configuration is valid: 1 server, 0 keys", "配置有效：1 个服务器，0 个密钥");
        check("removed  nothing was written", "已移除   什么都没有写入");
        check("written  /tmp/4 keys", "已写入   /tmp/4 keys");
        check("http://127.0.0.1:8665, 1 server, 13 tools", "http://127.0.0.1:8665，1 个服务器，13 个工具");
        check("http://127.0.0.1:8665, my tools", "http://127.0.0.1:8665, my tools");
    }

    #[test]
    fn causes_are_translated_behind_their_message_and_names_are_not() {
        check("cannot connect: 127.0.0.1:1: Connection refused (os error 111)", "无法连接：127.0.0.1:1：连接被拒绝（系统错误 111）");
        check("`/a/server`: No such file or directory (os error 2)", "`/a/server`：没有这个文件或目录（系统错误 2）");
        check("~/a.json is damaged: its checksum does not fit", "~/a.json 已损坏：校验和不符");
        check("   ·     ╰── unknown field `comand`", "   ·     ╰── 未知的字段 `comand`");
        check("`servers` cannot be started", "无法启动 `servers`");
        check("ValueError: invalid literal for int()", "ValueError: invalid literal for int()");
    }

    #[test]
    fn a_line_of_an_example_keeps_its_command() {
        check(
            "  toolcrib explain                                 all codes",
            "  toolcrib explain                                 全部代码",
        );
    }

    #[test]
    fn lines_are_translated_one_by_one() {
        check("unknown one\nnothing was changed", "unknown one\n没有任何改动");
    }

    #[test]
    fn of_two_patterns_the_one_that_says_more_is_meant() {
        for (at, pattern) in BOOK.patterns.iter().enumerate() {
            assert!(BOOK.patterns.iter().skip(at).all(|other| other.weight <= pattern.weight));
            let letters = pattern.parts.concat().chars().filter(|c| c.is_alphabetic()).count();
            assert!(letters >= 3, "{:?} would fit too much", pattern.parts);
        }
    }

    #[test]
    fn both_sides_of_a_table_have_the_same_holes_and_no_key_is_there_twice() {
        let mut seen = std::collections::HashSet::new();
        for (english, chinese) in chinese::all() {
            let mut places: Vec<usize> = pieces(chinese).iter().skip(1).map(|(place, _)| *place).collect();
            places.sort_unstable();
            assert_eq!(places, (0..english.matches(HOLE).count()).collect::<Vec<_>>(), "{english}");
            assert!(seen.insert(english), "twice: {english}");
            assert!(!english.is_empty() && !chinese.is_empty() && english != chinese, "{english}");
        }
    }

    #[test]
    fn what_people_type_is_the_same_in_both_languages() {
        for (english, chinese) in chinese::all() {
            for word in english.split(|c: char| c.is_whitespace() || "`(),;".contains(c)) {
                // `--with:` at the end of a clause is the flag `--with`.
                let flag = word.trim_end_matches([':', '.', '?']);
                if flag.starts_with("--") && flag.len() > 2 && !flag.contains(HOLE) {
                    assert!(chinese.contains(flag), "`{flag}` is missing in: {chinese}");
                }
            }
        }
    }
}
