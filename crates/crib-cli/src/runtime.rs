//! The runtime that commands run on.

use std::time::Duration;

use crate::failure::Failure;

/// How long what still blocks a thread (reading standard input) may hold up the end.
const SHUTDOWN: Duration = Duration::from_millis(100);

/// Runs a command on all cores.
pub(crate) fn on_all_cores<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // As many workers as there are cores the process may use.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(SHUTDOWN);
    result
}
