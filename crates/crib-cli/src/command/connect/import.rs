//! `connect --import`: the servers of clients come under this gateway.

use super::Task;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(_task: &Task<'_>, _output: &Output) -> Result<(), Failure> {
    Ok(())
}
