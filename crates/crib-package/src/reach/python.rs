//! What Python mentions.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{Found, Means, UNNAMED, before, is_variable, is_word, literal, word_before};

/// How far the end of a call is looked for.
const CALL_BYTES_MAX: usize = 300;

#[derive(Clone, Copy, Debug)]
enum Anchor {
    Import,
    From,
    /// Where a call is enough.
    Call(Means),
    /// `open(`: it depends on how.
    Open,
    /// `exec(`, `eval(`.
    Made,
    Environment,
    Variable,
}

const ANCHORS: &[(&str, Anchor)] = &[
    ("import ", Anchor::Import),
    ("from ", Anchor::From),
    ("os.system(", Anchor::Call(Means::Processes)),
    ("os.popen(", Anchor::Call(Means::Processes)),
    ("os.exec", Anchor::Call(Means::Processes)),
    ("os.spawn", Anchor::Call(Means::Processes)),
    ("os.posix_spawn", Anchor::Call(Means::Processes)),
    ("os.fork(", Anchor::Call(Means::Processes)),
    ("asyncio.create_subprocess_", Anchor::Call(Means::Processes)),
    ("anyio.open_process(", Anchor::Call(Means::Processes)),
    ("asyncio.open_connection(", Anchor::Call(Means::Network)),
    ("shutil.rmtree(", Anchor::Call(Means::Files)),
    ("shutil.move(", Anchor::Call(Means::Files)),
    ("shutil.copy", Anchor::Call(Means::Files)),
    ("os.remove(", Anchor::Call(Means::Files)),
    ("os.unlink(", Anchor::Call(Means::Files)),
    ("os.rename(", Anchor::Call(Means::Files)),
    ("os.replace(", Anchor::Call(Means::Files)),
    ("os.mkdir(", Anchor::Call(Means::Files)),
    ("os.makedirs(", Anchor::Call(Means::Files)),
    ("write_text(", Anchor::Call(Means::Files)),
    ("write_bytes(", Anchor::Call(Means::Files)),
    ("open(", Anchor::Open),
    ("exec(", Anchor::Made),
    ("eval(", Anchor::Made),
    ("environ", Anchor::Environment),
    ("getenv(", Anchor::Variable),
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(ANCHORS.iter().map(|(word, _)| word)).ok());

const MODULES: &[(&str, Means)] = &[
    ("socket", Means::Network),
    ("socketserver", Means::Network),
    ("http.client", Means::Network),
    ("http.server", Means::Network),
    ("urllib.request", Means::Network),
    ("urllib3", Means::Network),
    ("requests", Means::Network),
    ("httpx", Means::Network),
    ("httpcore", Means::Network),
    ("aiohttp", Means::Network),
    ("websockets", Means::Network),
    ("websocket", Means::Network),
    ("ftplib", Means::Network),
    ("smtplib", Means::Network),
    ("imaplib", Means::Network),
    ("poplib", Means::Network),
    ("telnetlib", Means::Network),
    ("xmlrpc.client", Means::Network),
    ("paramiko", Means::Network),
    ("asyncssh", Means::Network),
    ("pycurl", Means::Network),
    ("grpc", Means::Network),
    ("subprocess", Means::Processes),
    ("multiprocessing", Means::Processes),
    ("pty", Means::Processes),
    ("pexpect", Means::Processes),
    ("ctypes", Means::Native),
    ("cffi", Means::Native),
];

pub(super) fn scan(text: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(search) = &*SEARCH else { return found };
    let text = &code(text);
    for hit in search.find_iter(text) {
        let Some((_, anchor)) = ANCHORS.get(hit.pattern().as_usize()) else { continue };
        let (at, rest) = (hit.start(), text.get(hit.end()..).unwrap_or_default());
        if before(text, at).is_some_and(is_word) {
            continue;
        }
        let is_member = before(text, at) == Some(b'.');
        match anchor {
            Anchor::Import if is_statement(text, at) => {
                let names = line(rest).split(|byte| *byte == b',').map(first_word);
                found.means.extend(names.filter_map(|name| module(&name)));
            }
            Anchor::From if is_statement(text, at) => from(line(rest), &mut found),
            Anchor::Call(means) => drop(found.means.insert(*means)),
            Anchor::Open => found.means.extend(writes(rest, is_member).then_some(Means::Files)),
            Anchor::Made if !is_member && word_before(text, at) != b"def" => drop(found.means.insert(Means::Dynamic)),
            Anchor::Environment => environment(rest, &mut found),
            Anchor::Variable => variable(rest, &mut found),
            Anchor::Import | Anchor::From | Anchor::Made => {}
        }
    }
    found
}

/// Takes comments and texts of several lines out of it. Everything else stays where it is.
fn code(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| memchr::memchr3(b'#', b'"', b'\'', rest)).map(|next| at + next) {
        let rest = text.get(next..).unwrap_or_default();
        let (end, is_code) = match rest {
            [b'#', ..] => (memchr::memchr(b'\n', rest).unwrap_or(rest.len()), false),
            [b'"', b'"', b'"', ..] => (closed(rest, b"\"\"\""), false),
            [b'\'', b'\'', b'\'', ..] => (closed(rest, b"'''"), false),
            _ => (quoted(rest), true),
        };
        if !is_code {
            let blank = out.get_mut(next..next + end).unwrap_or_default();
            blank.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = next + end;
    }
    out
}

/// Returns where a text of several lines ends.
fn closed(text: &[u8], mark: &[u8; 3]) -> usize {
    let mut at = mark.len();
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memmem::find(rest, mark)) {
        let end = at + found;
        // An odd number of backslashes makes the first quote part of the text.
        let slashes = text.get(..end).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes % 2 == 0 {
            return end + mark.len();
        }
        at = end + 1;
    }
    text.len()
}

/// Returns where a text of one line ends.
fn quoted(text: &[u8]) -> usize {
    let Some(quote) = text.first() else { return 1 };
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'\n' => return at,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A statement begins a line, or comes after a colon or semicolon.
fn is_statement(text: &[u8], at: usize) -> bool {
    let head = text.get(..at).unwrap_or_default();
    let last = head.iter().rfind(|byte| !matches!(byte, b' ' | b'\t'));
    last.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b':' | b';'))
}

fn line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Returns a name with dots.
fn first_word(text: &[u8]) -> String {
    let text = text.trim_ascii_start();
    text.iter().take_while(|byte| is_word(**byte) || **byte == b'.').map(|byte| char::from(*byte)).collect()
}

fn module(name: &str) -> Option<Means> {
    let is_it = |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    MODULES.iter().find(|(known, _)| is_it(known)).map(|(_, means)| *means)
}

/// `from MODULE import NAMES`.
fn from(line: &[u8], found: &mut Found) {
    let name = first_word(line);
    found.means.extend(module(&name));
    let names = memchr::memmem::find(line, b" import ").and_then(|at| line.get(at + 8..)).unwrap_or_default();
    for one in names.split(|byte| *byte == b',').map(|one| first_word(one.strip_prefix(b"(").unwrap_or(one))) {
        found.means.extend(module(&format!("{name}.{one}")));
        let is_process =
            name == "os" && (matches!(one.as_str(), "system" | "popen" | "fork") || one.starts_with("exec") || one.starts_with("spawn"));
        found.means.extend(is_process.then_some(Means::Processes));
    }
}

/// Whether a call of `open` is for writing: `open(path, "w")`, `path.open("w")`, `mode="a"`.
fn writes(rest: &[u8], is_member: bool) -> bool {
    let end = rest.iter().take(CALL_BYTES_MAX).position(|byte| *byte == b'\n').unwrap_or(CALL_BYTES_MAX);
    let call = rest.get(..end.min(rest.len())).unwrap_or_default();
    let is_mode = |at: usize| {
        literal(call.get(at..).unwrap_or_default()).is_some_and(|mode| {
            mode.len() <= 3 && mode.contains(['w', 'a', 'x', '+']) && mode.bytes().all(|byte| b"rwaxbt+".contains(&byte))
        })
    };
    let after = call.iter().enumerate().filter(|(_, byte)| matches!(byte, b',' | b'=')).map(|(at, _)| at + 1);
    after.chain(is_member.then_some(0)).any(is_mode)
}

/// What is read of `environ`.
fn environment(rest: &[u8], found: &mut Found) {
    if rest.first().is_some_and(|byte| is_word(*byte)) {
        return;
    }
    let calls: [&[u8]; 4] = [b"[", b".get(", b".setdefault(", b".pop("];
    match calls.iter().find_map(|call| rest.strip_prefix(*call)) {
        Some(rest) => variable(rest, found),
        // The name alone is an import of it.
        None if rest.first().is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b',' | b' ')) => {}
        None => drop(found.variables.insert(UNNAMED.to_owned())),
    }
}

fn variable(rest: &[u8], found: &mut Found) {
    let named = literal(rest).filter(|name| is_variable(name));
    found.variables.insert(named.unwrap_or(UNNAMED).to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_and_called_is_mentioned() {
        for (text, wanted) in [
            ("import subprocess", Means::Processes),
            ("import os, subprocess as sp", Means::Processes),
            ("try:\n    from subprocess import run\nexcept ImportError: pass", Means::Processes),
            ("from os import path, system", Means::Processes),
            ("import os; os.system('ls')", Means::Processes),
            ("await asyncio.create_subprocess_exec(x)", Means::Processes),
            ("import urllib.request", Means::Network),
            ("from urllib import request", Means::Network),
            ("from requests.auth import HTTPBasicAuth", Means::Network),
            ("    import httpx  # for later", Means::Network),
            ("with open(path, 'wb') as file:", Means::Files),
            ("open(path, encoding='utf-8', mode=\"a\")", Means::Files),
            ("path.open('w')", Means::Files),
            ("shutil.rmtree(path)", Means::Files),
            ("exec(compile(text, name, 'exec'))", Means::Dynamic),
            ("import ctypes", Means::Native),
        ] {
            let found: Vec<Means> = scan(text.as_bytes()).means.into_iter().collect();
            assert_eq!(found, [wanted], "{text}");
        }
    }

    #[test]
    fn words_that_only_look_like_it_are_not() {
        for text in [
            "# import subprocess",
            "def x():\n    \"\"\"Use it so:\n\n    import subprocess\n    os.system('x')\n    \"\"\"\n",
            "r'''\nimport socket \\''' '''",
            "from .socket import x",
            "import sockets",
            "from mypackage import requests_like",
            "raise ValueError('no import subprocess here')",
            "open(path)\nopen(path, 'rb')\nopen('w')",
            "model.eval(x); def eval(self): pass",
            "cursor.exec(x)",
            "x = 1 # it's os.system(",
        ] {
            assert_eq!(scan(text.as_bytes()), Found::default(), "{text}");
        }
    }

    #[test]
    fn variables_are_told_by_their_names() {
        let variables = |text: &str| -> Vec<String> { scan(text.as_bytes()).variables.into_iter().collect() };
        let text = "os.environ['A']\nos.environ.get(\"B\", 1)\nos.getenv('C')\nfrom os import environ\nenviron['D']";
        assert_eq!(variables(text), ["A", "B", "C", "D"]);
        assert_eq!(variables("env = dict(os.environ)"), ["*"]);
        assert_eq!(variables("os.environ.copy()"), ["*"]);
        assert_eq!(variables("os.getenv(name)"), ["*"]);
    }
}
