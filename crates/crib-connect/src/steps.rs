//! Replies that talk before they are done: a future and the events it sends on its way become the steps of a reply.

use std::future::Future;
use std::time::Instant;

use crib_model::limits::START_TIMEOUT;
use crib_model::{BoxFuture, Code, Event, Fault, Outcome, Reply, Slug, Step, Steps};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

/// Events of one call that may wait for the reader; a sender waits beyond it.
const EVENTS_MAX: usize = 64;

/// Where a call in progress says something before it is done.
#[derive(Clone, Debug)]
pub(crate) struct Voice(mpsc::Sender<Event>);

impl Voice {
    /// Says something; waits while the reader is slow, and says nothing when it is gone.
    pub(crate) async fn say(&self, event: Event) {
        // A reader that went away has dropped the future as well.
        let _gone = self.0.send(event).await.is_err();
    }
}

/// Waits for the first step of a subscription: it has no end, but its acknowledgement must come soon.
pub(crate) async fn acknowledged(steps: Steps, slug: &Slug, deadline: Instant) -> Result<Reply, Fault> {
    let deadline = deadline.min(Instant::now() + START_TIMEOUT);
    let late = || Fault::new(Code::DeadlineExceeded, format!("`{slug}` did not acknowledge the subscription in time"));
    tokio::time::timeout_at(deadline.into(), settle(steps)).await.unwrap_or_else(|_elapsed| Err(late()))
}

struct Talk {
    events: mpsc::Receiver<Event>,
    work: Option<BoxFuture<'static, Result<Outcome, Fault>>>,
    done: Option<Result<Outcome, Fault>>,
}

/// Runs a future that may speak; dropping the steps drops the future.
pub(crate) fn talk<F>(work: impl FnOnce(Voice) -> F) -> Steps
where
    F: Future<Output = Result<Outcome, Fault>> + Send + 'static,
{
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let talk = Talk { events, work: Some(Box::pin(work(Voice(sender)))), done: None };
    Box::pin(stream::unfold(talk, Talk::step))
}

/// Waits for the first step: a call that ends before it said anything has no stream.
pub(crate) async fn settle(mut steps: Steps) -> Result<Reply, Fault> {
    match steps.next().await {
        Some(Step::Done(outcome)) => outcome.map(Reply::Done),
        Some(first @ Step::Event(_)) => Ok(Reply::Stream(Box::pin(stream::once(async { first }).chain(steps)))),
        None => Err(Fault::new(Code::Internal, "a reply ended without an outcome")),
    }
}

// === impl Talk ===

impl Talk {
    async fn step(mut self) -> Option<(Step, Self)> {
        if let Some(work) = &mut self.work {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return Some((Step::Event(event), self)),
                done = work => self.done = Some(done),
            }
            self.work = None;
        }
        // What was said before the end is heard before the end.
        if let Ok(event) = self.events.try_recv() {
            return Some((Step::Event(event), self));
        }
        self.done.take().map(|done| (Step::Done(done), self))
    }
}
