//! Why a process is not there, in words that help: exit status, last lines, and what is known to cause them.

use std::time::Duration;

use crib_model::{Code, Fault, Slug};
use crib_transport::ChildHandle;

/// Lines of standard error quoted in a fault.
const LAST_WORDS_MAX: usize = 5;

/// The server stopped while it was started.
pub(super) fn stopped(slug: &Slug, lived: Duration, handle: &ChildHandle) -> Fault {
    let message = format!("`{slug}` stopped {:.1}s after it was started", lived.as_secs_f64());
    explain(Fault::new(Code::StartFailed, message), slug, handle)
}

/// The server stopped in the middle of its work.
pub(super) fn gone(slug: &Slug, handle: &ChildHandle) -> Fault {
    explain(Fault::new(Code::ServerGone, format!("`{slug}` stopped in the middle of the call")), slug, handle)
}

/// The server runs, and does not do what it should.
pub(super) fn with_last_words(fault: Fault, handle: &ChildHandle) -> Fault {
    last_words(&handle.stderr_tail()).into_iter().fold(fault, |fault, line| fault.because(line))
}

fn explain(fault: Fault, slug: &Slug, handle: &ChildHandle) -> Fault {
    let fault = match handle.status() {
        Some(status) => fault.because(status),
        None => fault.because("it closed its output"),
    };
    let tail = handle.stderr_tail();
    let fault = last_words(&tail).into_iter().fold(fault, |fault, line| fault.because(line));
    let fault = match place(&tail) {
        Some(place) => fault.because(place),
        None => fault,
    };
    match hint(slug, &tail) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// A traceback says what happened in its last line; anything else in its last few.
fn last_words(tail: &[String]) -> Vec<String> {
    let lines: Vec<&String> = tail.iter().filter(|line| !line.trim().is_empty()).collect();
    let has_traceback = lines.iter().any(|line| line.starts_with("Traceback (most recent call last)"));
    let count = if has_traceback { 1 } else { LAST_WORDS_MAX };
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| line.trim_end().to_owned()).collect()
}

/// Returns where a Python traceback ends, `package/file.py:12`.
fn place(tail: &[String]) -> Option<String> {
    let line = tail.iter().rev().find(|line| line.trim_start().starts_with("File \""))?;
    let (path, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let number = rest.split(',').next()?.trim();
    let path = path.rsplit_once("site-packages/").map_or(path, |(_, inside)| inside);
    Some(format!("at {path}:{number}"))
}

/// Tells whether another start would fail the same way.
pub(super) fn is_hopeless(slug: &Slug, handle: &ChildHandle) -> bool {
    hint(slug, &handle.stderr_tail()).is_some()
}

/// Recognises what often goes wrong.
fn hint(slug: &Slug, tail: &[String]) -> Option<String> {
    let last = tail.iter().rev().find(|line| !line.trim().is_empty())?;
    let is_lookup = ["AttributeError:", "ImportError:", "ModuleNotFoundError:"].iter().any(|kind| last.starts_with(kind));
    let names_sdk = last.contains("mcp") || last.contains("'Server' object") || last.contains("FastMCP");
    if is_lookup && names_sdk {
        return Some(format!(
            "this package was written for version 1 of the Python MCP SDK and runs with version 2. \
             Start `{slug}` with the older one: uvx --with 'mcp<2' ..."
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_traceback_is_quoted_by_its_last_line_and_an_old_python_package_is_recognised() {
        let slug = Slug::from_name("sqlite");
        let tail = lines(
            "Traceback (most recent call last):\n  File \"server.py\", line 173\nAttributeError: 'Server' object has no attribute 'list_resources'\n",
        );
        assert_eq!(place(&tail).as_deref(), Some("at server.py:173"));
        assert_eq!(last_words(&tail), ["AttributeError: 'Server' object has no attribute 'list_resources'"]);
        assert!(hint(&slug, &tail).unwrap().contains("mcp<2"));
        assert_eq!(hint(&slug, &lines("AttributeError: 'Foo' object has no attribute 'bar'")), None);
        assert_eq!(last_words(&lines("a\nb\n\n")), ["a", "b"]);
    }
}
