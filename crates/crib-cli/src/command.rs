//! The commands, one file each.

mod completion;
mod explain;
mod schema;
mod status;
mod version;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Does what the command line says.
pub(crate) fn run(cli: Cli, output: &Output) -> Result<(), Failure> {
    match cli.command {
        None => status::run(output),
        Some(Command::Explain(args)) => explain::run(&args, output),
        Some(Command::Completion(args)) => completion::run(&args, output),
        Some(Command::Schema) => schema::run(output),
        Some(Command::Version) => version::run(output),
        Some(Command::Serve(_) | Command::List(_) | Command::Show(_) | Command::Call(_) | Command::Help(_)) => Ok(()),
    }
}
