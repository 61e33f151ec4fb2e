//! What is wrong with a file of settings: what, where, why, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crib_model::{Code, Fault};

use crate::tree::{ReadError, Span, SyntaxError};

/// A file of settings as it was read.
#[derive(Debug)]
pub struct File {
    /// The path as the user gave it.
    pub path: PathBuf,
    pub text: String,
}

/// Something wrong (or odd) in one place of one file.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: Code,
    /// What is wrong; user values in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where; `None` when the trouble is the file itself.
    pub place: Option<Place>,
}

/// A place in a file, for people: lines and columns count from 1, columns in characters.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<File>,
    span: Span,
    /// Said below the marked text.
    label: String,
}

impl Problem {
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, place: None }
    }

    /// Says that a place in a file is not as it should be.
    #[must_use]
    pub fn at(file: &Arc<File>, span: Span, label: impl Into<String>) -> Self {
        let message = format!("{} is not valid", file.path.display());
        let place = Place { file: Arc::clone(file), span, label: label.into() };
        Self { code: Code::ConfigInvalid, message, hint: None, place: Some(place) }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn syntax(file: &Arc<File>, error: SyntaxError) -> Self {
        let mut problem = Self::at(file, error.span, error.message);
        problem.message = format!("cannot read {}", file.path.display());
        problem
    }

    pub(crate) fn read(file: &Arc<File>, error: ReadError) -> Self {
        let mut problem = Self::at(file, error.span.unwrap_or_default(), error.message);
        problem.hint = error.hint;
        problem
    }

    /// Returns the problem in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.place {
            Some(place) => format!("{}: {}", place.position(), place.label),
            None => self.message.clone(),
        }
    }

    /// Returns the problem as a fault with the place as its cause.
    #[must_use]
    pub fn to_fault(&self) -> Fault {
        let fault = Fault::new(self.code, self.message.clone());
        let fault = match &self.place {
            Some(place) => fault.because(format!("{}: {}", place.position(), place.label)),
            None => fault,
        };
        match &self.hint {
            Some(hint) => fault.hint(hint.clone()),
            None => fault,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n{place}")?;
        }
        Ok(())
    }
}

impl Place {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns line and column.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.file.text.get(..self.start()).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().trim_start_matches('\u{feff}').chars().count();
        (before.bytes().filter(|b| *b == b'\n').count() + 1, column + 1)
    }

    /// Returns `file:line:column`.
    #[must_use]
    pub fn position(&self) -> String {
        let (line, column) = self.line_column();
        format!("{}:{line}:{column}", self.file.path.display())
    }

    fn start(&self) -> usize {
        let text = &self.file.text;
        let mut start = self.span.start.min(text.len());
        // The end of a text has no line of its own: what is missing is missing after the last word.
        if text.get(start..).is_none_or(|rest| rest.trim().is_empty()) {
            start = text.trim_end().len().saturating_sub(1);
        }
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        start
    }
}

/// The line with the place marked and the label below it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        let source = self.file.text.lines().nth(line - 1).unwrap_or_default().trim_start_matches('\u{feff}').replace('\t', " ");
        let source = masked(&source);
        let gutter = " ".repeat(line.to_string().len());
        let indent = " ".repeat(column - 1);
        let marked = self.file.text.get(self.start()..self.span.end.max(self.start())).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().trim_end().chars().count().clamp(1, 60);
        writeln!(f, " {gutter} ╭─[{}]", self.position())?;
        writeln!(f, " {line} │ {source}")?;
        writeln!(f, " {gutter} · {indent}┬{}", "─".repeat(width - 1))?;
        writeln!(f, " {gutter} · {indent}╰── {}", self.label)?;
        write!(f, " {gutter} ╰────")
    }
}

/// Words in the name of a setting that say that its value is nobody's business.
const SECRET: [&str; 6] = ["secret", "token", "password", "authorization", "key", "credential"];

/// Hides what stands behind the names of secrets, character by character, so that columns stay what they are.
/// A variable is no secret; its value is.
fn masked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((name, value)) = rest.split_once([':', '=']) {
        let separator = rest.get(name.len()..name.len() + 1).unwrap_or_default();
        out.push_str(name);
        out.push_str(separator);
        let word = name.rsplit([',', '{', '[', '"', '\'', ' ', '-']).find(|word| !word.is_empty()).unwrap_or_default().to_ascii_lowercase();
        let end = value.find([',', '}', ']']).unwrap_or(value.len());
        let (secret, after) = value.split_at_checked(end).unwrap_or((value, ""));
        // What follows `${secret:` is the name of a secret.
        let is_reference = name.ends_with(&["${", &word].concat());
        let is_plain = matches!(secret.trim(), "" | "true" | "false" | "null");
        let is_open = is_reference || is_plain || secret.contains("${") || secret.trim_start().starts_with(['{', '[', '#']);
        if is_open || !SECRET.iter().any(|secret| word.ends_with(secret)) {
            rest = value;
            continue;
        }
        out.extend(secret.chars().map(|c| if matches!(c, ' ' | '"' | '\'') { c } else { '•' }));
        rest = after;
    }
    out.push_str(rest);
    without_userinfo(&out)
}

/// Hides a name and password in an address, character by character.
fn without_userinfo(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = behind.find(['/', '?', '#', '"', '\'', ' ', ',', '}', ']']).unwrap_or(behind.len());
        let authority = behind.get(..end).unwrap_or_default();
        rest = match authority.rsplit_once('@') {
            Some((userinfo, _)) => {
                out.extend(userinfo.chars().map(|_| '•'));
                behind.get(userinfo.len()..).unwrap_or_default()
            }
            None => behind,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn values_behind_the_names_of_secrets_are_hidden_and_nothing_moves() {
        let shown = |line: &str| {
            let shown = masked(line);
            assert_eq!(shown.chars().count(), line.chars().count());
            shown
        };
        assert_eq!(shown("  - { name: a, secret: short, allow: [x] }"), "  - { name: a, secret: •••••, allow: [x] }");
        assert_eq!(shown("\"Authorization\": \"Bearer abc\""), "\"Authorization\": \"•••••• •••\"");
        assert_eq!(shown("API_KEY = \"a:b\""), "API_KEY = \"•••\"");
        assert_eq!(shown("secret: ${env:KEY}"), "secret: ${env:KEY}");
        assert_eq!(shown("headers: { Authorization: \"Bearer ${env:GH}\" }"), "headers: { Authorization: \"Bearer ${env:GH}\" }");
        assert_eq!(shown("headers: { X: \"${secret:TOK}\" }"), "headers: { X: \"${secret:TOK}\" }");
        assert_eq!(shown("\"password\": true"), "\"password\": true");
        assert_eq!(shown("keys: [x]"), "keys: [x]");
        assert_eq!(shown("command: npx"), "command: npx");
        assert_eq!(shown("url: \"http://u:p@h/a@b\""), "url: \"http://•••@h/a@b\"");
        assert_eq!(shown("[http://h/@x, https://a@b]"), "[http://h/@x, https://•@b]");
    }
}
