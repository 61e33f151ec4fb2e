//! `toolcrib doctor`: what is wrong on this machine.

use crate::args::Doctor;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(_args: &Doctor, _output: &Output) -> Result<(), Failure> {
    Ok(())
}
