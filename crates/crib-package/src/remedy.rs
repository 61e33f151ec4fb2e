//! Crashes that are known, by what a server wrote before it died, and what helps.

#[cfg(test)]
mod tests;

use crib_model::{Code, Fault};

use crate::{Locked, Source};

/// What helps against a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    pub kind: RemedyKind,
    /// Why it crashed, in words.
    pub cause: String,
    /// What to do, in words.
    pub advice: String,
}

/// What a program can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemedyKind {
    /// Pull it again with these further requirements.
    With(Vec<String>),
    /// Run the install scripts of these packages, or of all that have one where none is named.
    Build(Vec<String>),
    /// Pull it again as it is: what was made for another interpreter is made anew.
    PullAgain,
    /// Install this program.
    Install(String),
    /// Grant something: the sandbox took it away.
    Grant(&'static str),
    /// Give it this variable.
    SetVariable(String),
    /// Only its author can.
    Report,
}

/// What is said of a package without wheels.
pub(crate) const UNBUILT: &str = "would have to be built on this machine";

/// What of the Python SDK's version 1 is not in version 2.
const SDK_ONE: &[&str] = &[
    "No module named 'mcp.server.fastmcp'",
    "cannot import name 'FastMCP' from 'mcp",
    "No module named 'mcp.types'",
    "'Server' object has no attribute 'list_tools'",
    "'Server' object has no attribute 'list_resources'",
    "'Server' object has no attribute 'list_prompts'",
    "'Server' object has no attribute 'call_tool'",
    "cannot import name 'McpError' from 'mcp",
    "cannot import name 'stdio_server' from 'mcp",
];

/// Recognises a crash by the last lines of standard error. `locked` is what was started.
#[must_use]
pub fn recognise(locked: &Locked, stderr: &[String]) -> Option<Remedy> {
    let text = stderr.join("\n");
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_python = locked.source.starts_with("pypi:");
    if is_python && is_of_sdk_one(&text) && !locked.with.iter().any(|with| with.starts_with("mcp")) {
        let installed = locked.packages.keys().find_map(|label| label.strip_prefix("mcp==")).unwrap_or("2");
        return Some(remedy(
            RemedyKind::With(vec!["mcp<2".to_owned()]),
            format!("this package was written for version 1 of the Python MCP SDK and was installed with {installed}"),
            format!("toolcrib run {} --with 'mcp<2'", short(locked)),
        ));
    }
    if let Some(module) = after(&text, "No module named '") {
        let package = module.split('.').next().unwrap_or(module);
        return Some(remedy(
            RemedyKind::With(vec![package.to_owned()]),
            format!("it needs the Python module `{module}`, which it does not declare"),
            format!("toolcrib run {} --with {package}", short(locked)),
        ));
    }
    if let Some(remedy) = native(locked, &text) {
        return Some(remedy);
    }
    if has(&["undefined symbol", "invalid ELF header", "GLIBC_", "cannot open shared object file"]) {
        return Some(remedy(
            RemedyKind::PullAgain,
            "a native module of it does not fit this machine or its libraries".to_owned(),
            format!("toolcrib pull {}", short(locked)),
        ));
    }
    if has(&[
        "SyntaxError: Unexpected token",
        "SyntaxError: Invalid regular expression flags",
        "ERR_REQUIRE_ESM",
        "ERR_UNKNOWN_BUILTIN_MODULE",
    ]) {
        return Some(remedy(
            RemedyKind::Install("node".to_owned()),
            "it is written for a newer Node.js than the one that runs it".to_owned(),
            "install a newer Node.js, then pull it again".to_owned(),
        ));
    }
    missing_program(&text).or_else(|| confined(&text)).or_else(|| missing_variable(&text))
}

/// Returns the package that has no wheel for this machine, where that is why it was not installed.
#[must_use]
pub fn unbuilt(fault: &Fault) -> Option<String> {
    if fault.code() != Code::PullFailed || !fault.message().contains(UNBUILT) {
        return None;
    }
    let text = fault.causes().join("\n");
    // uv: "Because NAME==1.0 has no usable wheels"; pip names it in its requirement.
    let of_uv = ["has no usable wheels", "has no wheels"].iter().find_map(|words| {
        let before = text.split(words).next().filter(|before| before.len() < text.len())?;
        before.split_whitespace().next_back().map(str::to_owned)
    });
    let of_shown = || after(fault.message(), "`pypi:").map(|rest| rest.split(['`', ' ']).next().unwrap_or(rest).to_owned());
    let name = of_uv.or_else(of_shown)?;
    let bare: String = name.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect();
    (!bare.is_empty()).then_some(bare)
}

/// A native module of npm that is not there, or is for another interpreter.
fn native(locked: &Locked, text: &str) -> Option<Remedy> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if !locked.source.starts_with("npm:") {
        return None;
    }
    if let Some(package) = prebuilt(text) {
        return Some(remedy(
            RemedyKind::With(vec![package.to_owned()]),
            format!("it needs `{package}`, which has its native module for this machine and was not installed with it"),
            format!("toolcrib run {} --with {package}", short(locked)),
        ));
    }
    let is_missing = has(&["Could not locate the bindings file", "No native build was found", "Cannot find module", "Could not load the"])
        && has(&[".node", "bindings", "native"]);
    if !is_missing && !has(&["was compiled against a different Node.js version", "NODE_MODULE_VERSION", "ERR_DLOPEN_FAILED"]) {
        return None;
    }
    let packages = mentioned(text);
    let known: Vec<String> = packages.into_iter().filter(|name| locked.packages.keys().any(|label| is_label_of(label, name))).collect();
    if known.iter().any(|name| locked.build.packages.contains(name)) {
        // It was built here, for an interpreter that was here then.
        let cause = "a native module of it was built for another Node.js than the one that is here".to_owned();
        return Some(remedy(RemedyKind::PullAgain, cause, format!("toolcrib pull {}", short(locked))));
    }
    let flags: String = known.iter().map(|name| format!(" --build {name}")).collect();
    let advice = if flags.is_empty() { "toolcrib doctor --fix".to_owned() } else { format!("toolcrib pull {}{flags}", short(locked)) };
    let cause = "it has a native module that its install script makes or fetches, and no script was run".to_owned();
    Some(remedy(RemedyKind::Build(known), cause, advice))
}

/// Finds the package in `Cannot find module '@scope/x-linux-x64-gnu'`.
fn prebuilt(text: &str) -> Option<&str> {
    let name = after(text, "Cannot find module '").or_else(|| after(text, "Cannot find package '"))?;
    let is_for_system = ["-linux-", "-linuxmusl-", "-darwin-", "-win32-"].iter().any(|system| name.contains(system));
    let is_name = !name.starts_with(['.', '/']) && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "@/-_.".contains(letter));
    (is_for_system && is_name).then_some(name)
}

/// Returns the packages whose folders are named, in the order in which they are.
fn mentioned(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for rest in text.split("node_modules/").skip(1) {
        let mut parts = rest.split(['/', '\'', '"', ' ', '\n', ')', ':']);
        let Some(first) = parts.next().filter(|part| !part.is_empty() && !part.starts_with('.')) else { continue };
        let name = if first.starts_with('@') { format!("{first}/{}", parts.next().unwrap_or_default()) } else { first.to_owned() };
        if !names.contains(&name) && name != "bindings" && name != "node-gyp-build" {
            names.push(name);
        }
    }
    names
}

/// Tells whether `name@version` is of this package.
fn is_label_of(label: &str, name: &str) -> bool {
    label.strip_prefix(name).is_some_and(|rest| rest.starts_with('@'))
}

/// Modules of the SDK's version 1, and methods of its server.
fn is_of_sdk_one(text: &str) -> bool {
    SDK_ONE.iter().any(|sign| text.contains(sign)) || text.contains("cannot import name") && text.contains("from 'mcp.")
}

fn missing_program(text: &str) -> Option<Remedy> {
    let program = after(text, "spawn ").filter(|_| text.contains("ENOENT")).and_then(|rest| rest.split_whitespace().next());
    let program = program.or_else(|| after(text, "No such file or directory: '")).filter(|name| !name.contains('/'))?;
    Some(remedy(
        RemedyKind::Install(program.to_owned()),
        format!("it starts the program `{program}`, which is not there for it"),
        format!("install `{program}`; inside the sandbox only programs below /usr are seen"),
    ))
}

/// What a server says when the sandbox holds.
fn confined(text: &str) -> Option<Remedy> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&[
        "ENETUNREACH",
        "EAI_AGAIN",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "getaddrinfo",
    ]) {
        let advice = "grant the host it needs: --allow-net HOST".to_owned();
        return Some(remedy(RemedyKind::Grant("net"), "it reaches for the network, and none is granted".to_owned(), advice));
    }
    if has(&["EACCES", "EROFS", "Cannot access directory", "Permission denied", "PermissionError", "Read-only file system"]) {
        let advice = "grant the folder it needs: --allow-read DIR or --allow-write DIR".to_owned();
        return Some(remedy(RemedyKind::Grant("write"), "it reaches for files that are not granted".to_owned(), advice));
    }
    None
}

/// Words like `API_KEY is required`.
fn missing_variable(text: &str) -> Option<Remedy> {
    let says_so =
        |line: &&str| ["required", "not set", "missing", "must be set", "not found", "KeyError"].iter().any(|word| line.contains(word));
    let is_variable = |word: &&str| {
        word.len() > 4
            && word.contains('_')
            && word.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    };
    let name = text
        .lines()
        .filter(says_so)
        .flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'))
        .find(is_variable)?;
    Some(remedy(RemedyKind::SetVariable(name.to_owned()), format!("it needs the variable `{name}`"), format!("toolcrib secret set {name}")))
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let rest = text.split_once(words)?.1;
    rest.split(['\'', '\n']).next().filter(|found| !found.is_empty())
}

fn short(locked: &Locked) -> String {
    Source::parse(&locked.source).map_or_else(|_other| locked.source.clone(), |source| source.to_string())
}

fn remedy(kind: RemedyKind, cause: String, advice: String) -> Remedy {
    Remedy { kind, cause, advice }
}
