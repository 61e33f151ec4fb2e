//! Tables without borders, and texts, which give way where a terminal is narrow. In a pipe nothing is cut.

use std::borrow::Cow;
use std::io::IsTerminal as _;

use crib_words::width;

use crate::tongue::said;

const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";
/// Between two columns.
const GAP: usize = 2;
/// A column that gives way keeps this many columns of the terminal.
const FLOOR: usize = 20;
/// When nothing else helps, the widest column is cut down to this.
const LEAST: usize = 6;
/// Text is not folded into a narrower strip than this.
const STRIP_MIN: usize = 24;

/// What a table does where its rows are wider than the terminal: columns are shortened, then left out one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrow<'a> {
    /// These are shortened.
    pub(crate) shortened: &'a [Shorten<'a>],
    /// These are left out, the first one first.
    pub(crate) dropped: &'a [&'a str],
}

/// How a column is shortened, by its head.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shorten<'a> {
    /// Of a text the end goes.
    End(&'a str),
    /// Of what has its kind in front and its name behind, the middle goes.
    Middle(&'a str),
}

/// Returns the columns of the terminal on standard output; none where it is something else.
pub(crate) fn columns() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}

/// A table whose last column gives way first; it is not padded.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let last = heads.last().map(|head| [Shorten::End(head)]);
    let narrow = Narrow { shortened: last.as_ref().map_or(&[], <[_; 1]>::as_slice), dropped: &[] };
    lines(heads, rows, narrow, columns()).concat()
}

/// A table that gives way as it is told.
pub(crate) fn fitted(heads: &[&str], rows: &[Vec<String>], narrow: Narrow<'_>) -> String {
    lines(heads, rows, narrow, columns()).concat()
}

/// The lines of a table, its heads before its rows, no wider than so many columns.
pub(crate) fn lines(heads: &[&str], rows: &[Vec<String>], narrow: Narrow<'_>, columns: Option<usize>) -> Vec<String> {
    let said_heads: Vec<Cow<'_, str>> = heads.iter().map(|head| said(head)).collect();
    let widest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0);
    let natural: Vec<usize> = said_heads.iter().enumerate().map(|(at, head)| widest(at).max(width(head))).collect();
    let widths = match columns {
        Some(columns) => fit(heads, natural, narrow, columns),
        None => natural.into_iter().map(Some).collect(),
    };
    let is_cut_inside = |at: usize| narrow.shortened.iter().any(|how| matches!(how, Shorten::Middle(head) if heads.get(at) == Some(head)));
    let line = |cells: Vec<&str>| {
        let mut out = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let Some(columns) = *width else { continue };
            let cell = if is_cut_inside(at) { cut_inside(cell, columns) } else { cut(cell, columns) };
            out.push_str(&padded(&cell, columns + GAP));
        }
        out.trim_end().to_owned()
    };
    let head = format!("{BOLD}{}{RESET}\n", line(said_heads.iter().map(Cow::as_ref).collect()));
    std::iter::once(head).chain(rows.iter().map(|row| line(row.iter().map(String::as_str).collect()) + "\n")).collect()
}

/// Returns how wide each column is, and which are left out.
fn fit(heads: &[&str], natural: Vec<usize>, narrow: Narrow<'_>, columns: usize) -> Vec<Option<usize>> {
    let place = |head: &str| heads.iter().position(|one| *one == head);
    let shortened: Vec<usize> = narrow
        .shortened
        .iter()
        .filter_map(|how| {
            place(match how {
                Shorten::End(head) | Shorten::Middle(head) => head,
            })
        })
        .collect();
    let mut widths: Vec<Option<usize>> = natural.into_iter().map(Some).collect();
    let mut dropped = narrow.dropped.iter().filter_map(|head| place(head));
    loop {
        let over = total(&widths).saturating_sub(columns);
        let spare = |width: usize| width.saturating_sub(FLOOR);
        let room: usize = shortened.iter().filter_map(|at| widths.get(*at).copied().flatten()).map(spare).sum();
        if over <= room {
            take(&mut widths, &shortened, over);
            return widths;
        }
        match dropped.next() {
            Some(at) => widths.iter_mut().skip(at).take(1).for_each(|width| *width = None),
            None => break,
        }
    }
    while total(&widths) > columns {
        let Some(widest) = widths.iter_mut().flatten().max().filter(|width| **width > LEAST) else { break };
        *widest -= 1;
    }
    widths
}

/// Takes so much from these columns, the last of them first.
fn take(widths: &mut [Option<usize>], from: &[usize], mut over: usize) {
    for at in from.iter().rev() {
        for width in widths.iter_mut().skip(*at).take(1).flatten() {
            let taken = width.saturating_sub(FLOOR).min(over);
            *width -= taken;
            over -= taken;
        }
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten().count();
    widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1)
}

/// Fills a text up to so many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    [text, &" ".repeat(columns.saturating_sub(width(text)))].concat()
}

/// Leaves the end of a text out where it is too wide.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns { Cow::Borrowed(text) } else { Cow::Owned(front(text, columns.saturating_sub(1)) + "…") }
}

/// Leaves the middle out.
fn cut_inside(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let begin = front(text, columns.saturating_sub(1) / 3);
    let backwards: String = text.chars().rev().collect();
    let end = front(&backwards, columns.saturating_sub(1 + width(&begin)));
    Cow::Owned([&begin, "…", &end.chars().rev().collect::<String>()].concat())
}

/// Returns as much of a text as fits.
fn front(text: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let needed = width(c.encode_utf8(&mut [0; 4]));
        let is_fitting = needed <= left;
        left = left.saturating_sub(needed);
        is_fitting
    };
    text.chars().take_while(fits).collect()
}

/// Folds the lines that are wider than the terminal on standard output, between words and under their own beginning.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    match columns() {
        Some(columns) => Cow::Owned(text.split_inclusive('\n').map(|line| fold(line, columns)).collect()),
        None => Cow::Borrowed(text),
    }
}

/// Folds a line at so many columns.
pub(crate) fn fold(line: &str, columns: usize) -> String {
    let text = line.trim_end_matches('\n');
    if shown(text) <= columns {
        return line.to_owned();
    }
    let margin = margin(text).min(columns.saturating_sub(STRIP_MIN));
    let indent = text.len() - text.trim_start().len();
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split_inclusive(' ') {
        let needed = shown(word.trim_end());
        if used + needed > columns && used > margin.max(indent) {
            used = turn(&mut out, margin);
        }
        // Chinese has no spaces, and may be broken between any two characters.
        if used + needed > columns && needed > word.chars().count() {
            for c in word.chars() {
                let wide = width(c.encode_utf8(&mut [0; 4]));
                if used + wide > columns {
                    used = turn(&mut out, margin);
                }
                out.push(c);
                used += wide;
            }
            continue;
        }
        out.push_str(word);
        used += shown(word);
    }
    out.truncate(out.trim_end().len());
    out + if line.ends_with('\n') { "\n" } else { "" }
}

/// Begins another line; returns where.
fn turn(out: &mut String, margin: usize) -> usize {
    out.truncate(out.trim_end().len());
    out.push('\n');
    out.push_str(&" ".repeat(margin));
    margin
}

/// Returns where what follows a line stands: under the text behind its label, or under a text that is set in.
fn margin(text: &str) -> usize {
    let indent = text.len() - text.trim_start().len();
    let label = text.trim_start();
    match label.split_once("  ") {
        Some((label, rest)) if width(label) <= FLOOR => indent + shown(label) + 2 + (rest.len() - rest.trim_start().len()),
        _ if indent == 0 => 4,
        _ => indent,
    }
}

/// Returns the columns a text takes; styles take none.
fn shown(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let first = parts.next().map_or(0, width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| width(rest))).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [&str; 4] = ["NAME", "STATE", "MEM", "SOURCE"];
    const NARROW: Narrow<'_> = Narrow { shortened: &[Shorten::Middle("SOURCE")], dropped: &["MEM", "STATE"] };

    fn at(columns: Option<usize>) -> String {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["filesystem", "running", "74MB", "npm:@modelcontextprotocol/server-filesystem@2026.8.31"]),
            row(["天气", "sleeping", "-", "built in"]),
        ];
        let text = lines(&HEADS, &rows, NARROW, columns).concat();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_table_gives_way_to_a_narrow_terminal() {
        insta::assert_snapshot!(at(None), @r"
        NAME        STATE     MEM   SOURCE
        filesystem  running   74MB  npm:@modelcontextprotocol/server-filesystem@2026.8.31
        天气        sleeping  -     built in
        ");
        insta::assert_snapshot!(at(Some(60)), @r"
        NAME        STATE     MEM   SOURCE
        filesystem  running   74MB  npm:@model…-filesystem@2026.8.31
        天气        sleeping  -     built in
        ");
        insta::assert_snapshot!(at(Some(44)), @r"
        NAME        STATE     SOURCE
        filesystem  running   npm:@mo…stem@2026.8.31
        天气        sleeping  built in
        ");
        insta::assert_snapshot!(at(Some(20)), @r"
        NAME       SOURCE
        filesyst…  np…6.8.31
        天气       built in
        ");
        for columns in 16..120 {
            assert!(at(Some(columns)).lines().all(|line| width(line) <= columns), "{columns}");
        }
    }

    #[test]
    fn long_lines_are_folded_under_their_own_beginning() {
        let text = "source   npm:@modelcontextprotocol/server-filesystem, which is a long name\n    indented words that go on and on and on\nshort\n";
        let folded: String = text.split_inclusive('\n').map(|line| fold(line, 34)).collect();
        insta::assert_snapshot!(folded, @r"
        source   npm:@modelcontextprotocol/server-filesystem,
                 which is a long name
            indented words that go on and
            on and on
        short
        ");
        assert_eq!(fold("  统计：个数、最小值、最大值、平均值。", 24), "  统计：个数、最小值、最\n大值、平均值。");
        assert_eq!(fold("\x1b[32m✓\x1b[0m four words and more", 30), "\x1b[32m✓\x1b[0m four words and more");
    }
}
