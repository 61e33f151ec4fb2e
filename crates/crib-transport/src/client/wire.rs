//! The bytes of a connection, plain or under TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::turn::{Glance, Tcp};

#[derive(Debug)]
pub(crate) enum Wire {
    Plain(Tcp),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Returns a look at the connection where its bytes are all there is to it.
    pub(crate) fn glance(&self) -> Option<Glance> {
        match self {
            Self::Plain(stream) => Some(stream.glance()),
            Self::Tls(_) => None,
        }
    }
}

/// A wire that wakes whoever drives its connection, and not hyper, which is polled with a waker of its own.
#[derive(Debug)]
pub(crate) struct Driven {
    wire: Wire,
    driver: Arc<Driver>,
}

/// Who drives a connection at the moment.
#[derive(Debug)]
pub(crate) struct Driver {
    task: Mutex<Waker>,
    wants_poll: AtomicBool,
}

impl Wake for Driver {
    /// Hyper wakes this from inside of its own poll, or when the body it has filled is read by whoever drives it.
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wants_poll.store(true, Ordering::Relaxed);
    }
}

impl Driver {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { task: Mutex::new(Waker::noop().clone()), wants_poll: AtomicBool::new(false) })
    }

    /// Takes the wheel: from now on the task is woken for what happens on the wire.
    pub(crate) fn is(&self, cx: &Context<'_>) {
        let mut task = self.task.lock();
        if !task.will_wake(cx.waker()) {
            task.clone_from(cx.waker());
        }
        drop(task);
        self.takes_poll();
    }

    /// Tells whether hyper is to be polled once more.
    pub(crate) fn takes_poll(&self) -> bool {
        self.wants_poll.swap(false, Ordering::Relaxed)
    }
}

impl Driven {
    pub(crate) fn new(wire: Wire, driver: Arc<Driver>) -> Self {
        Self { wire, driver }
    }

    fn with<T>(&mut self, work: impl FnOnce(Pin<&mut Wire>, &mut Context<'_>) -> T) -> T {
        let task = self.driver.task.lock();
        work(Pin::new(&mut self.wire), &mut Context::from_waker(&task))
    }
}

impl AsyncRead for Driven {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|wire, cx| wire.poll_read(cx, buf))
    }
}

impl AsyncWrite for Driven {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|wire, cx| wire.poll_write(cx, buf))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.with(|wire, cx| wire.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|wire, cx| wire.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|wire, cx| wire.poll_shutdown(cx))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
