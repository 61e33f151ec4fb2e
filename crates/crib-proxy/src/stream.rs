//! The log of one stream to a legacy client: what was said, so that a client that lost the connection can go on.
//!
//! A stream outlives its connections. Frames get ids `<stream>-<n>`; a reader starts behind the last id its client
//! saw. One reader at a time: a newer one takes over, because a message may be delivered on one connection only.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crib_mcp::Chunks;
use crib_model::{Frame, limits};
use futures_core::Stream;
use parking_lot::Mutex;

/// Whether frames carry ids: from 2025-03-26 on, Streamable HTTP clients may resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ids {
    Numbered,
    None,
}

pub(crate) struct StreamLog {
    name: String,
    ids: Ids,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Position of the first frame kept.
    first: u64,
    kept: VecDeque<Frame>,
    is_ended: bool,
    /// Which reader is current; older ones end.
    reader: u64,
    waker: Option<Waker>,
    /// Frames delivered and no longer replayable.
    delivered: u64,
}

impl StreamLog {
    pub(crate) fn new(name: String, ids: Ids) -> Arc<Self> {
        Arc::new(Self { name, ids, inner: Mutex::default() })
    }

    /// Appends a message. The oldest undelivered ones go when a client stays away too long.
    pub(crate) fn push(&self, data: Chunks) {
        self.push_frame(Frame::message(data));
    }

    pub(crate) fn push_frame(&self, mut frame: Frame) {
        let mut inner = self.inner.lock();
        if inner.is_ended {
            return;
        }
        let n = inner.first + inner.kept.len() as u64;
        if self.ids == Ids::Numbered {
            frame.id = Some(format!("{}-{n}", self.name));
        }
        if inner.kept.len() >= limits::REPLAY_MESSAGES_MAX {
            inner.kept.pop_front();
            inner.first += 1;
        }
        inner.kept.push_back(frame);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn end(&self) {
        let mut inner = self.inner.lock();
        inner.is_ended = true;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.inner.lock().is_ended
    }

    /// Tells whether somebody reads at the moment.
    pub(crate) fn has_reader(&self) -> bool {
        self.inner.lock().waker.is_some()
    }

    /// Reads on from behind frame `after`, or from what nobody has read yet.
    pub(crate) fn read(self: &Arc<Self>, after: Option<u64>) -> Reader {
        let mut inner = self.inner.lock();
        inner.reader += 1;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
        let next = after.map_or(inner.delivered, |n| n + 1).max(inner.first);
        Reader { log: Arc::clone(self), me: inner.reader, next }
    }

    /// Parses an event id of this kind into the stream's name and the position.
    pub(crate) fn parse_id(id: &str) -> Option<(&str, u64)> {
        let (name, n) = id.rsplit_once('-')?;
        Some((name, n.parse().ok()?))
    }
}

/// One connection's view of a stream.
pub(crate) struct Reader {
    log: Arc<StreamLog>,
    me: u64,
    next: u64,
}

impl Stream for Reader {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let log = Arc::clone(&self.log);
        let mut inner = log.inner.lock();
        if inner.reader != self.me {
            return Poll::Ready(None);
        }
        let at = self.next.max(inner.first);
        let index = usize::try_from(at - inner.first).unwrap_or(usize::MAX);
        if let Some(frame) = inner.kept.get(index).cloned() {
            self.next = at + 1;
            inner.delivered = inner.delivered.max(self.next);
            if self.log.ids == Ids::None {
                // Without ids nobody can ask for it again.
                while inner.first < inner.delivered && inner.kept.pop_front().is_some() {
                    inner.first += 1;
                }
            }
            return Poll::Ready(Some(frame));
        }
        if inner.is_ended {
            return Poll::Ready(None);
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut inner = self.log.inner.lock();
        if inner.reader == self.me {
            inner.waker = None;
        }
    }
}
