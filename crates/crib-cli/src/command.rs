//! The commands, one file each.

mod admin;
mod approve;
mod audit;
mod call;
mod completion;
mod connect;
mod doctor;
mod explain;
mod inputs;
mod inspect;
mod list;
mod listed;
mod logs;
mod man;
mod new;
mod pull;
mod registry;
mod rm;
mod run;
mod schema;
mod search;
mod secret;
mod serve;
mod show;
mod status;
mod stop;
mod version;

pub(crate) use admin::Admin;
pub(crate) use approve::Approve;
pub(crate) use audit::Audit;
pub(crate) use completion::{ENTRY as COMPLETE, answer as complete};
pub(crate) use listed::SETTING;
pub(crate) use secret::Secret;
pub(crate) use serve::describe;

use crate::args::{Cli, Command, Show};
use crate::failure::Failure;
use crate::logging;
use crate::output::Output;

/// Does what the command line says.
pub(crate) fn run(mut cli: Cli, output: &Output) -> Result<(), Failure> {
    if cli.show.debug {
        cli.show.verbose = cli.show.verbose.max(2);
    }
    match cli.command {
        None => status::run(output),
        Some(Command::Serve(args)) => {
            logging::start(cli.show.verbose, output.is_json);
            serve::run(&args, output)
        }
        Some(Command::List(args)) => list::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Ps(args)) => list::run(&args.into(), quiet_log(&cli.show, output)),
        Some(Command::Show(args)) => show::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Call(args)) => call::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Connect(mut args)) => {
            args.clients.append(&mut args.named);
            connect::run(&args, quiet_log(&cli.show, output))
        }
        Some(Command::New(args)) => new::run(&args, output),
        Some(Command::Doctor(args)) => doctor::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Admin(args)) => admin::run(&args, output),
        Some(Command::Approve(args)) => approve::run(&args, output),
        Some(Command::Secret(args)) => secret::run(&args, output),
        Some(Command::Registry(args)) => registry::run(&args, output),
        Some(Command::Search(args)) => search::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Audit(args)) => audit::run(&args, output),
        Some(Command::Run(args)) => run::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Pull(args)) => pull::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Rm(args)) => rm::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Stop(args)) => stop::run(&args, output),
        Some(Command::Logs(args)) => logs::run(&args, quiet_log(&cli.show, output)),
        Some(Command::Inspect(args)) => {
            let verbosity = cli.show.verbose;
            inspect::run(&args, verbosity, output)
        }
        Some(Command::Explain(args)) => explain::run(&args, output),
        Some(Command::Completion(args)) => completion::run(&args, output),
        Some(Command::Man(args)) => man::run(&args, output),
        Some(Command::Schema) => schema::run(output),
        Some(Command::Version) => version::run(output),
        // Answered while the command line was read.
        Some(Command::Help(_)) => Ok(()),
    }
}

/// The log of commands that end by themselves: what goes wrong, they say themselves.
fn quiet_log<'a>(show: &Show, output: &'a Output) -> &'a Output {
    if show.verbose > 0 {
        logging::start(show.verbose, output.is_json);
    }
    output
}
