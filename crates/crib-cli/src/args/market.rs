//! The arguments of the commands about registries.

use clap::{Args, Subcommand, ValueEnum};

use super::TEMPLATE;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib search weather                          in every registry
  toolcrib search postgres --kind pypi --updated-since 90d
  toolcrib search --registry corp --all --json     everything one registry has
")]
pub(crate) struct Search {
    /// Words in the name, title or description
    #[arg(value_name = "QUERY")]
    pub(crate) query: Vec<String>,
    /// Only what comes as this: npm, pypi, oci, mcpb, cargo, nuget, remote
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Only these [default: active,deprecated]
    #[arg(long, value_enum, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<StatusName>,
    /// Only what changed since: 2026-01-31, 7d, 36h
    #[arg(long, value_name = "TIME")]
    pub(crate) updated_since: Option<String>,
    /// Results of one page
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Where the next page begins, as the page before says
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    pub(crate) cursor: usize,
    /// Every result, however many
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) fresh: Fresh,
}

/// How new answers have to be.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Fresh {
    /// Ask again, although the answer is known
    #[arg(long, conflicts_with = "offline")]
    pub(crate) refresh: bool,
    /// Ask nobody; show what was answered before
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Which registries are asked.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Ask {
    /// Ask this registry alone: its name, or an address (also TOOLCRIB_REGISTRY)
    #[arg(long, value_name = "REGISTRY")]
    pub(crate) registry: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusName {
    Active,
    Deprecated,
    Deleted,
    All,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE)]
pub(crate) struct Registry {
    #[command(subcommand)]
    pub(crate) command: RegistryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Add a registry, asked before those there are
    Add(RegistryAdd),
    /// List the registries, in the order in which they are asked
    #[command(visible_alias = "list")]
    Ls,
    /// Remove a registry
    #[command(alias = "remove")]
    Rm(RegistryRemove),
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib registry add corp https://mcp.corp.example
  toolcrib registry add corp https://mcp.corp.example \\
      --header 'Authorization: Bearer ${secret:CORP_TOKEN}'
  toolcrib registry add official                   the official one again
")]
pub(crate) struct RegistryAdd {
    /// Name of the registry
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Its address, without /v0.1
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Header of every request: 'NAME: VALUE', with ${secret:NAME} or ${env:NAME} for what is secret
    #[arg(long, short = 'H', value_name = "HEADER")]
    pub(crate) header: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RegistryRemove {
    /// Name of the registry
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
