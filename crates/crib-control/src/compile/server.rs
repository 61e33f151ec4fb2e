//! One server: exactly one way to reach it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crib_model::Slug;
use crib_registry::pins::Policy;
use indexmap::IndexMap;

use super::check;
use super::package::{self, Package};
use crate::config::{Builtin, Server, Tools, Transport, Wishes};
use crate::inputs::Input;
use crate::secrets;
use crate::world::World;

/// A server that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledServer {
    pub slug: Slug,
    /// The name as written.
    pub name: String,
    /// The file that was named, which has it or includes one that has; none where it stands in no file.
    pub file: Option<PathBuf>,
    pub source: Source,
    pub timeout: Duration,
    pub start_timeout: Duration,
    /// How long a call waits for the answer to a question.
    pub input_timeout: Duration,
    pub era_ttl: Duration,
    /// How long it lives without a call; always where absent.
    pub keep_alive: Option<Duration>,
    pub processes: usize,
    pub tools: Tools,
    /// How its tools are judged.
    pub pins: Policy,
    pub describe: String,
    /// What it needs and has no value here; it is not started.
    pub missing: Option<Missing>,
    /// What its file has a person asked for, each kept as a secret.
    pub inputs: Vec<Input>,
    /// What its catalogue would have it granted.
    pub wishes: Wishes,
}

/// A variable without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub message: String,
    pub hint: Option<String>,
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A program that speaks on standard input and output. `env` is its whole environment.
    Command {
        program: String,
        args: Vec<String>,
        env: Vec<(String, String)>,
        cwd: Option<PathBuf>,
    },
    Url {
        url: String,
        headers: Vec<(String, String)>,
        transport: Transport,
        /// Whether a name may lead to an address of [`crib_model::Guarded`].
        allow_link_local: bool,
    },
    Builtin(Builtin),
    /// A package, started in a sandbox.
    Package(Package),
}

impl Source {
    /// Returns what tells this server from another one of the same name, and stays the same over its versions: a new
    /// version of a package is still the server whose tools were approved. None of it can be read back.
    #[must_use]
    pub fn origin(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |part: &str| {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        };
        match self {
            Self::Command { program, args, .. } => {
                add("command");
                add(program);
                args.iter().for_each(|arg| add(versionless(arg)));
            }
            Self::Url { url, .. } => {
                add("url");
                // What stands behind the path is credentials more often than not, and those are renewed.
                add(url.split(['?', '#']).next().unwrap_or_default());
            }
            Self::Package(package) => {
                add("package");
                add(versionless(&package.run));
                package.args.iter().for_each(|arg| add(versionless(arg)));
            }
            Self::Builtin(builtin) => add(&format!("{builtin:?}")),
        }
        hasher.finalize().to_hex().as_str().chars().take(16).collect()
    }
}

/// Takes the version off the name of a package: `@scope/name@1.2.3`, `name==1.2.3`, `name@latest`.
fn versionless(arg: &str) -> &str {
    let is_version = |text: &str| text == "latest" || text.starts_with(|c: char| c.is_ascii_digit());
    for mark in ["==", "@"] {
        if let Some((name, version)) = arg.rsplit_once(mark).filter(|(name, version)| !name.is_empty() && is_version(version)) {
            let is_plain = version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
            if is_plain {
                return name;
            }
        }
    }
    arg
}

/// Variables a child gets from the gateway's own environment: where things are and how to speak, no credentials.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "TEMP",
    "TMP",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "USERPROFILE",
];

/// A complaint about one server: what of it is meant, the message, a hint.
#[derive(Debug)]
pub(super) struct Complaint {
    /// The way to the place inside of the server; the server itself where empty.
    pub(super) path: Vec<String>,
    pub(super) message: String,
    pub(super) hint: Option<Cow<'static, str>>,
}

impl Complaint {
    pub(super) fn new(member: &'static str, message: impl Into<String>) -> Self {
        Self::within(&[member], message)
    }

    fn within(path: &[&str], message: impl Into<String>) -> Self {
        Self { path: path.iter().map(|&part| part.to_owned()).collect(), message: message.into(), hint: None }
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Decides how a server is reached.
pub(super) fn source(server: &Server, world: &dyn World) -> Result<Source, Complaint> {
    patterns(&server.tools)?;
    if server.processes == 0 {
        return Err(Complaint::new("processes", "a server needs one process at least"));
    }
    let ways = [
        ("run", !server.run.is_empty()),
        ("command", !server.command.is_empty()),
        ("url", !server.url.is_empty()),
        ("builtin", server.builtin.is_some()),
    ];
    let mut given = ways.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => Err(Complaint::new(second, format!("a server has either `{first}` or `{second}`"))),
        (None, _) => {
            let complaint = Complaint::within(&[], "this server has nothing to run");
            Err(complaint.hint("give it a package to `run`, a `command` to start, the `url` of a running server, or `builtin: demo`"))
        }
        (Some("run"), None) => package::package(server, world).map(Source::Package),
        (Some(_), None) if server.sandbox.is_some() => Err(Complaint::new("sandbox", "`sandbox` goes with `run`")),
        (Some("url" | "builtin"), None) if server.keep_alive.is_some() => {
            Err(Complaint::new("keepAlive", "`keepAlive` goes with what is started here: `run` or `command`"))
        }
        (Some(_), None) if !server.with.is_empty() => Err(Complaint::new("with", "`with` goes with `run`")),
        (Some(_), None) => match server.builtin {
            Some(builtin) => itself(server).map(|()| Source::Builtin(builtin)),
            None if server.url.is_empty() => command(server, world),
            None => url(server),
        },
    }
}

/// Checks the patterns of the tools that are offered.
fn patterns(tools: &Tools) -> Result<(), Complaint> {
    for (member, patterns) in [("include", &tools.include), ("exclude", &tools.exclude)] {
        let wrong = patterns.iter().position(|pattern| check::key::pattern(&format!("server.{pattern}")).is_err());
        if let Some(at) = wrong {
            let complaint = Complaint::within(&["tools", member, &at.to_string()], "this is not the name of a tool");
            return Err(complaint.hint("write a tool's own name; `*` stands for any characters: `read_*`"));
        }
    }
    Ok(())
}

/// Checks that a part of this program is given nothing that it would not look at.
fn itself(server: &Server) -> Result<(), Complaint> {
    let misplaced = [
        ("args", !server.args.is_empty()),
        ("env", !server.env.is_empty()),
        ("envFile", !server.env_file.is_empty()),
        ("cwd", !server.cwd.is_empty()),
        ("headers", !server.headers.is_empty()),
        ("transport", server.transport != Transport::Auto),
        ("allowLinkLocal", server.allow_link_local),
    ];
    match misplaced.into_iter().find(|(_, is_given)| *is_given) {
        Some((member, _)) => Err(Complaint::new(member, format!("`{member}` has no meaning for what is built in"))),
        None => Ok(()),
    }
}

/// Checks the names of variables.
pub(super) fn variables(env: &IndexMap<String, String>) -> Result<(), Complaint> {
    match env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        Some(name) => Err(Complaint::within(&["env", name], format!("`{name}` cannot be the name of a variable"))),
        None => Ok(()),
    }
}

fn command(server: &Server, world: &dyn World) -> Result<Source, Complaint> {
    let misplaced = [
        ("headers", !server.headers.is_empty()),
        ("transport", server.transport != Transport::Auto),
        ("allowLinkLocal", server.allow_link_local),
    ];
    if let Some((member, _)) = misplaced.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Complaint::new(member, format!("`{member}` goes with `url`, not with `command`")));
    }
    if server.args.iter().any(|arg| secrets::is_marked(arg)) || secrets::is_marked(&server.command) {
        let member = if secrets::is_marked(&server.command) { "command" } else { "args" };
        let complaint = Complaint::new(member, "everybody on this machine can read the arguments of a program");
        return Err(complaint.hint("give it by `env`: env: { TOKEN: \"${secret:NAME}\" }"));
    }
    variables(&server.env)?;
    let cwd = (!server.cwd.is_empty()).then(|| world.absolute(server.cwd.as_ref()));
    Ok(Source::Command { program: server.command.clone(), args: server.args.clone(), env: environment(&server.env, world), cwd })
}

fn url(server: &Server) -> Result<Source, Complaint> {
    let misplaced = [
        ("args", !server.args.is_empty()),
        ("envFile", !server.env_file.is_empty()),
        ("env", !server.env.is_empty()),
        ("cwd", !server.cwd.is_empty()),
    ];
    if let Some((member, _)) = misplaced.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Complaint::new(member, format!("`{member}` goes with `command`, not with `url`")));
    }
    if secrets::is_marked(&server.url) {
        let complaint = Complaint::new("url", "addresses are shown and logged");
        return Err(complaint.hint("give it by `headers`: headers: { Authorization: \"Bearer ${secret:NAME}\" }"));
    }
    let host = match check::address::called(&server.url) {
        Ok(host) => host,
        Err(wrong) => return Err(Complaint { hint: wrong.hint.map(Cow::Borrowed), ..Complaint::new("url", wrong.label) }),
    };
    if let Some(guarded) = crib_model::guarded_host(&host).filter(|_| !server.allow_link_local) {
        let message = format!("`{host}` is {guarded}");
        return Err(Complaint::new("url", message).hint("if this server is really there, say so: allowLinkLocal: true"));
    }
    for (name, value) in &server.headers {
        if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err() {
            return Err(Complaint::within(&["headers", name], format!("`{name}` is not a header HTTP can carry")));
        }
    }
    let headers = server.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Source::Url { url: server.url.clone(), headers, transport: server.transport, allow_link_local: server.allow_link_local })
}

/// Returns a child's whole environment, sorted by name.
fn environment(own: &IndexMap<String, String>, world: &dyn World) -> Vec<(String, String)> {
    let inherited = INHERITED.iter().filter(|name| !own.contains_key(**name));
    let inherited = inherited.filter_map(|name| Some(((*name).to_owned(), world.variable(name)?)));
    let mut all: Vec<_> = inherited.chain(own.iter().map(|(name, value)| (name.clone(), value.clone()))).collect();
    all.sort();
    all
}

/// Shows everything but what may be secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match self {
            Self::Command { program, args, env, cwd } => {
                let mut out = f.debug_struct("Command");
                out.field("program", program).field("args", args).field("env", &names(env)).field("cwd", cwd).finish()
            }
            Self::Url { url, headers, transport, .. } => {
                f.debug_struct("Url").field("url", url).field("headers", &names(headers)).field("transport", transport).finish()
            }
            Self::Builtin(builtin) => f.debug_tuple("Builtin").field(builtin).finish(),
            Self::Package(package) => f.debug_tuple("Package").field(package).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(args: &[&str]) -> String {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Source::Command { program: "npx".to_owned(), args, env: Vec::new(), cwd: None }.origin()
    }

    #[test]
    fn a_new_version_is_the_same_server_and_another_package_is_not() {
        assert_eq!(origin(&["-y", "@a/b@1.2.3"]), origin(&["-y", "@a/b@2.0.0-rc.1"]));
        assert_eq!(origin(&["-y", "@a/b"]), origin(&["-y", "@a/b@latest"]));
        assert_eq!(origin(&["x==1"]), origin(&["x==2.0"]));
        assert_ne!(origin(&["-y", "@a/b@1"]), origin(&["-y", "@a/c@1"]));
        assert_ne!(origin(&["a", "b"]), origin(&["ab"]));
        assert_ne!(origin(&["user@1.example"]), origin(&["user@2.example:80"]));
    }
}
