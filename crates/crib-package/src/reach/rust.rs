//! What Rust mentions.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{Found, Means, UNNAMED, before, is_variable, is_word, literal};

/// How far the end of a list of names is looked for.
const LIST_BYTES_MAX: usize = 1000;
/// What is compiled for tests alone.
const FOR_TESTS: &[u8] = b"#[cfg(test)]";

#[derive(Clone, Copy, Debug)]
enum Anchor {
    /// A path, or the beginning of one.
    Path(Means),
    /// A name that means it by itself.
    Name(Means),
    /// `process::`: it depends on what of it.
    Process,
    Variable,
}

const ANCHORS: &[(&str, Anchor)] = &[
    ("TcpStream", Anchor::Name(Means::Network)),
    ("TcpListener", Anchor::Name(Means::Network)),
    ("TcpSocket", Anchor::Name(Means::Network)),
    ("UdpSocket", Anchor::Name(Means::Network)),
    ("ToSocketAddrs", Anchor::Name(Means::Network)),
    ("reqwest::", Anchor::Path(Means::Network)),
    ("hyper::", Anchor::Path(Means::Network)),
    ("hyper_util::", Anchor::Path(Means::Network)),
    ("ureq::", Anchor::Path(Means::Network)),
    ("isahc::", Anchor::Path(Means::Network)),
    ("attohttpc::", Anchor::Path(Means::Network)),
    ("curl::", Anchor::Path(Means::Network)),
    ("tungstenite::", Anchor::Path(Means::Network)),
    ("tokio_tungstenite::", Anchor::Path(Means::Network)),
    ("quinn::", Anchor::Path(Means::Network)),
    ("socket2::", Anchor::Path(Means::Network)),
    ("lettre::", Anchor::Path(Means::Network)),
    ("ssh2::", Anchor::Path(Means::Network)),
    ("libc::connect(", Anchor::Path(Means::Network)),
    ("process::", Anchor::Process),
    ("CommandExt", Anchor::Name(Means::Processes)),
    ("async_process::", Anchor::Path(Means::Processes)),
    ("duct::", Anchor::Path(Means::Processes)),
    ("portable_pty::", Anchor::Path(Means::Processes)),
    ("libc::fork(", Anchor::Path(Means::Processes)),
    ("libc::exec", Anchor::Path(Means::Processes)),
    ("libc::system(", Anchor::Path(Means::Processes)),
    ("libc::posix_spawn", Anchor::Path(Means::Processes)),
    ("fs::write(", Anchor::Path(Means::Files)),
    ("fs::remove_", Anchor::Path(Means::Files)),
    ("fs::rename(", Anchor::Path(Means::Files)),
    ("fs::copy(", Anchor::Path(Means::Files)),
    ("fs::create_dir", Anchor::Path(Means::Files)),
    ("fs::hard_link(", Anchor::Path(Means::Files)),
    ("fs::set_permissions(", Anchor::Path(Means::Files)),
    ("File::create", Anchor::Path(Means::Files)),
    ("OpenOptions", Anchor::Name(Means::Files)),
    ("tempfile::", Anchor::Path(Means::Files)),
    ("libloading::", Anchor::Path(Means::Native)),
    ("dlopen(", Anchor::Path(Means::Native)),
    ("mlua::", Anchor::Path(Means::Dynamic)),
    ("rlua::", Anchor::Path(Means::Dynamic)),
    ("rhai::", Anchor::Path(Means::Dynamic)),
    ("rquickjs::", Anchor::Path(Means::Dynamic)),
    ("boa_engine::", Anchor::Path(Means::Dynamic)),
    ("deno_core::", Anchor::Path(Means::Dynamic)),
    ("pyo3::", Anchor::Path(Means::Dynamic)),
    ("wasmtime::", Anchor::Path(Means::Dynamic)),
    ("wasmer::", Anchor::Path(Means::Dynamic)),
    ("wasmi::", Anchor::Path(Means::Dynamic)),
    ("env::var", Anchor::Variable),
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(ANCHORS.iter().map(|(word, _)| word)).ok());

pub(super) fn scan(text: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(search) = &*SEARCH else { return found };
    let bare = bare(text);
    for hit in search.find_iter(&bare) {
        let Some((_, anchor)) = ANCHORS.get(hit.pattern().as_usize()) else { continue };
        if before(&bare, hit.start()).is_some_and(is_word) {
            continue;
        }
        let rest = bare.get(hit.end()..).unwrap_or_default();
        match anchor {
            Anchor::Path(means) => drop(found.means.insert(*means)),
            Anchor::Name(means) => found.means.extend((!rest.first().is_some_and(|byte| is_word(*byte))).then_some(*means)),
            Anchor::Process => found.means.extend(is_command(rest).then_some(Means::Processes)),
            // The name stands in what is taken out of the other one.
            Anchor::Variable => variable(rest, text.get(hit.end()..).unwrap_or_default(), &mut found),
        }
    }
    found
}

/// `process::Command`, `process::{self, Command}`; `process::exit` starts nothing.
fn is_command(rest: &[u8]) -> bool {
    let names = match rest.strip_prefix(b"{") {
        Some(list) => list.split(|byte| *byte == b'}').next().unwrap_or_default(),
        None => rest,
    };
    let is_list = rest.starts_with(b"{");
    let mut names = names.get(..names.len().min(LIST_BYTES_MAX)).unwrap_or_default().split(|byte| !is_word(*byte));
    if is_list { names.any(|name| name == b"Command") } else { names.next() == Some(b"Command") }
}

/// What is read of the environment: `env::var("NAME")`, `env::var_os(name)`, `env::vars()`.
fn variable(bare: &[u8], text: &[u8], found: &mut Found) {
    let len = ["(", "_os(", "s(", "s_os("].iter().find(|call| bare.starts_with(call.as_bytes())).map(|call| call.len());
    let Some(len) = len else { return };
    let is_any = bare.starts_with(b"s");
    let named = literal(text.get(len..).unwrap_or_default()).filter(|name| !is_any && is_variable(name));
    found.variables.insert(named.unwrap_or(UNNAMED).to_owned());
}

/// Takes comments, texts and what is for tests out of it. Everything else stays where it is.
fn bare(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut blank = |range: Range<usize>| {
        let part = out.get_mut(range).unwrap_or_default();
        part.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| memchr::memchr3(b'/', b'"', b'\'', rest)).map(|next| at + next) {
        let rest = text.get(next..).unwrap_or_default();
        let len = match rest {
            [b'/', b'/', ..] => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            [b'/', b'*', ..] => comment(rest),
            [b'"', ..] => quoted(text, next),
            [b'\'', ..] => letter(rest),
            _ => 0,
        };
        blank(next..next + len);
        at = next + len.max(1);
    }
    let mut at = 0;
    while let Some(start) = out.get(at..).and_then(|rest| memchr::memmem::find(rest, FOR_TESTS)).map(|start| at + start) {
        let end = start + item(out.get(start..).unwrap_or_default());
        out.get_mut(start..end).unwrap_or_default().fill(b' ');
        at = end;
    }
    out
}

/// Returns where a comment ends, which may have others inside.
fn comment(text: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let Some(next) = text.get(at..).and_then(|rest| memchr::memchr2(b'/', b'*', rest)).map(|next| at + next) else {
            return text.len();
        };
        at = match text.get(next..next + 2) {
            Some(b"/*") => {
                depth += 1;
                next + 2
            }
            Some(b"*/") => {
                depth -= 1;
                next + 2
            }
            _ => next + 1,
        };
    }
    at
}

/// Returns how long a text is whose first quote stands here: `"a\"b"`, `r#"a"b"#`.
fn quoted(text: &[u8], start: usize) -> usize {
    let head = text.get(..start).unwrap_or_default();
    let marks = head.iter().rev().take_while(|byte| **byte == b'#').count();
    let is_raw = head.len().checked_sub(marks + 1).and_then(|at| head.get(at)) == Some(&b'r');
    let rest = text.get(start..).unwrap_or_default();
    if is_raw {
        let end: Vec<u8> = [&b"\""[..], &b"#".repeat(marks)].concat();
        let found = rest.get(1..).and_then(|inner| memchr::memmem::find(inner, &end));
        return found.map_or(rest.len(), |found| 1 + found + end.len());
    }
    let mut at = 1;
    while let Some(next) = rest.get(at..).and_then(|inner| memchr::memchr2(b'"', b'\\', inner)).map(|next| at + next) {
        if rest.get(next) == Some(&b'"') {
            return next + 1;
        }
        at = next + 2;
    }
    rest.len()
}

/// Returns how long a letter in quotes is; nothing for the name of a lifetime.
fn letter(text: &[u8]) -> usize {
    const LETTER_BYTES_MAX: usize = 12;
    let is_escaped = text.get(1) == Some(&b'\\');
    let near = text.get(..text.len().min(LETTER_BYTES_MAX)).unwrap_or_default();
    let from = if is_escaped { 3 } else { 2 };
    let Some(end) = near.iter().skip(from).position(|byte| *byte == b'\'').map(|end| end + from) else { return 0 };
    let is_one = near.get(1..end).and_then(|inner| std::str::from_utf8(inner).ok()).is_some_and(|inner| inner.chars().count() == 1);
    if is_escaped || is_one { end + 1 } else { 0 }
}

/// Returns where the item ends that an attribute stands before: at its last brace, or its semicolon.
fn item(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut is_attribute = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'[' => is_attribute += 1,
            b']' => is_attribute = is_attribute.saturating_sub(1),
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 && is_attribute == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_mentioned() {
        for (text, wanted) in [
            ("use std::net::TcpStream;", Means::Network),
            ("let body = reqwest::get(url).await?;", Means::Network),
            ("use tokio::net::{TcpListener, UnixStream};", Means::Network),
            ("std::process::Command::new(\"ls\").output()", Means::Processes),
            ("use tokio::process::{Child, Command};", Means::Processes),
            ("fs::write(path, bytes)?;", Means::Files),
            ("tokio::fs::remove_dir_all(path).await?", Means::Files),
            ("let file = File::create(path)?;", Means::Files),
            ("let lib = unsafe { libloading::Library::new(path) }?;", Means::Native),
            ("let engine = rhai::Engine::new();", Means::Dynamic),
            ("fn f<'a>(x: &'a str) { TcpStream::connect(x) }", Means::Network),
            ("let quote = '\"'; let x = TcpStream::connect(a); let other = '\"';", Means::Network),
            ("let text = r#\"a \" b\"#; TcpStream::connect(text)", Means::Network),
            ("#[cfg(test)]\nmod tests { fn f() { \"}\"; } }\nuse std::net::UdpSocket;", Means::Network),
        ] {
            let found: Vec<Means> = scan(text.as_bytes()).means.into_iter().collect();
            assert_eq!(found, [wanted], "{text}");
        }
    }

    #[test]
    fn words_that_only_look_like_it_are_not() {
        for text in [
            "// TcpStream::connect(x)",
            "/// ```\n/// fs::write(a, b)\n/// ```",
            "/* outer /* inner */ reqwest::get(x) */",
            "let word = \"std::process::Command\";",
            "let word = r##\"fs::write(\"#)\"##;",
            "std::process::exit(1); use std::process::{ExitCode, Stdio};",
            "clap::Command::new(\"x\")",
            "MyTcpStreams::new(); TcpStreamish",
            "fs::read_to_string(path)?; File::open(path)?;",
            "#[cfg(test)]\n#[allow(unused)]\nmod tests {\n    fn f() { if x { fs::write(a, b) } }\n}\n",
            "#[cfg(test)]\nuse std::net::TcpStream;\nfn g() {}",
        ] {
            assert_eq!(scan(text.as_bytes()), Found::default(), "{text}");
        }
    }

    #[test]
    fn variables_are_told_by_their_names() {
        let variables = |text: &str| -> Vec<String> { scan(text.as_bytes()).variables.into_iter().collect() };
        assert_eq!(variables("env::var(\"A\"); std::env::var_os(\"B\");"), ["A", "B"]);
        for text in ["env::var(name)", "std::env::vars().collect()", "env::vars_os()"] {
            assert_eq!(variables(text), ["*"], "{text}");
        }
        assert_eq!(variables("use std::env::var; env::variables(); // env::var(\"A\")"), Vec::<String>::new());
    }
}
