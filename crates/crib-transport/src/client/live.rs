//! One connection and the task-less driving of it.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::unconstrained;
use tokio::time::Sleep;
use tokio_util::sync::ReusableBoxFuture;

use super::error::SendError;
use super::wire::{Driven, Driver, Wire};
use crate::lanes;
use crate::turn::Glance;
use crate::whole::Whole;

/// An open connection. Whoever holds it drives it.
///
/// The sender and the body of hyper are polled without a waker: they can only make progress inside a poll of the
/// driver, which is called right before, in the same task.
pub(crate) struct Live {
    sender: SendRequest<Whole>,
    connection: Connection<TokioIo<Driven>, Whole>,
    driver: Arc<Driver>,
    /// The driver as hyper knows it.
    waker: Waker,
    glance: Option<Glance>,
    is_over: bool,
    /// The lane on whose runtime it was opened.
    lane: usize,
    /// What hyper promised for the request in hand. Its room is kept from call to call, too: in the future of a call it
    /// would be memory that no cache has seen.
    answer: ReusableBoxFuture<'static, Answered>,
    /// Survives from call to call, because moving a timer further away is free and making one is not.
    deadline: Pin<Box<Sleep>>,
    idle_since: Instant,
    /// How long the server said it keeps an idle connection.
    promised: Option<Duration>,
    _slot: OwnedSemaphorePermit,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

/// What hyper says about a request in the end.
type Answered = Result<Response<Incoming>, TrySendError<Request<Whole>>>;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// The most by which a connection is given up before the server's announced end.
const MARGIN_MAX: Duration = Duration::from_secs(1);

/// How often a connection is polled before others have their turn.
const POLLS_MAX: usize = 4;

/// Why an exchange failed.
pub(crate) enum Failed {
    /// Nothing of the request was written; here it is again.
    Unsent(Box<Request<Whole>>, SendError),
    Sent(SendError),
}

impl Live {
    pub(crate) async fn open(wire: Wire, slot: OwnedSemaphorePermit, head_bytes_max: usize) -> Result<Box<Self>, SendError> {
        let (driver, glance) = (Driver::new(), wire.glance());
        let driven = TokioIo::new(Driven::new(wire, Arc::clone(&driver)));
        let shaken = Builder::new().max_buf_size(head_bytes_max).handshake(driven).await;
        let (sender, connection) = shaken.map_err(|error| SendError::Connect(error.to_string()))?;
        let now = Instant::now();
        let deadline = Box::pin(tokio::time::sleep_until(now.into()));
        let answer = ReusableBoxFuture::new(pending());
        let waker = Waker::from(Arc::clone(&driver));
        Ok(Box::new(Self {
            sender,
            connection,
            driver,
            waker,
            glance,
            is_over: false,
            lane: lanes::number(),
            answer,
            deadline,
            idle_since: now,
            promised: None,
            _slot: slot,
        }))
    }

    /// Tells whether an idle connection can take a request, as far as is known here.
    pub(crate) fn is_usable(&mut self) -> bool {
        // Nearly always nothing has happened, and nothing has to be driven to know that.
        if !self.is_over && self.sender.is_ready() && self.glance.as_ref().is_some_and(Glance::is_quiet) {
            return true;
        }
        let mut driving = pin!(unconstrained(poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(())
        })));
        let (Poll::Ready(()) | Poll::Pending) = driving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }

    /// Begins to be idle.
    pub(crate) fn rest(&mut self) {
        self.idle_since = Instant::now();
    }

    /// Tells whether the connection has been idle for too long. A server that announced when it closes idle
    /// connections is taken at its word with a margin: a request that meets the close is lost.
    pub(crate) fn is_stale(&self, idle_age: Duration) -> bool {
        let kept = |promised: Duration| promised - (promised / 2).min(MARGIN_MAX);
        let age = self.promised.map_or(idle_age, |promised| idle_age.min(kept(promised)));
        self.idle_since.elapsed() >= age
    }

    /// Tells whether the connection is ready for the next request after a body was read to its end.
    pub(crate) fn is_reusable(&mut self) -> bool {
        (!self.is_over && self.sender.is_ready()) || self.is_usable()
    }

    /// Reads and writes what can be read and written.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if self.is_over {
            return;
        }
        self.driver.is(cx);
        for _ in 0..POLLS_MAX {
            // An error of the connection is told through the sender or the body.
            self.is_over = Pin::new(&mut self.connection).poll(&mut Context::from_waker(&self.waker)).is_ready();
            if self.is_over || !self.driver.takes_poll() {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    pub(crate) fn lane(&self) -> usize {
        self.lane
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Moves the deadline; [`Self::poll_late`] becomes ready when it has passed.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline.as_mut().reset(deadline.into());
    }

    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.deadline.as_mut().poll(cx)
    }

    /// Takes a request; it is sent while [`Self::poll_answer`] is polled.
    pub(crate) fn begin(&mut self, request: Request<Whole>, deadline: Instant) {
        self.set_deadline(deadline);
        // Unconstrained, because tokio's cooperation ends a turn by waking the waker, and there is none.
        self.answer.set(unconstrained(self.sender.try_send_request(request)));
    }

    /// Sends the request that was begun, and waits for the head of its answer.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Incoming>, Failed>> {
        self.drive(cx);
        let Poll::Ready(answered) = self.answer.poll(&mut Context::from_waker(Waker::noop())) else {
            return self.poll_late(cx).map(|()| Err(Failed::Sent(SendError::TimedOut)));
        };
        Poll::Ready(match answered {
            Ok(response) => {
                self.promised = promise(response.headers()).or(self.promised);
                Ok(response)
            }
            Err(mut failed) => {
                let error = SendError::before_answer(failed.error());
                Err(match failed.take_message() {
                    Some(request) => Failed::Unsent(Box::new(request), error),
                    None => Failed::Sent(error),
                })
            }
        })
    }
}

/// Reads `Keep-Alive: timeout=5`.
fn promise(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_read() {
        let read = |value: &'static str| promise(&HeaderMap::from_iter([("keep-alive".parse().unwrap(), value.parse().unwrap())]));
        assert_eq!(read("timeout=5"), Some(Duration::from_secs(5)));
        assert_eq!(read("max=100, timeout=72"), Some(Duration::from_secs(72)));
        assert_eq!(read("timeout=soon"), None);
        assert_eq!(promise(&HeaderMap::new()), None);
    }
}
