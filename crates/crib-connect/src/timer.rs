//! Deadlines of calls on timers that are kept: moving a timer further away is free, making one is not.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::time::Sleep;

/// Idle timers that are kept.
const KEPT_MAX: usize = 256;

/// Timers nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<Vec<Pin<Box<Sleep>>>>);

/// One deadline. The timer goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    home: Arc<Timers>,
}

impl Timers {
    pub(crate) fn until(self: &Arc<Self>, deadline: Instant) -> Timer {
        let kept = self.0.lock().pop();
        let sleep = match kept {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline.into());
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Timer { sleep: Some(sleep), home: Arc::clone(self) }
    }
}

impl Timer {
    /// Waits for work, but not beyond the deadline.
    pub(crate) async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => match &mut self.sleep {
                Some(sleep) => sleep.as_mut().poll(cx).map(|()| None),
                None => Poll::Pending,
            },
        })
        .await
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock();
        if kept.len() < KEPT_MAX {
            kept.extend(self.sleep.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_timer_keeps_the_next_deadline() {
        let timers = Arc::new(Timers::default());
        let start = tokio::time::Instant::now();
        for seconds in [60, 1, 5] {
            let begin = tokio::time::Instant::now();
            let mut timer = timers.until((begin + Duration::from_secs(seconds)).into());
            assert_eq!(timer.limit(std::future::ready(7)).await, Some(7));
            assert_eq!(timer.limit(std::future::pending::<()>()).await, None);
            let waited = begin.elapsed();
            assert!(waited >= Duration::from_secs(seconds) && waited < Duration::from_secs(seconds + 1), "{waited:?}");
        }
        assert_eq!(start.elapsed().as_secs(), 66);
        assert_eq!(timers.0.lock().len(), 1);
    }
}
