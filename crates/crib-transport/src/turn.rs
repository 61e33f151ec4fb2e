//! Writes that wait for their turn.

use std::task::{Context, Poll};

use tokio::runtime::{Handle, RuntimeFlavor};

/// What is larger is written at once: copying costs more than waking, and bytes that wait leave the cache.
const WAITING_BYTES_MAX: usize = 16 * 1024;

/// Lets every task that is ready go before a write, once per flush.
///
/// What a round of events brings about is then written in one go. A peer that sleeps must be woken by the write, which
/// costs the writer about as much as the write itself; a peer that is still busy with the write before need not be.
/// With several threads the tasks that are ready may be on any of them, and giving way would wake a thread that sleeps:
/// there nobody waits.
#[derive(Debug)]
pub(crate) struct Turn {
    is_alone: bool,
    is_given: bool,
}

impl Turn {
    /// Looks at the runtime it is called on.
    pub(crate) fn new() -> Self {
        let is_alone = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        Self { is_alone, is_given: false }
    }

    /// Is ready when it is time to write so many bytes.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>, bytes: usize) -> Poll<()> {
        // What is left of a large write does not wait either.
        self.is_given |= bytes > WAITING_BYTES_MAX;
        if !self.is_alone || self.is_given {
            return Poll::Ready(());
        }
        self.is_given = true;
        // Scheduled behind what is ready now.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ends the turn: all is written.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.is_given = false;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::task::ready;

    use tokio::runtime::Builder;

    use super::*;

    /// Runs two tasks that read and then write, and returns what happened in which order.
    fn order(mut runtime: Builder) -> Vec<&'static str> {
        let seen = RefCell::new(Vec::new());
        let exchange = async |read, write| {
            seen.borrow_mut().push(read);
            let mut turn = Turn::new();
            poll_fn(|cx| {
                ready!(turn.poll(cx, 1));
                // What is left of a flush does not wait again.
                turn.poll(cx, 1)
            })
            .await;
            seen.borrow_mut().push(write);
        };
        let both = async { futures_util::join!(exchange("first read", "first written"), exchange("second read", "second written")) };
        runtime.build().unwrap().block_on(both);
        seen.into_inner()
    }

    #[test]
    fn on_one_thread_all_that_is_ready_is_read_before_the_first_write() {
        assert_eq!(order(Builder::new_current_thread()), ["first read", "second read", "first written", "second written"]);
    }

    #[test]
    fn on_several_threads_a_write_does_not_wait() {
        assert_eq!(order(Builder::new_multi_thread()), ["first read", "first written", "second read", "second written"]);
    }

    #[test]
    fn every_flush_has_a_turn() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let mut turn = Turn::new();
        let cx = Context::from_waker(std::task::Waker::noop());
        assert!(turn.poll(&cx, 1).is_pending());
        assert!(turn.poll(&cx, 1).is_ready());
        turn.end();
        assert!(turn.poll(&cx, 1).is_pending());
    }

    #[test]
    fn what_is_large_does_not_wait() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let mut turn = Turn::new();
        let cx = Context::from_waker(std::task::Waker::noop());
        assert!(turn.poll(&cx, 64 * 1024).is_ready());
        assert!(turn.poll(&cx, 1024).is_ready());
        turn.end();
        assert!(turn.poll(&cx, 1024).is_pending());
    }
}
