//! Frames as server-sent events.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Chunks, Pieces, sse};
use crib_model::Frames;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::pulse::{Phase, Pulse};

const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// The event stream of one response.
///
/// Dropping it drops the frames, which tells the gateway that the client is gone.
pub(crate) struct Events {
    frames: Frames,
    /// Pieces of an encoded event that have not left yet.
    ready: <Chunks as IntoIterator>::IntoIter,
    silence: Pin<Box<Sleep>>,
    keep_alive: Duration,
    /// Ends the stream early; for streams that would never end by themselves.
    until: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    pulse: Arc<Pulse>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(frames: Frames, keep_alive: Duration, until: Option<WaitForCancellationFutureOwned>, pulse: Arc<Pulse>) -> Self {
        let silence = Box::pin(tokio::time::sleep(keep_alive));
        Self { frames, ready: Chunks::default().into_iter(), silence, keep_alive, until: until.map(Box::pin), pulse }
    }

    pub(crate) fn poll_bytes(&mut self) -> Poll<Option<Bytes>> {
        let pulse = Arc::clone(&self.pulse);
        let cx = &mut Context::from_waker(pulse.task());
        if let Some(piece) = self.ready.next() {
            return Poll::Ready(Some(piece));
        }
        match self.frames.as_mut().poll_next(cx) {
            Poll::Ready(Some(frame)) => {
                self.silence.as_mut().reset(Instant::now() + self.keep_alive);
                let mut out = Pieces::with_capacity(frame.data.len() + 64);
                sse::encode_event(frame.event, frame.id.as_deref(), frame.retry_ms, &frame.data, &mut out);
                self.ready = out.finish().into_iter();
                return Poll::Ready(self.ready.next());
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        if self.until.as_mut().is_some_and(|until| until.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(None);
        }
        if self.silence.as_mut().poll(cx).is_ready() {
            self.silence.as_mut().reset(Instant::now() + self.keep_alive);
            return Poll::Ready(Some(KEEP_ALIVE));
        }
        Poll::Pending
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.pulse.enter(Phase::Waiting);
    }
}
