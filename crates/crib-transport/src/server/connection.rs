//! One connection of a client, from accept to close.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::WaitForCancellationFuture;

use super::drain::{Drain, Stage};
use super::exchange::{Ends, Exchange, Front};
use super::pulse::{Limits, Pulse, Ticker};
use super::strict::Strict;
use crate::starts::Number;
use crate::turn::{self, Glance, Tcp};

/// How often a connection is polled before others have their turn.
const POLLS_MAX: usize = 4;

/// Serves a connection until either side closes it.
pub(crate) async fn serve(front: Arc<Front>, stream: TcpStream, ends: Ends) {
    let pulse = Arc::new(Pulse::default());
    let options = &front.options;
    let limits = Limits { head: options.head_timeout, idle: options.idle_timeout, body: options.body_timeout };
    let mut ticker = Ticker::new(Arc::clone(&pulse), limits);
    let stream = Tcp::new(stream);
    let mut leaving = Leaving { glance: stream.glance(), pulse: Arc::clone(&pulse), has_said_more: false };
    let io = TokioIo::new(Watched { stream, strict: Strict::default(), pulse: Arc::clone(&pulse) });
    let service = service_fn(|request| {
        let exchange = Exchange { front: Arc::clone(&front), ends, pulse: Arc::clone(&pulse) };
        exchange.answer(request)
    });
    let mut builder = http1::Builder::new();
    // The ticker does the work of hyper's header timeout without a timer per request.
    builder.header_read_timeout(None).keep_alive(true).pipeline_flush(false);
    // Does not mean that such clients are served on: hyper would look for the end of the connection with room for the
    // next request, while the one in hand still has the room it came in.
    builder.half_close(true);
    builder.max_headers(options.head_fields_max).max_buf_size(options.head_bytes_max.max(8192));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut ending = Ending::new(&front.drain);
    let mut number = Number::default();
    let waker = Waker::from(Arc::clone(&pulse));
    let ended = poll_fn(|cx| {
        pulse.beats_in(cx);
        match ending.poll_stage(cx) {
            None => {}
            Some(Stage::Ended) => return Poll::Ready(Ok(())),
            Some(Stage::Serving | Stage::Draining) => connection.as_mut().graceful_shutdown(),
        }
        if ticker.poll_overdue(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        turn::count_poll();
        if pulse.is_between_requests() && leaving.glance.has_arrived() && !number.may_begin(leaving.glance.runtime(), cx.waker()) {
            return Poll::Pending;
        }
        for _ in 0..POLLS_MAX {
            let polled = connection.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return polled;
            }
            if !pulse.takes_poll() {
                return leaving.poll_gone(cx).map(Ok);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(peer = %ends.peer, %error, "connection ended");
    }
}

/// Tells the connection about the end of the server, once per stage.
///
/// The wake-ups are registered on the first poll only, which is enough because a connection never changes its task;
/// every later poll is one atomic load.
struct Ending<'a> {
    drain: &'a Drain,
    wakeups: Option<[Pin<Box<WaitForCancellationFuture<'a>>>; 2]>,
    told: Stage,
}

impl<'a> Ending<'a> {
    fn new(drain: &'a Drain) -> Self {
        Self { drain, wakeups: None, told: Stage::Serving }
    }

    /// Returns a stage when it is news.
    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Option<Stage> {
        if self.wakeups.is_none() {
            let mut wakeups = [Box::pin(self.drain.draining.cancelled()), Box::pin(self.drain.ended.cancelled())];
            for wakeup in &mut wakeups {
                // Whether it is ready does not matter: the stage is read below, and was set before the wake-up.
                let (Poll::Ready(()) | Poll::Pending) = wakeup.as_mut().poll(cx);
            }
            self.wakeups = Some(wakeups);
        }
        let stage = self.drain.stage();
        let is_news = stage > self.told;
        self.told = stage;
        is_news.then_some(stage)
    }
}

/// Watches whether the client leaves while the gateway is busy for it.
struct Leaving {
    glance: Glance,
    pulse: Arc<Pulse>,
    /// The client has sent more than the request in hand. What comes behind that is not seen.
    has_said_more: bool,
}

impl Leaving {
    /// Becomes ready when nobody waits for the answer any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.pulse.is_busy() {
            self.has_said_more = false;
            return Poll::Pending;
        }
        if self.has_said_more {
            return Poll::Pending;
        }
        match ready!(self.glance.poll_peek(cx)) {
            Ok(1..) => {
                self.has_said_more = true;
                Poll::Pending
            }
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }
}

/// Watches the bytes: how requests are framed, and whether the client reads. Wakes the task, not hyper.
struct Watched {
    stream: Tcp,
    strict: Strict,
    pulse: Arc<Pulse>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(&mut Context::from_waker(this.pulse.task()), buf);
        if let Some(bytes) = buf.filled().get(before..) {
            this.pulse.judge(this.strict.see(bytes));
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(&mut Context::from_waker(this.pulse.task()), buf);
        this.pulse.wrote(written.is_ready());
        written
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write_vectored(&mut Context::from_waker(this.pulse.task()), bufs);
        this.pulse.wrote(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        Pin::new(&mut this.stream).poll_flush(&mut Context::from_waker(this.pulse.task()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        Pin::new(&mut this.stream).poll_shutdown(&mut Context::from_waker(this.pulse.task()))
    }
}
