//! What JavaScript and TypeScript mention.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{Found, Means, UNNAMED, before, before_space, is_variable, is_word, literal, word_before};

/// How far back the beginning of a line or statement is looked for.
const BACK_BYTES_MAX: usize = 4096;

/// What is looked at more closely.
#[derive(Clone, Copy, Debug)]
enum Anchor {
    /// `require(`: the name of a module comes next.
    Call,
    /// `import`, with or without a parenthesis.
    Import,
    /// `from`.
    From,
    /// A function that is everywhere.
    Fetch,
    /// A class that is everywhere.
    Class,
    Eval,
    /// `(0, eval)(`.
    EvalAside,
    Function,
    /// A function of the module `fs`.
    Write,
    Environment,
    Load,
}

const ANCHORS: &[(&str, Anchor)] = &[
    ("require(", Anchor::Call),
    ("getBuiltinModule(", Anchor::Call),
    ("import", Anchor::Import),
    ("from", Anchor::From),
    ("fetch(", Anchor::Fetch),
    ("WebSocket(", Anchor::Class),
    ("XMLHttpRequest(", Anchor::Class),
    ("EventSource(", Anchor::Class),
    ("eval(", Anchor::Eval),
    ("eval)(", Anchor::EvalAside),
    ("Function(", Anchor::Function),
    ("writeFile", Anchor::Write),
    ("appendFile", Anchor::Write),
    ("createWriteStream", Anchor::Write),
    ("copyFile", Anchor::Write),
    ("unlink", Anchor::Write),
    ("rmSync", Anchor::Write),
    ("rename", Anchor::Write),
    ("mkdir", Anchor::Write),
    ("process.env", Anchor::Environment),
    ("process.dlopen(", Anchor::Load),
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(ANCHORS.iter().map(|(word, _)| word)).ok());

/// A module, as far as it matters.
enum Module {
    Reaches(Means),
    /// Files, which are written by some of its functions.
    Files,
}

pub(super) fn scan(text: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(search) = &*SEARCH else { return found };
    let (mut has_files, mut writes) = (false, false);
    for hit in search.find_iter(text) {
        let Some((_, anchor)) = ANCHORS.get(hit.pattern().as_usize()) else { continue };
        let (at, rest) = (hit.start(), text.get(hit.end()..).unwrap_or_default());
        let is_named = before(text, at).is_some_and(is_word);
        if is_named && !matches!(anchor, Anchor::Call) {
            continue;
        }
        if let Some(name) = imported(*anchor, text, at, rest) {
            match module(name).filter(|_| !is_comment(text, at)) {
                Some(Module::Reaches(means)) => drop(found.means.insert(means)),
                Some(Module::Files) => has_files = true,
                None => {}
            }
            continue;
        }
        let reached = match anchor {
            Anchor::Call | Anchor::Import | Anchor::From => None,
            Anchor::Fetch => is_called(text, at).then_some(Means::Network),
            Anchor::Class => (word_before(text, at) == b"new").then_some(Means::Network),
            Anchor::Eval => {
                let is_own = before(text, at) == Some(b'.') || word_before(text, at) == b"function";
                (!is_own).then_some(Means::Dynamic)
            }
            Anchor::EvalAside => (before_space(text, at).is_some_and(|(_, byte)| byte == b',')).then_some(Means::Dynamic),
            Anchor::Function => {
                let is_made = word_before(text, at) == b"new" || before(text, at) != Some(b'.') && literal(rest).is_some();
                is_made.then_some(Means::Dynamic)
            }
            Anchor::Write => {
                writes |= is_call(rest) && !is_comment(text, at);
                None
            }
            Anchor::Load => Some(Means::Native),
            Anchor::Environment => {
                if !is_comment(text, at) {
                    variables(text, at, rest, &mut found);
                }
                None
            }
        };
        found.means.extend(reached.filter(|_| !is_comment(text, at)));
    }
    found.means.extend((has_files && writes).then_some(Means::Files));
    found
}

/// Returns the name of the module that is imported here.
fn imported<'a>(anchor: Anchor, text: &[u8], at: usize, rest: &'a [u8]) -> Option<&'a str> {
    match anchor {
        Anchor::Call => literal(rest),
        Anchor::Import => literal(rest.trim_ascii_start().strip_prefix(b"(").unwrap_or(rest)),
        Anchor::From => literal(rest).filter(|_| !is_of_types(text, at)),
        Anchor::Fetch
        | Anchor::Class
        | Anchor::Eval
        | Anchor::EvalAside
        | Anchor::Function
        | Anchor::Write
        | Anchor::Environment
        | Anchor::Load => None,
    }
}

/// `import type { Server } from "http"` is gone when it runs.
fn is_of_types(text: &[u8], at: usize) -> bool {
    let head = text.get(at.saturating_sub(BACK_BYTES_MAX)..at).unwrap_or_default();
    let start = head.windows(7).rposition(|word| word == b"import " || word == b"export ");
    start.and_then(|start| head.get(start + 7..)).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"type "))
}

fn module(name: &str) -> Option<Module> {
    Some(match name.strip_prefix("node:").unwrap_or(name) {
        "child_process" | "cluster" | "execa" | "cross-spawn" | "shelljs" | "node-pty" | "zx" => Module::Reaches(Means::Processes),
        "net" | "tls" | "http" | "https" | "http2" | "dgram" | "dns" | "dns/promises" | "undici" | "axios" | "node-fetch"
        | "cross-fetch" | "ws" | "got" | "ky" | "needle" | "superagent" | "request" | "socket.io-client" | "nodemailer" | "ssh2" => {
            Module::Reaches(Means::Network)
        }
        "vm" | "vm2" | "isolated-vm" => Module::Reaches(Means::Dynamic),
        "bindings" | "node-gyp-build" | "@mapbox/node-pre-gyp" | "ffi-napi" | "koffi" => Module::Reaches(Means::Native),
        "fs" | "fs/promises" | "fs-extra" | "graceful-fs" => Module::Files,
        _ => return None,
    })
}

/// Tells a call of the `fetch` that is everywhere from a method that is called so, and from the definition of one.
fn is_called(text: &[u8], at: usize) -> bool {
    if before(text, at) == Some(b'.') {
        let owner = word_before(text, at.saturating_sub(1));
        return matches!(owner, b"globalThis" | b"window" | b"self");
    }
    match before_space(text, at) {
        Some((_, byte)) if is_word(byte) => matches!(word_before(text, at), b"await" | b"return" | b"void" | b"yield"),
        Some((_, byte)) => b"=(,:?&|>![".contains(&byte),
        None => false,
    }
}

/// `writeFile(`, `writeFileSync(`, or the name in an import or a list.
fn is_call(rest: &[u8]) -> bool {
    let rest = rest.strip_prefix(b"Sync").unwrap_or(rest);
    rest.first().is_none_or(|byte| !is_word(*byte))
}

/// Adds the variables that are read where `process.env` stands.
fn variables(text: &[u8], at: usize, rest: &[u8], found: &mut Found) {
    let name = |rest: &[u8]| -> String { rest.iter().take_while(|byte| is_word(**byte)).map(|byte| char::from(*byte)).collect() };
    if rest.first().is_some_and(|byte| is_word(*byte)) {
        return;
    }
    let named = match rest.strip_prefix(b"?").unwrap_or(rest) {
        [b'.', rest @ ..] => Some(name(rest)),
        [b'[', rest @ ..] => literal(rest).map(str::to_owned),
        _ => {
            let names = taken_apart(text, at);
            found.variables.extend(names.iter().filter(|name| is_variable(name)).cloned());
            if !names.is_empty() {
                return;
            }
            None
        }
    };
    let named = named.filter(|name| is_variable(name));
    found.variables.insert(named.unwrap_or_else(|| UNNAMED.to_owned()));
}

/// `const { A, B: b } = process.env`.
fn taken_apart(text: &[u8], at: usize) -> Vec<String> {
    let Some((equals, b'=')) = before_space(text, at) else { return Vec::new() };
    let Some((end, b'}')) = before_space(text, equals) else { return Vec::new() };
    let head = text.get(end.saturating_sub(BACK_BYTES_MAX)..end).unwrap_or_default();
    let Some(start) = head.iter().rposition(|byte| *byte == b'{') else { return Vec::new() };
    let names = head.get(start + 1..).unwrap_or_default().split(|byte| *byte == b',');
    let names = names.filter_map(|part| std::str::from_utf8(part.split(|byte| b":=".contains(byte)).next()?).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Tells a line that is a comment.
fn is_comment(text: &[u8], at: usize) -> bool {
    let head = text.get(at.saturating_sub(BACK_BYTES_MAX)..at).unwrap_or_default();
    let line = head.iter().rposition(|byte| *byte == b'\n').map_or(head, |at| head.get(at + 1..).unwrap_or_default());
    let line = line.trim_ascii_start();
    let is_closed = line.windows(2).any(|pair| pair == b"*/");
    line.starts_with(b"//") || (line.starts_with(b"/*") || line.starts_with(b"* ") || line == b"*") && !is_closed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(text: &str) -> Vec<Means> {
        scan(text.as_bytes()).means.into_iter().collect()
    }

    fn variables(text: &str) -> Vec<String> {
        scan(text.as_bytes()).variables.into_iter().collect()
    }

    #[test]
    fn what_is_imported_and_called_is_mentioned() {
        for (text, wanted) in [
            ("const { spawn } = require('child_process');", Means::Processes),
            ("var x=__require(\"node:child_process\")", Means::Processes),
            ("import { exec } from \"node:child_process\";", Means::Processes),
            ("import{exec}from\"child_process\"", Means::Processes),
            ("const cp = await import('child_process');", Means::Processes),
            ("process.getBuiltinModule('node:child_process')", Means::Processes),
            ("import https from 'https'", Means::Network),
            ("import 'undici'", Means::Network),
            ("const answer = await fetch(url)", Means::Network),
            ("globalThis.fetch(url)", Means::Network),
            ("let socket = new WebSocket(url)", Means::Network),
            ("eval(text)", Means::Dynamic),
            ("(0, eval)(text)", Means::Dynamic),
            ("const f = new Function('return 1')", Means::Dynamic),
            ("import vm from 'node:vm'", Means::Dynamic),
            ("import { writeFile } from 'fs/promises'; await writeFile(a, b)", Means::Files),
            ("const fs = require('fs'); fs.rmSync(a)", Means::Files),
            ("require('bindings')('native')", Means::Native),
            ("/*! licence */require('net')", Means::Network),
        ] {
            assert_eq!(means(text), [wanted], "{text}");
        }
    }

    #[test]
    fn words_that_only_look_like_it_are_not() {
        for text in [
            "const message = 'the child_process is gone';",
            "// const { spawn } = require('child_process');",
            "/**\n * const x = require('net')\n */",
            "import type { Server } from 'http';",
            "const x = require('./http');",
            "import { http } from './network.js'",
            "Array.from('net')",
            "class Store { async fetch(key) { return this.cache.fetch(key) } }",
            "function prefetch(url) {}",
            "model.eval(text); function eval(x) {}; retrieval(x)",
            "if (x instanceof Function) isFunction(x)",
            "zip.writeFile(a)",
            "const fs = require('fs'); fs.readFileSync(a)",
        ] {
            assert_eq!(scan(text.as_bytes()), Found::default(), "{text}");
        }
    }

    #[test]
    fn variables_are_told_by_their_names() {
        assert_eq!(variables("process.env.API_KEY || process.env['TOKEN']"), ["API_KEY", "TOKEN"]);
        assert_eq!(variables("const { HOST, PORT: port, USER = 'x' } = process.env;"), ["HOST", "PORT", "USER"]);
        for text in ["Object.keys(process.env)", "spawn(a, { env: { ...process.env } })", "process.env[name]"] {
            assert_eq!(variables(text), ["*"], "{text}");
        }
        assert_eq!(variables("// process.env.API_KEY"), Vec::<String>::new());
        assert_eq!(variables("process.environment.API_KEY"), Vec::<String>::new());
    }
}
