//! Rings when a server says that one of its lists is another one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::tap::{Direction, Seen, Sink, Verdict};

/// How long it is quiet before the lists are read: servers tell of several at once.
const QUIET: Duration = Duration::from_millis(150);
/// How many times more than that is waited for at most.
const QUIETS_MAX: usize = 10;

/// A bell on a tap.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

// === impl Bell ===

impl Bell {
    /// Returns what rings it.
    #[must_use]
    pub fn sink(&self) -> Sink {
        let rung = Arc::clone(&self.0);
        Arc::new(move |seen: &Seen| {
            let is_told = seen.direction == Direction::In && seen.verdict == Verdict::Notification;
            if is_told && seen.method.as_ref().is_some_and(|method| method.ends_with("/list_changed")) {
                rung.notify_one();
            }
        })
    }

    /// Waits until it was rung, and then was quiet for a moment.
    pub async fn rung(&self) {
        self.0.notified().await;
        for _ in 0..QUIETS_MAX {
            if tokio::time::timeout(QUIET, self.0.notified()).await.is_err() {
                return;
            }
        }
    }
}
