//! What commands say in English and have no words for in Chinese: string literals in the calls that show something.

use std::collections::BTreeSet;
use std::path::Path;

/// What is typed, or written in a file: the same in every language.
const TYPED: &[&str] = &[
    "--header 'Authorization: Bearer ${}'",
    "--secret NAME={}",
    "--set {}=VALUE",
    "--set city=Shanghai",
    "2026-01-31, 2026-01-31T10:00:00Z, 7d, 36h",
];

/// The calls whose text people read.
const CALLS: &[&str] = &[
    "output.say(",
    "output.warn(",
    "output.ask(",
    "Failure::usage(",
    "Failure::coded(",
    "Failure::new(",
    "Fault::new(",
    ".hint(",
    "hint = Some(",
    ".because(",
    "#[error(",
    "io::Error::other(",
    "Problem::at(",
    "Problem::new(",
    "Complaint::new(",
    "Finding::new(",
    "Unusable(",
    "Holds::yes(",
    "Holds::partly(",
    "Holds::no(",
    "Truth::Yes(",
    "Truth::Partly(",
    "Truth::No(",
    "Signed::Badly(",
    "Refusal::new(",
    " failed(",
    " invalid(",
    " bad(",
    " broken(",
    " odd(",
    " refused(",
    " missing(",
    " wrong(",
    " hostile(",
    " unchecked(",
    " not_one(",
    "(failed(",
    "(invalid(",
    "(bad(",
    "(broken(",
    "(odd(",
    "(refused(",
    "(missing(",
    "(wrong(",
    "(hostile(",
    ".failed(",
    ".damaged(",
];

/// Crates whose faults nobody reads in a command line.
const OTHERS: &[&str] = &["crib-words", "crib-test", "crib-spec"];

/// Returns the literals inside of a call's parentheses, and the rest of the text behind it.
fn literals(text: &str) -> Vec<String> {
    let (mut depth, mut found) = (1_usize, Vec::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                let mut literal = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match (c, chars.clone().next()) {
                        ('\\', Some('n')) => literal.extend(chars.next().map(|_| '\n')),
                        ('\\', Some(_)) => literal.extend(chars.next()),
                        _ => literal.push(c),
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// `{name:width$}` is a hole like any other; `{{` is a brace.
fn pattern(literal: &str) -> String {
    let (mut out, mut chars) = (String::new(), literal.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => out.extend(chars.next()),
            '{' => {
                out.push_str("{}");
                chars.by_ref().take_while(|c| *c != '}').for_each(drop);
            }
            _ => out.push(c),
        }
    }
    out
}

fn is_known(line: &str) -> bool {
    // A command alone, with nothing said about it.
    let said = line.split_once("toolcrib ").map_or(line, |(said, _)| said).replace("{}", "");
    TYPED.contains(&line) || !said.chars().any(char::is_alphabetic) || crib_words::chinese(line).or_else(|| crib_words::chinese(line.trim())).or_else(|| crib_words::chinese(line.trim_start_matches("{}"))).is_some()
        // A pattern may say less than the text in the code does.
        || crib_words::translate(crib_words::Tongue::Chinese, line) != line
}

fn scan(folder: &Path, missing: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                scan(&path, missing);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tongue/said.rs") && !path.ends_with("tests.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for literal in CALLS.iter().flat_map(|call| text.split(call).skip(1)).flat_map(literals) {
                let literal = pattern(&literal);
                let is_said =
                    |line: &&str| line.trim().contains(' ') && line.chars().any(char::is_alphabetic) && !line.starts_with("toolcrib ");
                let lines = literal.lines().filter(is_said);
                missing.extend(lines.filter(|line| !is_known(line)).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_message_has_a_translation() {
    let mut missing = BTreeSet::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
        let path = entry.unwrap().path();
        if !OTHERS.iter().any(|other| path.ends_with(other)) {
            scan(&path.join("src"), &mut missing);
        }
    }
    assert!(missing.is_empty(), "add to crib-words/src/chinese: {missing:#?}");
}
