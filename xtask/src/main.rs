//! The tasks of this repository: `cargo xtask COMMAND`.
//!
//! Invariants
//! - A fresh machine needs nothing but a Rust toolchain and a C compiler to start it.
//! - What it installs goes below `.cache/` of the checkout; only Debian packages go anywhere else.
//! - What cannot be had is said in words, never passed over.
//!
//! How to add a task: a module with a `run(&[String]) -> Result<()>`, a line in [`COMMANDS`].

mod bench;
mod setup;
mod sh;
mod systems;
mod test;
mod tidy;

use std::process::ExitCode;

type Task = fn(&[String]) -> anyhow::Result<()>;

const COMMANDS: &[(&str, &str, Task)] = &[
    ("test", "install what the tests need, then check and test everything", test::run),
    ("setup", "only install what the tests need", setup::run),
    ("tidy", "the rules no compiler knows: layers, sizes, words, documents", tidy::run),
    ("systems", "whether the program compiles for macOS and Windows, where their standard libraries are installed", systems::run),
    ("bench", "compare direct, nginx and toolcrib on this machine", bench::run),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let Some((_, _, task)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
        usage();
        return if matches!(name.as_str(), "" | "help" | "-h" | "--help") { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    match task(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.downcast_ref::<sh::Said>().is_none() {
                sh::say(&format!("xtask {name}: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    sh::say("usage: cargo xtask COMMAND [OPTIONS]\n");
    for (name, about, _) in COMMANDS {
        sh::say(&format!("  {name:<7} {about}"));
    }
}
