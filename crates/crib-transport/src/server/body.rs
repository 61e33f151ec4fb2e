//! Reading a request body within its limits.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use hyper::body::Incoming;

use super::pulse::Pulse;

/// How long, and how much of, a body that is too large is read on, so that the client gets to read the answer.
const DISCARD_TIME: Duration = Duration::from_secs(2);
const DISCARD_BYTES: u64 = 64 * 1024 * 1024;

/// The most memory set aside for what a client only announces.
const RESERVE_BYTES_MAX: usize = 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    Late,
    Broken,
}

/// Reads the body whole. A body that comes in one piece is not copied.
pub(crate) async fn read(headers: &HeaderMap, mut body: Incoming, max: usize, pulse: &Pulse) -> Result<Bytes, Unread> {
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    if body.size_hint().lower() > max {
        return Err(Box::pin(too_large(headers, body)).await);
    }
    let Some(first) = piece(&mut body, pulse).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() as u64 <= max {
        return Ok(first);
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(RESERVE_BYTES_MAX);
    let mut joined = BytesMut::with_capacity(first.len() + expected);
    joined.extend_from_slice(&first);
    while let Some(next) = piece(&mut body, pulse).await? {
        if (joined.len() + next.len()) as u64 > max {
            return Err(Box::pin(too_large(headers, body)).await);
        }
        joined.extend_from_slice(&next);
    }
    if joined.len() as u64 > max { Err(Box::pin(too_large(headers, body)).await) } else { Ok(joined.freeze()) }
}

async fn piece(body: &mut Incoming, pulse: &Pulse) -> Result<Option<Bytes>, Unread> {
    let mut body = Pin::new(body);
    poll_fn(|_| {
        if pulse.is_body_late() {
            return Poll::Ready(Err(Unread::Late));
        }
        loop {
            // The connection fills the body in the same task, right before this is polled: nobody is to be woken.
            let frame = pulse.unheard(|| {
                let frame = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
                (frame, body.is_end_stream())
            });
            return match frame {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(_))) => Poll::Ready(Err(Unread::Broken)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Ok(Some(data))),
                    // Trailers mean nothing here.
                    Err(_) => continue,
                },
            };
        }
    })
    .await
}

/// Reads on for a while before the refusal: a connection closed on unread bytes is reset, and the answer lost.
async fn too_large(headers: &HeaderMap, mut body: Incoming) -> Unread {
    if headers.contains_key(header::EXPECT) {
        return Unread::TooLarge;
    }
    let discard = async {
        let mut left = DISCARD_BYTES;
        while left > 0 {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let Some(Ok(frame)) = frame else { break };
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
    };
    tokio::time::timeout(DISCARD_TIME, discard).await.ok();
    Unread::TooLarge
}
