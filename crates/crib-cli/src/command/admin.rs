//! `toolcrib admin`: the commands of who runs the gateway, which also go by their own names.

use clap::{Args, Subcommand};

use super::{approve, audit, registry, secret};
use crate::args::{Registry, TEMPLATE};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE)]
pub(crate) struct Admin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Approve changed tools
    Approve(approve::Approve),
    /// Keep, list and forget secrets
    Secret(secret::Secret),
    /// Where servers are looked for
    Registry(Registry),
    /// Check the audit log
    Audit(audit::Audit),
}

pub(super) fn run(args: &Admin, output: &Output) -> Result<(), Failure> {
    match &args.command {
        Command::Approve(args) => approve::run(args, output),
        Command::Secret(args) => secret::run(args, output),
        Command::Registry(args) => registry::run(args, output),
        Command::Audit(args) => audit::run(args, output),
    }
}
