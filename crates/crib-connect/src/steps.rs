//! Replies that talk before they are done: a future and the events it sends on its way become the steps of a reply.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crib_model::limits::START_TIMEOUT;
use crib_model::{BoxFuture, Code, Event, Fault, Outcome, Reply, Slug, Step, Steps};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;

/// Events of one call that may wait for the reader; a sender waits beyond it.
const EVENTS_MAX: usize = 64;

/// Where a call in progress says something before it is done.
///
/// Speaker and listener are the two ends of one [`Talk`], polled by one task: nobody has to be woken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voice(Arc<Mutex<VecDeque<Event>>>);

impl Voice {
    /// Says something; waits while the reader is slow.
    pub(crate) async fn say(&self, event: Event) {
        let mut event = Some(event);
        poll_fn(|_| {
            let mut said = self.0.lock();
            // What is full is read before the work is polled again.
            if said.len() >= EVENTS_MAX {
                return Poll::Pending;
            }
            said.extend(event.take());
            Poll::Ready(())
        })
        .await;
    }

    fn hear(&self) -> Option<Event> {
        self.0.lock().pop_front()
    }
}

/// Waits for the first step of a subscription: it has no end, but its acknowledgement must come soon.
pub(crate) async fn acknowledged<S>(steps: S, slug: &Slug, deadline: Instant) -> Result<Reply, Fault>
where
    S: Stream<Item = Step> + Unpin + Send + 'static,
{
    let deadline = deadline.min(Instant::now() + START_TIMEOUT);
    let late = || Fault::new(Code::DeadlineExceeded, format!("`{slug}` did not acknowledge the subscription in time"));
    tokio::time::timeout_at(deadline.into(), settle(steps)).await.unwrap_or_else(|_elapsed| Err(late()))
}

/// A call in progress and what it says. Dropping it drops the call.
pub(crate) struct Talk {
    voice: Voice,
    work: Option<BoxFuture<'static, Result<Outcome, Fault>>>,
    done: Option<Result<Outcome, Fault>>,
}

/// Runs a future that may speak.
pub(crate) fn talk<F>(work: impl FnOnce(Voice) -> F) -> Talk
where
    F: Future<Output = Result<Outcome, Fault>> + Send + 'static,
{
    let voice = Voice::default();
    Talk { work: Some(Box::pin(work(voice.clone()))), voice, done: None }
}

/// Waits for the first step: a call that ends before it said anything has no stream.
pub(crate) async fn settle<S>(mut steps: S) -> Result<Reply, Fault>
where
    S: Stream<Item = Step> + Unpin + Send + 'static,
{
    match steps.next().await {
        Some(Step::Done(outcome)) => outcome.map(Reply::Done),
        Some(first @ Step::Event(_)) => {
            let steps: Steps = Box::pin(stream::once(async { first }).chain(steps));
            Ok(Reply::Stream(steps))
        }
        None => Err(Fault::new(Code::Internal, "a reply ended without an outcome")),
    }
}

// === impl Talk ===

impl Stream for Talk {
    type Item = Step;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        let this = &mut *self;
        // What was said before the end is heard before the end.
        if let Some(event) = this.voice.hear() {
            return Poll::Ready(Some(Step::Event(event)));
        }
        if let Some(work) = &mut this.work
            && let Poll::Ready(done) = work.as_mut().poll(cx)
        {
            this.done = Some(done);
            this.work = None;
        }
        if let Some(event) = this.voice.hear() {
            return Poll::Ready(Some(Step::Event(event)));
        }
        match this.done.take() {
            Some(done) => Poll::Ready(Some(Step::Done(done))),
            None if this.work.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
