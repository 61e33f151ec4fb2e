//! `toolcrib` alone: short help.

use crate::args;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    output.data(&args::help())
}
