//! Names that a project may have.

use std::fmt;

use crate::Language;

/// Longest name: what a registry of crates takes is the shortest of all.
const LENGTH_MAX: usize = 64;

/// What no file can be called on Windows.
const DEVICES: &[&str] = &["aux", "con", "nul", "prn"];

/// What Cargo refuses, what the compiler brings, and what the project depends on.
const RUST: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "rmcp",
    "schemars",
    "self",
    "serde",
    "serde_json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Node's own modules, and names npm keeps.
const NODE: &[&str] = &[
    "assert",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "node_modules",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
    "zod",
];

/// Keywords of Python, modules of its library that people would miss, and what the project depends on.
const PYTHON: &[&str] = &[
    "abc",
    "and",
    "argparse",
    "array",
    "as",
    "ast",
    "assert",
    "async",
    "asyncio",
    "await",
    "base64",
    "bisect",
    "break",
    "builtins",
    "calendar",
    "class",
    "cmd",
    "code",
    "codecs",
    "collections",
    "concurrent",
    "contextlib",
    "continue",
    "copy",
    "csv",
    "ctypes",
    "dataclasses",
    "datetime",
    "decimal",
    "def",
    "del",
    "dis",
    "elif",
    "else",
    "email",
    "encodings",
    "enum",
    "errno",
    "except",
    "finally",
    "for",
    "from",
    "functools",
    "gc",
    "getpass",
    "glob",
    "global",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "http",
    "if",
    "import",
    "importlib",
    "in",
    "inspect",
    "io",
    "ipaddress",
    "is",
    "itertools",
    "json",
    "keyword",
    "lambda",
    "linecache",
    "locale",
    "logging",
    "mailbox",
    "main",
    "math",
    "mcp",
    "mcp_types",
    "mimetypes",
    "multiprocessing",
    "nonlocal",
    "not",
    "numbers",
    "operator",
    "or",
    "os",
    "pass",
    "pathlib",
    "pickle",
    "pip",
    "platform",
    "pprint",
    "profile",
    "pydantic",
    "queue",
    "raise",
    "random",
    "re",
    "return",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "site",
    "socket",
    "sqlite3",
    "ssl",
    "stat",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "symtable",
    "sys",
    "tempfile",
    "test",
    "tests",
    "textwrap",
    "threading",
    "time",
    "timeit",
    "token",
    "tokenize",
    "trace",
    "try",
    "types",
    "typing",
    "unicodedata",
    "unittest",
    "urllib",
    "uuid",
    "venv",
    "warnings",
    "wave",
    "weakref",
    "while",
    "with",
    "words",
    "yield",
    "zipfile",
    "zoneinfo",
];

/// The name of a project, which its language's tools take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a name cannot be used, and one that can where it is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRefused {
    pub why: String,
    pub suggestion: Option<String>,
}

// === impl Name ===

impl Name {
    /// Reads a name as the tools of `language` take it: lower case, digits and hyphens; for npm also `@scope/name`.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(text: &str, language: Language) -> Result<Self, NameRefused> {
        let refuse = |why: String| Err(NameRefused { why, suggestion: suggest(text, language) });
        let (scope, bare) = match text.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
            Some((scope, bare)) if language == Language::TypeScript => (Some(scope), bare),
            Some(_) => return refuse(format!("`@scope/name` is for npm, and this is a project in {}", language.as_str())),
            None => (None, text),
        };
        if text.len() > LENGTH_MAX {
            return refuse(format!("it is longer than {LENGTH_MAX} characters"));
        }
        if !scope.into_iter().chain([bare]).all(is_plain) {
            return refuse("a name has lower case letters, digits and single hyphens, a letter first".to_owned());
        }
        if is_taken(bare, language) {
            return refuse(format!("`{bare}` means something else in {}", language.as_str()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the whole name, with its scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without its scope, as the folder has it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the name as a module in code has it.
    #[must_use]
    pub fn module(&self) -> String {
        self.short().replace('-', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_plain(part: &str) -> bool {
    let is_known = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    is_known && part.starts_with(|c: char| c.is_ascii_lowercase()) && !part.ends_with('-') && !part.contains("--")
}

fn is_taken(bare: &str, language: Language) -> bool {
    let module = bare.replace('-', "_");
    let own = match language {
        Language::Rust => RUST,
        Language::TypeScript => NODE,
        Language::Python => PYTHON,
    };
    let numbered = ["com", "lpt"].iter().any(|port| bare.strip_prefix(port).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9'])));
    own.contains(&module.as_str()) || DEVICES.contains(&bare) || numbered
}

/// Returns the nearest name that can be used.
fn suggest(text: &str, language: Language) -> Option<String> {
    let bare = text.rsplit(['/', '\\']).next().unwrap_or(text).to_lowercase();
    let words: Vec<&str> = bare.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let plain: String = words.join("-").chars().take(LENGTH_MAX).collect();
    [plain.clone(), format!("{plain}-server"), format!("mcp-{plain}")]
        .into_iter()
        .find(|name| name.len() <= LENGTH_MAX && is_plain(name) && !is_taken(name, language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, language: Language, expected: Result<(), Option<&str>>) {
        let found = Name::parse(text, language);
        assert_eq!(found.map(|_| ()).map_err(|refused| refused.suggestion), expected.map_err(|name| name.map(str::to_owned)), "{text}");
    }

    #[test]
    fn plain_names_are_good_everywhere() {
        for language in Language::ALL {
            check("weather", language, Ok(()));
            check("my-weather-2", language, Ok(()));
        }
    }

    #[test]
    fn what_no_tool_takes_is_refused_with_a_name_that_is_near() {
        for language in Language::ALL {
            check("My Weather", language, Err(Some("my-weather")));
            check("2fast", language, Err(Some("mcp-2fast")));
            check("a--b", language, Err(Some("a-b")));
            check("weather-", language, Err(Some("weather")));
            check("../weather", language, Err(Some("weather")));
            check("con", language, Err(Some("con-server")));
            check("com1", language, Err(Some("com1-server")));
            check("天气", language, Err(None));
            check("", language, Err(None));
            check(&"x".repeat(65), language, Err(Some(&"x".repeat(64))));
        }
    }

    #[test]
    fn what_a_language_keeps_for_itself_is_refused() {
        check("match", Language::Rust, Err(Some("match-server")));
        check("serde-json", Language::Rust, Err(Some("serde-json-server")));
        check("fs", Language::TypeScript, Err(Some("fs-server")));
        check("worker-threads", Language::TypeScript, Err(Some("worker-threads-server")));
        check("json", Language::Python, Err(Some("json-server")));
        check("json", Language::Rust, Ok(()));
    }

    #[test]
    fn a_scope_is_for_npm() {
        check("@me/weather", Language::TypeScript, Ok(()));
        check("@me/fs", Language::TypeScript, Err(Some("fs-server")));
        check("@me/weather", Language::Rust, Err(Some("weather")));
        let name = Name::parse("@me/my-weather", Language::TypeScript).unwrap();
        assert_eq!((name.as_str(), name.short(), name.module()), ("@me/my-weather", "my-weather", "my_weather".to_owned()));
    }
}
