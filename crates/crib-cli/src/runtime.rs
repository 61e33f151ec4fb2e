//! The runtime that commands run on.

use std::num::NonZero;
use std::time::Duration;

use crib_transport::Lanes;
use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// How long what still blocks a thread (reading standard input) may hold up the end.
const SHUTDOWN: Duration = Duration::from_millis(100);

/// Runs a command on all cores the process may use.
pub(crate) fn on_all_cores<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = build(std::thread::available_parallelism().map_or(1, NonZero::get))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(SHUTDOWN);
    result
}

/// Runs a server of connections: on several cores each has its own, and the work between calls does not hold them up.
pub(crate) fn on_lanes<T, W>(work: impl FnOnce(Lanes) -> W) -> Result<T, Failure>
where
    W: Future<Output = Result<T, Failure>>,
{
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (lanes, threads) = Lanes::start(if cores == 1 { 0 } else { cores })?;
    let result = on_all_cores(work(lanes));
    drop(threads);
    result
}

/// Waits on this thread, where another runtime may be busy on others.
pub(crate) fn for_one_wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// On one core, handing work from thread to thread only costs.
fn build(cores: usize) -> std::io::Result<Runtime> {
    let mut builder = if cores == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    crib_transport::in_rounds(&mut builder).enable_all().build()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::RuntimeFlavor;

    use super::*;

    #[test]
    fn one_core_needs_one_thread() {
        assert_eq!(build(1).unwrap().handle().runtime_flavor(), RuntimeFlavor::CurrentThread);
        assert_eq!(build(2).unwrap().handle().runtime_flavor(), RuntimeFlavor::MultiThread);
    }
}
