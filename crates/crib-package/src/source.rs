//! What people write to name a server, and what it stands for.

mod runner;

use std::fmt;
use std::path::PathBuf;

use crib_model::{Code, Fault};

/// Where a server comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A name in a registry of servers, `io.github.owner/server`, or a short name to be searched for.
    Registry { name: String, version: Option<String> },
    /// A package of npm. `version` may be a tag or a range.
    Npm { name: String, version: Option<String>, more: More },
    /// A package of PyPI.
    Pypi { name: String, version: Option<String>, more: More },
    /// An image.
    Oci { image: String },
    /// A crate.
    Cargo { name: String, version: Option<String> },
    /// A bundle, as a file or at a URL, with its digest where one was given.
    Mcpb { place: String, sha256: Option<String> },
    /// A server that runs elsewhere.
    Url(String),
    /// A folder with a server in it, run where it is.
    Folder(PathBuf),
    /// A command of this machine.
    Command { program: String, args: Vec<String> },
}

/// What is wanted of a package beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// Further packages, or requirements such as `mcp<2`.
    pub with: Vec<String>,
    /// Which of its programs is started, where it is not the one of its name.
    pub program: Option<String>,
    /// The series of Python that runs it: `3.12`.
    pub python: Option<String>,
}

/// Reference servers by the name everybody gives them.
const SHORT: &[(&str, &str)] = &[
    ("everything", "npm:@modelcontextprotocol/server-everything"),
    ("fetch", "pypi:mcp-server-fetch"),
    ("filesystem", "npm:@modelcontextprotocol/server-filesystem"),
    ("git", "pypi:mcp-server-git"),
    ("memory", "npm:@modelcontextprotocol/server-memory"),
    ("sequential-thinking", "npm:@modelcontextprotocol/server-sequential-thinking"),
    ("time", "pypi:mcp-server-time"),
];

impl Source {
    /// Returns the names that stand for reference servers, and what they stand for.
    pub fn short_names() -> impl Iterator<Item = (&'static str, &'static str)> {
        SHORT.iter().copied()
    }

    /// Reads what somebody typed.
    ///
    /// # Errors
    /// TC0502 when it cannot be the name of anything.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(|letter| letter.is_control()) {
            return Err(invalid(text, "it is empty or has control characters"));
        }
        if let Some((scheme, rest)) = text.split_once(':')
            && let Some(source) = of_scheme(scheme, rest.strip_prefix("//").unwrap_or(rest), text)
        {
            return source;
        }
        if is_path(text) {
            return Ok(of_path(text));
        }
        if let Some((_, long)) = SHORT.iter().find(|(short, _)| *short == text) {
            return Self::parse(long);
        }
        if text.starts_with('@') {
            return qualified(text, npm);
        }
        let (name, version) = split_version(text, "@");
        if text.contains('/') {
            let is_name = name.split_once('/').is_some_and(|(space, server)| is_word(space, "-.") && is_word(server, "-._"));
            return if is_name {
                Ok(Self::Registry { name, version })
            } else {
                Err(invalid(text, "a registry's names are `namespace/server`"))
            };
        }
        if is_word(&name, "-._") {
            return Ok(Self::Registry { name, version });
        }
        Err(match text.split_once(':') {
            Some((kind, _)) if is_word(kind, "-") => invalid(text, &format!("packages of the kind `{kind}` are not known")),
            Some(_) | None => invalid(text, "it has characters that no name has"),
        })
    }

    /// Returns the source of one entry of `packages` in a registry's `server.json`.
    ///
    /// # Errors
    /// TC0502 for a kind that is not known, or a name or version that cannot be one.
    pub fn of_package(kind: &str, identifier: &str, version: Option<&str>, sha256: Option<&str>) -> Result<Self, Fault> {
        let versioned = |scheme: &str| match version {
            Some(version) => Self::parse(&format!("{scheme}:{identifier}@{version}")),
            None => Self::parse(&format!("{scheme}:{identifier}")),
        };
        match kind {
            "npm" | "pypi" | "cargo" => versioned(kind),
            "oci" => oci(identifier),
            "mcpb" => Ok(Self::Mcpb { place: identifier.to_owned(), sha256: sha256.map(str::to_owned) }),
            kind => Err(invalid(identifier, &format!("packages of the kind `{}` are not known", kind.escape_debug()))),
        }
    }

    /// Returns the source of a command and its arguments.
    #[must_use]
    pub fn command(program: impl Into<String>, args: Vec<String>) -> Self {
        Self::Command { program: program.into(), args }
    }

    /// Returns the package that a command line of `npx`, `uvx` or one of their kind starts, and the arguments that are the
    /// server's own; `None` for every other command.
    ///
    /// # Errors
    /// TC0502 for what such a command line cannot say here: a package from git, another registry, a shell.
    #[must_use]
    pub fn of_command(program: &str, args: &[String]) -> Option<Result<(Self, Vec<String>), Fault>> {
        runner::of_command(program, args)
    }

    /// Returns a short name for the server, made of letters, digits, `-` and `_`. A bundle that is here is asked for its
    /// own.
    #[must_use]
    pub fn suggested_name(&self) -> String {
        let bundle = match self {
            Self::Mcpb { place, .. } => crate::mcpb::name_of(place),
            Self::Registry { .. }
            | Self::Npm { .. }
            | Self::Pypi { .. }
            | Self::Oci { .. }
            | Self::Cargo { .. }
            | Self::Url(_)
            | Self::Folder(_)
            | Self::Command { .. } => None,
        };
        if let Some(name) = bundle {
            return short(&name);
        }
        let long = match self {
            Self::Registry { name, .. } | Self::Npm { name, .. } | Self::Pypi { name, .. } | Self::Cargo { name, .. } => name.as_str(),
            Self::Oci { image } => {
                &crib_oci::Reference::parse(image).map_or_else(|_odd| image.clone(), |name| name.repository().to_owned())
            }
            Self::Mcpb { place, .. } => place.trim_end_matches(".mcpb"),
            Self::Url(url) => url.split("//").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next()).unwrap_or(url),
            Self::Folder(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or("server"),
            Self::Command { program, args } => started(program, args),
        };
        short(long)
    }
}

/// Makes a name for a server of a longer one.
fn short(long: &str) -> String {
    let last = long.trim_end_matches('/').rsplit('/').next().unwrap_or(long).to_lowercase();
    let mut short = last.as_str();
    for affix in ["mcp-server-", "server-", "mcp-"] {
        short = short.strip_prefix(affix).filter(|rest| !rest.is_empty()).unwrap_or(short);
    }
    for affix in ["-mcp-server", "-mcp", "-server"] {
        short = short.strip_suffix(affix).filter(|rest| !rest.is_empty()).unwrap_or(short);
    }
    let name: String = short.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' }).collect();
    // As the gateway calls it, so that it has no second name.
    crib_model::Slug::from_name(&name).to_string()
}

impl Source {
    /// Returns the variable by which a server is told where to keep what it learns, and the name of the file, where it
    /// would else write into its own package, which nobody may.
    #[must_use]
    pub fn keeps(&self) -> Option<(&'static str, &'static str)> {
        let is_memory = matches!(self, Self::Npm { name, .. } if name == "@modelcontextprotocol/server-memory");
        is_memory.then_some(("MEMORY_FILE_PATH", "memory.jsonl"))
    }
}

/// Returns what a command really starts: the package or module that its runner is told to run.
fn started<'a>(program: &'a str, args: &'a [String]) -> &'a str {
    let runner = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    let first = |args: &'a [String]| {
        let is_valued = |flag: &str| matches!(flag, "--from" | "--with" | "--python" | "-p" | "--package");
        let mut rest = args.iter().map(String::as_str);
        while let Some(arg) = rest.next() {
            if is_valued(arg) {
                rest.next();
            } else if !arg.starts_with('-') {
                return Some(arg);
            }
        }
        None
    };
    let found = match runner {
        "npx" | "bunx" | "uvx" | "pnpx" => first(args),
        "pipx" | "pnpm" | "yarn" | "uv" => {
            let verbs = args.iter().take_while(|arg| matches!(arg.as_str(), "run" | "dlx" | "exec" | "tool")).count();
            args.get(verbs..).filter(|_| verbs > 0).and_then(first)
        }
        _ if runner.starts_with("python") => {
            let module = args.iter().position(|arg| arg == "-m").and_then(|at| args.get(at + 1));
            module.map(String::as_str)
        }
        _ => None,
    };
    found.map_or(program, unversioned)
}

/// Takes the version off the name of a package.
fn unversioned(name: &str) -> &str {
    let name = name.split("==").next().unwrap_or(name);
    match name.rsplit_once('@') {
        Some((name, _)) if !name.is_empty() => name,
        Some(_) | None => name,
    }
}

impl More {
    fn show(&self, (scheme, name, version): (&str, &str, Option<&str>), f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |mark: &str, text: Option<&str>| text.map(|text| format!("{mark}{text}")).unwrap_or_default();
        let (python, program) = (part("?python=", self.python.as_deref()), part("#", self.program.as_deref()));
        write!(f, "{scheme}{name}{}{python}{program}", part("@", version))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, name, version) = match self {
            Self::Registry { name, version } => ("", name, version),
            Self::Npm { name, version, more } => return more.show(("npm:", name, version.as_deref()), f),
            Self::Pypi { name, version, more } => return more.show(("pypi:", name, version.as_deref()), f),
            Self::Cargo { name, version } => ("cargo:", name, version),
            Self::Oci { image } => return write!(f, "oci:{image}"),
            Self::Mcpb { place, .. } => return write!(f, "mcpb:{place}"),
            Self::Url(url) => return f.write_str(url),
            Self::Folder(path) => return write!(f, "{}", path.display()),
            Self::Command { program, args } => return write!(f, "-- {program} {}", args.join(" ")),
        };
        write!(f, "{scheme}{name}")?;
        version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

fn of_scheme(scheme: &str, rest: &str, text: &str) -> Option<Result<Source, Fault>> {
    Some(match scheme {
        "npm" => qualified(rest, npm),
        "pypi" | "pip" => qualified(rest, pypi),
        "npx" => runner::npx(rest),
        "uvx" => runner::uvx(rest),
        "oci" | "docker" => oci(rest),
        "cargo" | "crate" => {
            let (name, version) = split_version(rest, "@");
            if is_word(&name, "-_") && version.as_deref().is_none_or(|version| is_version(version, "")) {
                Ok(Source::Cargo { name, version })
            } else {
                Err(invalid(text, "not the name of a crate"))
            }
        }
        "mcpb" => Ok(mcpb(rest)),
        "http" | "https" if rest.split(['?', '#']).next().is_some_and(|path| path.ends_with(".mcpb") || path.ends_with(".dxt")) => {
            Ok(mcpb(text))
        }
        "http" | "https" => Ok(Source::Url(text.to_owned())),
        "file" => Ok(of_path(rest)),
        _ => return None,
    })
}

/// Reads what comes after a package: `?python=3.12`, `#PROGRAM`.
fn qualified(text: &str, read: impl FnOnce(&str) -> Result<Source, Fault>) -> Result<Source, Fault> {
    let (rest, program) = text.split_once('#').map_or((text, None), |(rest, program)| (rest, Some(program.to_owned())));
    let (rest, python) = rest.split_once("?python=").map_or((rest, None), |(rest, python)| (rest, Some(python.to_owned())));
    let mut source = read(rest)?;
    let is_python = matches!(source, Source::Pypi { .. });
    if let Source::Npm { more, .. } | Source::Pypi { more, .. } = &mut source {
        if program.as_deref().is_some_and(|program| !is_word(program, "-._")) {
            return Err(invalid(text, "not the name of a program"));
        }
        if python.as_deref().is_some_and(|python| !is_python || !is_series(python)) {
            return Err(invalid(text, "Python is named by numbers, like 3.12"));
        }
        (more.program, more.python) = (program, python);
    }
    Ok(source)
}

/// `3.12`, or `3.12.4`.
fn is_series(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| (1..4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A further package of npm: a name, and perhaps a version.
pub(crate) fn beside_npm(text: &str) -> Result<(String, String), Fault> {
    let Source::Npm { name, version, .. } = npm(text)? else { return Err(invalid(text, "not the name of an npm package")) };
    Ok((name, version.unwrap_or_else(|| "latest".to_owned())))
}

fn npm(text: &str) -> Result<Source, Fault> {
    let (name, version) = match text.strip_prefix('@') {
        Some(scoped) => {
            let (name, version) = split_version(scoped, "@");
            (format!("@{name}"), version)
        }
        None => split_version(text, "@"),
    };
    let parts: Vec<&str> = name.strip_prefix('@').map_or_else(|| vec![name.as_str()], |scoped| scoped.split('/').collect());
    let has_parts = parts.len() == if name.starts_with('@') { 2 } else { 1 };
    let is_name = has_parts && parts.iter().all(|part| is_word(part, "-._~"));
    // Anything else npm would take as an address, a folder or a command-line option.
    let is_version = version.as_deref().is_none_or(|version| is_version(version, "^~<>=| *"));
    if is_name && is_version {
        Ok(Source::Npm { name, version, more: More::default() })
    } else {
        Err(invalid(text, "not the name of an npm package"))
    }
}

fn pypi(text: &str) -> Result<Source, Fault> {
    let (name, version) = if text.contains("==") { split_version(text, "==") } else { split_version(text, "@") };
    let bare = name.split('[').next().unwrap_or(&name);
    let is_name = is_word(bare, "-._") && is_word(&name, "-._[],");
    let is_version = version.as_deref().is_none_or(|version| is_version(version, "!"));
    if !is_name || !is_version {
        return Err(invalid(text, "not the name of a PyPI package"));
    }
    Ok(Source::Pypi { name, version: version.filter(|version| version != "latest"), more: More::default() })
}

fn oci(text: &str) -> Result<Source, Fault> {
    crib_oci::Reference::parse(text).map(|_name| Source::Oci { image: text.to_owned() })
}

fn mcpb(text: &str) -> Source {
    let (place, sha256) = text.split_once("#sha256=").map_or((text, None), |(place, sum)| (place, Some(sum.to_owned())));
    Source::Mcpb { place: place.to_owned(), sha256 }
}

fn of_path(text: &str) -> Source {
    if text.ends_with(".mcpb") || text.ends_with(".dxt") { mcpb(text) } else { Source::Folder(PathBuf::from(text)) }
}

fn is_path(text: &str) -> bool {
    matches!(text, "." | "..")
        || ["./", "../", "/", "~/"].iter().any(|start| text.starts_with(start))
        || text.ends_with(".mcpb")
        || text.ends_with(".dxt")
}

fn split_version(text: &str, mark: &str) -> (String, Option<String>) {
    match text.split_once(mark) {
        Some((name, version)) => (name.to_owned(), Some(version.trim().to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Letters and digits of ASCII and these marks, and no mark in front.
fn is_word(text: &str, marks: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric();
    text.len() < 215 && text.chars().next().is_some_and(is_letter) && text.chars().all(|letter| is_letter(letter) || marks.contains(letter))
}

fn is_version(text: &str, marks: &str) -> bool {
    !text.is_empty()
        && text.len() < 256
        && !text.starts_with('-')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-+_".contains(letter) || marks.contains(letter))
}

fn invalid(text: &str, why: &str) -> Fault {
    Fault::new(Code::SourceInvalid, format!("`{}` is not a server", text.escape_debug()))
        .because(why)
        .hint("write a name, `npm:PACKAGE`, `pypi:PACKAGE`, `oci:IMAGE`, a URL, a folder, a `.mcpb` file, or `-- COMMAND`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(Source::parse(text).map(|source| source.to_string()).map_err(|fault| fault.to_string()), Ok(shown.to_owned()));
    }

    #[test]
    fn every_habit_names_the_same_things() {
        check("npm:@scope/x@1.2.3", "npm:@scope/x@1.2.3");
        check("npx://@scope/x", "npm:@scope/x");
        check("@scope/x@latest", "npm:@scope/x@latest");
        check("uvx://mcp-server-time", "pypi:mcp-server-time");
        check("pypi:x@1.0?python=3.12#y", "pypi:x@1.0?python=3.12#y");
        check("npm:@a/b#c", "npm:@a/b#c");
        check("pypi:mcp-server-time==2026.10.19", "pypi:mcp-server-time@2026.10.19");
        check("pypi:mcp[cli]@1.0", "pypi:mcp[cli]@1.0");
        check("time", "pypi:mcp-server-time");
        check("io.github.owner/server@1.0.0", "io.github.owner/server@1.0.0");
        check("docker://ghcr.io/a/b:1", "oci:ghcr.io/a/b:1");
        check("https://example.com/mcp", "https://example.com/mcp");
        check("https://example.com/a.mcpb", "mcpb:https://example.com/a.mcpb");
        check("./dir", "./dir");
        check("bundle.mcpb", "mcpb:bundle.mcpb");
        check("cargo:x@1", "cargo:x@1");
    }

    #[test]
    fn what_the_runners_of_npm_and_uv_take_stands_for_the_same() {
        let read = |text: &str| {
            let source = Source::parse(text).expect("a source");
            let (Source::Npm { more, .. } | Source::Pypi { more, .. }) = &source else { panic!("a package") };
            (source.to_string(), more.with.join(" "))
        };
        for (text, source, with) in [
            ("npx://-y @scope/x@1.2", "npm:@scope/x@1.2", ""),
            ("npx://-p @scope/x serve", "npm:@scope/x#serve", ""),
            ("npx://--yes --package=@scope/x@2 --package y x", "npm:@scope/x@2", "y"),
            ("uvx://--from mcp-tools[http]==1.0 serve", "pypi:mcp-tools[http]@1.0#serve", ""),
            ("uvx://--python 3.12 --with a,b>=2 --with c x@1", "pypi:x@1?python=3.12", "a b>=2 c"),
            ("uvx://-p python3.11 x", "pypi:x?python=3.11", ""),
            ("uvx://--from x>=1,<2 x", "pypi:x", "x>=1,<2"),
        ] {
            assert_eq!(read(text), (source.to_owned(), with.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_npm_or_pip_would_take_for_something_else_is_refused() {
        for text in [
            "",
            "npm:--registry=http://evil",
            "npm:../x",
            "npm:x@file:../y",
            "npm:x@git+ssh://h/r",
            "npm:@a/b/c",
            "pypi:-r x",
            "pypi:x @ http://e",
            "pypi:x; rm",
            "npm:x\ny",
            "a b",
            "npm:x@npm:y@1",
            "pypi:x==1 --index-url=http://e",
            "npm:x#../y",
            "npm:x?python=3.12",
            "pypi:x?python=/bin/sh",
            "npx://--registry=http://e x",
            "npx://-p x",
            "uvx://--index-url http://e x",
            "uvx://--from git+https://h/r x",
            "uvx://--with-editable . x",
        ] {
            assert!(Source::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn entries_of_a_registry_are_sources() {
        let shown = |kind, name, version| Source::of_package(kind, name, version, None).map(|source| source.to_string()).ok();
        assert_eq!(shown("npm", "@a/b", Some("1.0.0")).as_deref(), Some("npm:@a/b@1.0.0"));
        assert_eq!(shown("pypi", "mcp-server-x", Some("2")).as_deref(), Some("pypi:mcp-server-x@2"));
        assert_eq!(shown("npm", "file:../x", None), None);
        assert_eq!(shown("maven", "a:b", None), None);
    }

    #[test]
    fn a_name_is_suggested_without_what_every_server_is_called() {
        for (text, name) in [
            ("npm:@modelcontextprotocol/server-filesystem", "filesystem"),
            ("time", "time"),
            ("pypi:excel-mcp-server", "excel"),
            ("npm:@playwright/mcp", "mcp"),
            ("https://api.example.com:8/mcp", "api_example_com"),
            ("./my_dir", "my_dir"),
        ] {
            assert_eq!(Source::parse(text).expect("a source").suggested_name(), name);
        }
    }
}
