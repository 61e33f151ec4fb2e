//! How grave a line of a server's log is, as far as it says so.

use serde_json::Value;

use crate::args::Level;

/// Words of a line that may say its level: it stands near the beginning, behind a time or a name.
const WORDS: usize = 8;

/// What servers call the levels.
const NAMES: &[(&[&str], Level)] = &[
    (&["trace", "debug", "verbose", "dbg"], Level::Debug),
    (&["info", "notice", "information", "inf"], Level::Info),
    (&["warn", "warning", "wrn"], Level::Warn),
    (&["error", "err", "fatal", "critical", "panic", "alert", "emergency"], Level::Error),
];

/// Returns the level that a line names; none where it says nothing of it, as the next line of a stack does.
pub(super) fn of(line: &str) -> Option<Level> {
    if let Ok(Value::Object(told)) = serde_json::from_str(line) {
        return match ["level", "severity", "lvl", "levelname"].iter().find_map(|name| told.get(*name))? {
            Value::String(name) => named(name),
            // As pino and bunyan count.
            Value::Number(number) => number.as_u64().map(|number| match number {
                0..30 => Level::Debug,
                30..40 => Level::Info,
                40..50 => Level::Warn,
                _ => Level::Error,
            }),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
    }
    if line.starts_with("Traceback (most recent call last)") || line.starts_with("thread '") && line.contains("' panicked at") {
        return Some(Level::Error);
    }
    if let Some(what) = line.strip_prefix("sandbox: ") {
        return Some(if what.contains(" refused") { Level::Warn } else { Level::Info });
    }
    if let Some(word) = line.strip_prefix("npm ").and_then(|rest| rest.split(' ').next()) {
        return named(word);
    }
    line.split_whitespace().take(WORDS).find_map(said)
}

/// Reads a word as a level. In small letters it is one with its mark alone: `error:`, `[warn]`, `level=info`.
fn said(word: &str) -> Option<Level> {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
    if let Some((_, value)) = word.split_once('=').filter(|(name, _)| matches!(*name, "level" | "lvl" | "severity")) {
        return named(value.trim_matches('"'));
    }
    // `ERROR:server.py:` as Python writes it.
    let first = word.split(':').next().unwrap_or_default();
    let is_loud = |text: &str| text.len() > 2 && text.chars().all(|c| c.is_ascii_uppercase());
    let loud = [bare, first].into_iter().find(|text| is_loud(text)).and_then(named);
    let is_marked = word.starts_with(['[', '<', '(']) || word.ends_with(':');
    loud.or_else(|| if is_marked { named(bare) } else { None })
}

fn named(name: &str) -> Option<Level> {
    let name = name.to_ascii_lowercase();
    NAMES.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_level_in_one_of_many_ways() {
        for (line, level) in [
            ("2026-11-21 10:00:00,123 - server - WARNING - slow", Level::Warn),
            ("[11/21/26 10:00:00] INFO     Processing request", Level::Info),
            ("ERROR:mcp_server_git.server:/tmp/x does not exist", Level::Error),
            ("error: no such file", Level::Error),
            ("[debug] connected", Level::Debug),
            (r#"{"level":40,"msg":"slow"}"#, Level::Warn),
            (r#"{"severity":"ERROR","message":"x"}"#, Level::Error),
            ("time=2026-11-21T10:00:00Z level=warn msg=slow", Level::Warn),
            ("npm warn deprecated x@1", Level::Warn),
            ("Traceback (most recent call last):", Level::Error),
            ("sandbox: pypi.org:443 refused: this host is not granted", Level::Warn),
        ] {
            assert_eq!(of(line), Some(level), "{line}");
        }
        for line in ["the server is up", "  at Object.<anonymous> (index.js:1:7)", "no error was found", "OK", ""] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
