//! Waiting with a deadline; nothing in the tests waits without one.

use std::{future::Future, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

/// The bound on anything that should happen soon on a loaded machine.
pub const SOON: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(5);

/// Awaits `future` for at most `limit`; `what` says what was waited for.
///
/// # Errors
/// When the time is up.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(limit, future).await.with_context(|| format!("{what}: nothing within {limit:?}"))
}

/// Asks `probe` again and again until it answers `Some`, for at most `limit`.
///
/// # Errors
/// When the time is up.
pub async fn eventually<T, F: Future<Output = Option<T>>>(limit: Duration, what: &str, mut probe: impl FnMut() -> F) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe().await {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {limit:?}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
