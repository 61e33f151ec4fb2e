//! The binary `toolcrib`: commands, and the composition root that puts the parts together.
//!
//! Invariants
//! - Only this crate reads the environment.
//! - Data goes to standard output, everything else to standard error.
//! - Every failure has a code, says what and why and what to do, and ends with the exit status of its kind.

mod args;
mod command;
mod failure;
mod output;
mod telemetry;
mod world;

use std::process::ExitCode;

use args::Invocation;
use output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let parsed = args::parse(&words);
    let output = match &parsed {
        Ok(Invocation::Run(cli)) => Output::new(&cli.show),
        Ok(Invocation::Print(_)) | Err(_) => Output::guess(&words),
    };
    let result = match parsed {
        Ok(Invocation::Run(cli)) => command::run(*cli, &output),
        Ok(Invocation::Print(text)) => output.data_ansi(&text),
        Err(failure) => Err(failure),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit().into()
        }
    }
}
