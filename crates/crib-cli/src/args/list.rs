//! The arguments of `list` and `ps`.

use clap::Args;

use super::{TEMPLATE, Target};

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib list                                    servers of the running gateway
  toolcrib list -w                                 and what becomes of them
  toolcrib list -c ~/.cursor/mcp.json --json       servers of a file, for programs
")]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) rows: Rows,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Whether those that do not run are left out.
    #[arg(skip)]
    pub(crate) is_running_only: bool,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib ps                                      servers that are running
  toolcrib ps --all                                all servers, as `toolcrib list` shows them
")]
pub(crate) struct Ps {
    /// Show the others, too: what sleeps, was stopped, failed or needs a key
    #[arg(long, short)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rows: Rows,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// How servers are shown.
#[derive(Debug, Args)]
pub(crate) struct Rows {
    /// Show more: failed calls, median time, process, calls that wait for a person
    #[arg(long)]
    pub(crate) wide: bool,
    /// Go on showing, every second
    #[arg(long, short)]
    pub(crate) watch: bool,
}

impl From<Ps> for List {
    fn from(Ps { all, rows, target }: Ps) -> Self {
        Self { rows, target, is_running_only: !all }
    }
}
