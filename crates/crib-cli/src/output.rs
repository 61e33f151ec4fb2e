//! What is printed, and where: data to standard output, the rest to standard error.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;
use serde::Serialize;

use crate::args::Show;
use crate::failure::Failure;
use crate::table;
use crate::tongue::said;

pub(crate) use crate::table::{padded, table};

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const RESET: &str = "\x1b[0m";

/// Whether the user may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Allowed,
    Never,
}

/// How a command shows its results.
#[derive(Debug)]
pub(crate) struct Output {
    /// One JSON document on standard output, one JSON line on standard error when it fails.
    pub(crate) is_json: bool,
    is_quiet: bool,
    asking: Asking,
}

/// A document that says what it is.
#[derive(Serialize)]
struct Envelope<'a, T> {
    schema: String,
    #[serde(flatten)]
    value: &'a T,
}

impl<'a, T> Envelope<'a, T> {
    fn of(kind: &str, value: &'a T) -> Self {
        Self { schema: format!("toolcrib/v1/{kind}"), value }
    }
}

impl Output {
    pub(crate) fn new(show: &Show) -> Self {
        if show.no_color {
            ColorChoice::Never.write_global();
        }
        let is_json = show.json || show.format.as_deref() == Some("json");
        Self { is_json, is_quiet: show.quiet, asking: if show.no_input { Asking::Never } else { Asking::Allowed } }
    }

    /// For command lines that could not be read.
    pub(crate) fn guess(words: &[OsString]) -> Self {
        let has = |flag: &str| words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == flag);
        if has("--no-color") {
            ColorChoice::Never.write_global();
        }
        Self { is_json: has("--json") || has("--format=json"), is_quiet: has("--quiet") || has("-q"), asking: Asking::Never }
    }

    /// Prints the result for people.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        finish(out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }))
    }

    /// Prints what a server said: byte for byte where programs read; on a terminal nothing in it is a command to that.
    pub(crate) fn foreign(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let text = if out.is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
        finish(out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }))
    }

    /// Prints JSON that others wrote, every byte of it; a terminal gets no character that it would obey.
    pub(crate) fn foreign_json(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let text = if out.is_terminal() { Some(escaped(&String::from_utf8_lossy(bytes))) } else { None };
        let bytes = text.as_deref().map_or(bytes, str::as_bytes);
        finish(out.write_all(bytes).and_then(|()| out.write_all(b"\n")))
    }

    /// Prints a result whose lines are folded on a terminal.
    pub(crate) fn folded(&self, text: &str) -> Result<(), Failure> {
        self.data(&table::folded(text))
    }

    /// Prints text with styles in it.
    pub(crate) fn data_ansi(&self, text: &str) -> Result<(), Failure> {
        self.data(text)
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        Self::whole(bytes)
    }

    /// The same, for programs that ask without a command line of ours.
    pub(crate) fn whole(bytes: &[u8]) -> Result<(), Failure> {
        finish(io::stdout().lock().write_all(bytes))
    }

    /// Prints a line at once, for programs that read along.
    pub(crate) fn line(text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        finish(out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")))
    }

    /// Prints a document in such a line.
    pub(crate) fn row<T: Serialize>(kind: &str, value: &T) -> Result<(), Failure> {
        Self::line(&serde_json::to_string(&Envelope::of(kind, value)).unwrap_or_default())
    }

    /// Prints the one document of `--json`.
    pub(crate) fn document<T: Serialize>(&self, kind: &str, value: &T) -> Result<(), Failure> {
        let document = Envelope::of(kind, value);
        let is_read = io::stdout().is_terminal();
        let text = if is_read { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        self.foreign_json(text.unwrap_or_default().as_bytes())
    }

    /// Says something that is not data.
    pub(crate) fn say(&self, text: &str) {
        if !self.is_quiet && !self.is_json {
            to_stderr(&format!("{}\n", harmless(&said(text))));
        }
    }

    /// Says something whose words are not only ours.
    pub(crate) fn quote(&self, text: &str) {
        if !self.is_quiet && !self.is_json {
            to_stderr(&format!("{}\n", harmless(text)));
        }
    }

    /// Prints a result that is words, in the user's language.
    pub(crate) fn prose(&self, text: &str) -> Result<(), Failure> {
        self.data(&said(text))
    }

    /// Returns whether somebody may be asked: not where programs read, and not where `--no-input` says so.
    pub(crate) fn can_ask(&self) -> bool {
        self.asking == Asking::Allowed && !self.is_json
    }

    /// Asks; the answer stands on the same line.
    pub(crate) fn ask(&self, text: &str) {
        to_stderr(&harmless(&said(text)));
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    pub(crate) fn warn(&self, text: &str) {
        if !self.is_quiet {
            to_stderr(&format!("{YELLOW}{}{RESET}: {}\n", said("warning"), harmless(&said(text))));
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if self.is_json {
            to_stderr(&format!("{}\n", failure.to_json()));
        } else {
            // Causes are often the words of others, colours included.
            let told = anstream::adapter::strip_str(&failure.told()).to_string();
            to_stderr(&format!("{RED}{}{RESET}: {}\n", failure.label(), harmless(&told)));
        }
    }
}

/// Spells out what a terminal would obey or be deceived by: control characters and turns of the writing direction.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful =
        |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.replace("\r\n", "\n").chars() {
        if is_harmful(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Spells out the same inside of JSON, where strings alone can hold it.
fn escaped(json: &str) -> String {
    let spell = |c: char| if c.is_control() && !c.is_ascii_whitespace() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(spell).collect()
}

/// Writes over the line on a terminal.
pub(crate) fn note(text: &str) {
    to_stderr(text);
}

fn to_stderr(text: &str) {
    // There is nobody left to tell when standard error is gone.
    drop(anstream::stderr().lock().write_all(text.as_bytes()));
}

/// A reader that has had enough (`| head`) is no failure.
fn finish(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_commands() {
        assert_eq!(harmless("加 88\n\tand 22 👩‍💻"), "加 88\n\tand 22 👩‍💻");
        assert_eq!(harmless("\u{1b}]0;evil\u{7}\u{9b}2Jx"), "\\u{1b}]0;evil\\u{7}\\u{9b}2Jx");
        assert_eq!(harmless("a\r\nb\rc"), "a\nb\\u{d}c");
        assert_eq!(harmless("x\u{202e}cod.exe"), "x\\u{202e}cod.exe");
    }
}
