//! The body of an answer.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::Body;

use super::error::SendError;
use super::live::Live;
use super::pool::Pool;

/// The most memory set aside for what a server only announces.
const RESERVE_BYTES_MAX: usize = 1024 * 1024;

/// The body of an answer, read as it comes.
///
/// Read to its end it gives the connection back for the next call; dropped earlier it closes the connection.
pub struct Incoming {
    body: hyper::body::Incoming,
    live: Option<Box<Live>>,
    pool: Arc<Pool>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("is_open", &self.live.is_some()).finish_non_exhaustive()
    }
}

impl Incoming {
    pub(crate) fn new(body: hyper::body::Incoming, live: Box<Live>, pool: Arc<Pool>) -> Self {
        let mut incoming = Self { body, live: Some(live), pool };
        if incoming.body.is_end_stream() {
            incoming.release();
        }
        incoming
    }

    /// Waits for the next piece; `None` at the end. Has no deadline of its own. Cancel safe.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, SendError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Reads the whole body within the deadline of the request. A body that comes in one piece is not copied.
    ///
    /// # Errors
    /// The body is larger than `max`, late, or broken off.
    pub async fn collect(mut self, max: usize) -> Result<Bytes, SendError> {
        self.collected(max).await
    }

    async fn collected(&mut self, max: usize) -> Result<Bytes, SendError> {
        if self.body.size_hint().lower() > max as u64 {
            return Err(SendError::TooLarge(max));
        }
        let Some(first) = self.timely_chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.timely_chunk().await? else {
            return if first.len() > max { Err(SendError::TooLarge(max)) } else { Ok(first) };
        };
        let expected = usize::try_from(self.body.size_hint().lower()).unwrap_or(0).min(RESERVE_BYTES_MAX);
        let mut joined = BytesMut::with_capacity(first.len() + second.len() + expected);
        joined.extend_from_slice(&first);
        joined.extend_from_slice(&second);
        while joined.len() <= max {
            let Some(next) = self.timely_chunk().await? else { return Ok(joined.freeze()) };
            joined.extend_from_slice(&next);
        }
        Err(SendError::TooLarge(max))
    }

    async fn timely_chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        poll_fn(|cx| match self.poll_chunk(cx) {
            Poll::Ready(chunk) => Poll::Ready(chunk.transpose()),
            Poll::Pending => match self.live.as_mut().map(|live| live.poll_late(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Err(SendError::TimedOut)),
                Some(Poll::Pending) | None => Poll::Pending,
            },
        })
        .await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, SendError>>> {
        if let Poll::Ready(chunk) = self.poll_body() {
            return Poll::Ready(chunk);
        }
        let Some(live) = &mut self.live else { return Poll::Ready(None) };
        live.drive(cx);
        let is_over = live.is_over();
        match self.poll_body() {
            Poll::Pending if is_over => {
                self.live = None;
                Poll::Ready(Some(Err(SendError::Broken("the connection was closed".to_owned()))))
            }
            polled @ (Poll::Ready(_) | Poll::Pending) => polled,
        }
    }

    /// Takes what the driver has read.
    fn poll_body(&mut self) -> Poll<Option<Result<Bytes, SendError>>> {
        if self.live.is_none() {
            return Poll::Ready(None);
        }
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(&mut cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.release();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.live = None;
                    return Poll::Ready(Some(Err(SendError::in_answer(&error))));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            // Trailers mean nothing here.
            if let Ok(data) = frame.into_data() {
                if self.body.is_end_stream() {
                    self.release();
                }
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    fn release(&mut self) {
        if let Some(live) = self.live.take() {
            self.pool.put(live);
        }
    }
}
