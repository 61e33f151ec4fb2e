//! `toolcrib completion`: completions for a shell.

use clap::CommandFactory as _;

use crate::args::{Cli, Completion};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(args: &Completion, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "toolcrib", &mut script);
    output.bytes(&script)
}
