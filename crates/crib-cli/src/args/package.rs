//! The arguments of the commands about packages and the servers started from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use crib_control::config::KeepAlive;

use super::market::Ask;
use super::{TEMPLATE, Target, duration};

/// What a server may have.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct Allow {
    /// Let it read a file or folder
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) allow_read: Vec<PathBuf>,
    /// Let it read and write a file or folder
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) allow_write: Vec<PathBuf>,
    /// Let it reach a host: api.example.com, *.example.com, host:8443; `*` for every host
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_net: Vec<String>,
    /// Take back what was granted: a path, a host or a variable as `show` names it, or `all`
    #[arg(long, value_name = "WHAT")]
    pub(crate) revoke: Vec<String>,
    /// What confines it: process (our own sandbox), container (runc, crun or runsc) for images, or none where there is no sandbox
    #[arg(long, value_name = "ENGINE")]
    pub(crate) sandbox: Option<Sandbox>,
}

/// What confines a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    Process,
    Container,
    // Refused where there is a sandbox.
    None,
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[value(alias = "streamable-http")]
    Http,
    Sse,
    #[value(hide = true)]
    Stdio,
}

/// How a package is fetched.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Package")]
pub(crate) struct Fetch {
    /// Further package or requirement beside it: 'mcp<2'
    #[arg(long, value_name = "REQUIREMENT")]
    pub(crate) with: Vec<String>,
    /// Which of the ways that a registry lists
    #[arg(long, value_name = "KIND", value_parser = ["npm", "pypi", "mcpb", "oci", "cargo", "remote"])]
    pub(crate) kind: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// Public key of minisign or cosign, or its file, that a bundle or image must be signed by
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<String>,
    /// Build this package, or run its install script, in a sandbox
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) build: Vec<String>,
    /// Let that build reach a host: github.com, *.example.com; `*` for every host
    #[arg(long, value_name = "HOST")]
    pub(crate) build_net: Vec<String>,
    /// Go on although this was found: typosquat, downgrade, unsigned, … (toolcrib explain TC0506)
    #[arg(long, value_name = "FINDING")]
    pub(crate) allow: Vec<String>,
}

#[derive(Clone, Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib run time                                a reference server, in a sandbox
  toolcrib run npm:@scope/server --allow-net api.example.com
  toolcrib run io.github.owner/server --secret API_KEY   as a registry lists it
  toolcrib run oci:ghcr.io/owner/server:1.2        an image, without an engine
  toolcrib run filesystem --allow-write ~/notes -- ~/notes
  toolcrib run filesystem --revoke ~/notes         take that back
  toolcrib run time get_current_time timezone=UTC  start it and call a tool
  toolcrib run -i time                             start it and call tools at a prompt
  toolcrib run -- my-server --stdio                a command of this machine, unconfined
")]
pub(crate) struct Run {
    /// npm:PACKAGE, pypi:PACKAGE, oci:IMAGE, npx://…, uvx://…, a registry's namespace/server, a short name, FILE.mcpb, ./FOLDER or a URL; a server that is there already
    #[arg(value_name = "SERVER", required_unless_present = "more")]
    pub(crate) server: Option<String>,
    /// Tool to call at once, and its arguments
    #[arg(value_name = "TOOL")]
    pub(crate) call: Vec<String>,
    /// Name of the server [default: from the package]
    #[arg(long, value_name = "NAME", alias = "as", alias = "alias")]
    pub(crate) name: Option<String>,
    /// Header for a URL: 'Authorization: Bearer ${env:TOKEN}'
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Variable that holds the bearer token for a URL.
    #[arg(long, value_name = "VARIABLE", hide = true)]
    pub(crate) bearer_token_env: Option<String>,
    /// How a URL is reached [default: found out]
    #[arg(long, short, value_name = "KIND", alias = "type")]
    pub(crate) transport: Option<Transport>,
    /// Tools to use, and no others: names, or patterns with `*`
    #[arg(long, value_name = "TOOLS", value_delimiter = ',', alias = "include-tools")]
    pub(crate) tools: Vec<String>,
    /// Tools not to use
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) exclude_tools: Vec<String>,
    /// File with variables of the server, a NAME=VALUE on each line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Vec<PathBuf>,
    /// Variable of the server: NAME=VALUE, or NAME for your own value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// What the server wants to be told: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE", alias = "arg")]
    pub(crate) set: Vec<String>,
    /// Secret for the server, as a variable or what it wants to be told: NAME, or NAME=VARIABLE
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Vec<String>,
    #[command(flatten)]
    pub(crate) allow: Allow,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
    /// How long it lives without a call: 90s, 5m, 2h, 0, forever; the next call starts it again [default: 5m for a new server]
    #[arg(long, value_name = "TIME", value_parser = keep_alive)]
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Call its tools at a prompt
    #[arg(long, short, conflicts_with = "call")]
    pub(crate) interactive: bool,
    /// Do not ask; grant the folders and hosts that stand in the arguments
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Longest wait for the server: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "120s")]
    pub(crate) timeout: Duration,
    /// Arguments of the server; without SERVER, a command
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) more: Vec<String>,
}

impl Run {
    /// A package with its own arguments and variables, and nothing else said.
    pub(crate) fn of_package(name: &str, more: Vec<String>, env: Vec<String>, yes: bool) -> Self {
        Self {
            server: None,
            call: Vec::new(),
            name: Some(name.to_owned()),
            header: Vec::new(),
            bearer_token_env: None,
            transport: None,
            tools: Vec::new(),
            exclude_tools: Vec::new(),
            env_file: Vec::new(),
            env,
            set: Vec::new(),
            secret: Vec::new(),
            allow: Allow::default(),
            fetch: Fetch::default(),
            keep_alive: None,
            interactive: false,
            yes,
            timeout: Duration::ZERO,
            more,
        }
    }
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib pull time                               the newest version, and what it changes
  toolcrib pull npm:@scope/server@1.2.3 pypi:mcp-server-git
")]
pub(crate) struct Pull {
    /// Packages, or servers that are there already
    #[arg(value_name = "SERVER", required = true)]
    pub(crate) servers: Vec<String>,
    /// Name of the server [default: from the package]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Do not start an update to see which tools it changes
    #[arg(long)]
    pub(crate) no_tools: bool,
    #[command(flatten)]
    pub(crate) fetch: Fetch,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib rm time                                 the server, its grants and its package
  toolcrib rm time git
")]
pub(crate) struct Remove {
    /// Servers
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib stop                                    the gateway in the background and its servers
  toolcrib stop time git                           these servers, until `toolcrib run NAME`
  toolcrib stop --all                              all servers, and not the gateway
  toolcrib stop --gateway                          also a gateway that was started by hand
")]
pub(crate) struct Stop {
    /// Servers; the gateway where none is named
    #[arg(value_name = "SERVER", conflicts_with_all = ["gateway", "all"])]
    pub(crate) servers: Vec<String>,
    /// All servers; the gateway goes on
    #[arg(long, conflicts_with = "gateway")]
    pub(crate) all: bool,
    /// Also a gateway that was started by hand
    #[arg(long)]
    pub(crate) gateway: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

fn keep_alive(text: &str) -> Result<KeepAlive, String> {
    KeepAlive::parse(text).ok_or_else(|| "not a span of time like 90s or 5m, 0 or forever".to_owned())
}

/// How grave a line or a call is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    #[value(alias = "trace")]
    Debug,
    #[value(alias = "notice")]
    Info,
    #[value(alias = "warning")]
    Warn,
    #[value(aliases = ["err", "fatal", "critical"])]
    Error,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib logs time                               what a server wrote to standard error
  toolcrib logs time -f --tail 20                  and what it goes on to write
  toolcrib logs time --level warn                  warnings and errors
  toolcrib logs --calls -f                         calls, as they end
  toolcrib logs --calls time --since 10m           calls of a server
  toolcrib logs --trace 7f3ac1e0                   the calls of a trace
")]
pub(crate) struct Logs {
    /// Server
    #[arg(value_name = "SERVER", required_unless_present_any = ["calls", "trace"])]
    pub(crate) server: Option<String>,
    /// Calls: who made them, how they ended, how long they took
    #[arg(long)]
    pub(crate) calls: bool,
    /// Calls of this trace only; the first letters of its id will do
    #[arg(long, value_name = "ID")]
    pub(crate) trace: Option<String>,
    /// Only what is not older: 30s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Only what is this grave or graver
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// Wait for more
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Lines to begin with
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) tail: usize,
    #[command(flatten)]
    pub(crate) target: Target,
}
