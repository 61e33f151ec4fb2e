//! The arguments of the commands about packages and the servers started from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

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
}

/// How a package is fetched.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Package")]
pub(crate) struct Fetch {
    /// Further requirement of a Python package: 'mcp<2'
    #[arg(long, value_name = "REQUIREMENT")]
    pub(crate) with: Vec<String>,
    /// Which of the ways that a registry lists: npm, pypi, mcpb, oci, cargo, remote
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// Go on although this was found: typosquat, downgrade, unsigned, … (toolcrib explain TC0506)
    #[arg(long, value_name = "FINDING")]
    pub(crate) allow: Vec<String>,
}

#[derive(Clone, Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib run time                                a reference server, in a sandbox
  toolcrib run npm:@scope/server --allow-net api.example.com
  toolcrib run io.github.owner/server --secret API_KEY   as a registry lists it
  toolcrib run filesystem --allow-write ~/notes -- ~/notes
  toolcrib run time get_current_time timezone=UTC  start it and call a tool
  toolcrib run -- my-server --stdio                a command of this machine, unconfined
")]
pub(crate) struct Run {
    /// npm:PACKAGE, pypi:PACKAGE, npx://…, uvx://…, a registry's namespace/server, a short name, FILE.mcpb, ./FOLDER or a URL; a server that is there already
    #[arg(value_name = "SERVER", required_unless_present = "more")]
    pub(crate) server: Option<String>,
    /// Tool to call at once, and its arguments
    #[arg(value_name = "TOOL")]
    pub(crate) call: Vec<String>,
    /// Name of the server [default: from the package]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
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
    /// Do not ask; grant the folders that stand in the arguments
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Longest wait for the server: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "120s")]
    pub(crate) timeout: Duration,
    /// Arguments of the server; without SERVER, a command
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) more: Vec<String>,
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
  toolcrib stop --gateway                          also one that was started by hand
")]
pub(crate) struct Stop {
    /// Also a gateway that was started by hand
    #[arg(long)]
    pub(crate) gateway: bool,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib logs time                               what a server wrote to standard error
  toolcrib logs time -f --tail 20                  and what it goes on to write
")]
pub(crate) struct Logs {
    /// Server
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// Wait for more
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Lines to begin with
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) tail: usize,
    #[command(flatten)]
    pub(crate) target: Target,
}
