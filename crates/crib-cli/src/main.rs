//! The binary `toolcrib`: commands, and the composition root that puts the parts together.
//!
//! Invariants
//! - Only this crate reads the environment.
//! - Data goes to standard output, everything else to standard error.
//! - Every failure has a code, says what and why and what to do, and ends with the exit status of its kind.

mod amount;
mod args;
mod asked;
mod background;
mod client;
mod command;
mod config;
mod failure;
mod gateway;
mod instance;
mod logging;
mod logs;
mod machine;
mod manual;
mod market;
mod output;
mod pins;
mod places;
mod runtime;
mod shop;
mod signals;
mod table;
mod telemetry;
mod tongue;
mod tool;
mod trial;
mod unconfined;
mod world;

use std::process::ExitCode;

use args::Invocation;
use output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The hidden command that ends the children of a gateway that was killed.
const WARDEN: &str = "__warden";

fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == WARDEN) {
        return crib_transport::run_warden();
    }
    if words.get(1).is_some_and(|word| word == crib_sandbox::ENTRY) {
        return crib_sandbox::enter(words.into_iter().skip(2));
    }
    if words.get(1).is_some_and(|word| word == command::COMPLETE) {
        return command::complete(words.into_iter().skip(2));
    }
    watch_over_children();
    let parsed = args::parse(&words);
    let output = match &parsed {
        Ok(Invocation::Run(cli)) => Output::new(&cli.show),
        Ok(Invocation::Print(_) | Invocation::Page(_)) | Err(_) => Output::guess(&words),
    };
    let result = match parsed {
        Ok(Invocation::Run(cli)) => command::run(*cli, &output),
        Ok(Invocation::Print(text)) => output.data_ansi(&text),
        Ok(Invocation::Page(page)) => output.bytes(&page),
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

fn watch_over_children() {
    // Without a path to itself the program still ends its children itself, unless it is killed.
    if let Ok(program) = std::env::current_exe() {
        crib_transport::watch_children(crib_transport::WardenCommand { program, args: vec![WARDEN.to_owned()] });
    }
}
