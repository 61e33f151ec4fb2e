//! The event stream of another replica as the frames of an answer: ids and reconnection times are kept.

use std::pin::Pin;

use crib_mcp::sse::{SseDecoder, SseEvent};
use crib_model::{Frame, Frames, limits};
use crib_transport::Incoming;
use futures_util::{StreamExt as _, stream};

/// Becomes ready when the replica does not run any more.
pub(crate) type Gone = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Reading {
    body: Incoming,
    decoder: SseDecoder,
    /// Nothing more comes from the body.
    is_over: bool,
}

/// Reads a stream until it ends or its replica is gone. Dropping it closes the connection.
pub(crate) fn read(body: Incoming, gone: Gone) -> Frames {
    let reading = Reading { body, decoder: SseDecoder::new(limits::UPSTREAM_MESSAGE_BYTES_MAX), is_over: false };
    let frames = stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(event) = reading.decoder.next() {
                return Some((frame(event), reading));
            }
            if reading.is_over {
                return None;
            }
            match reading.body.chunk().await {
                // What is too large to read ends the stream behind what came before.
                Some(Ok(chunk)) => reading.is_over = reading.decoder.push(&chunk).is_err(),
                // An event that was cut off is none: its client comes back for it.
                Some(Err(_)) | None => reading.is_over = true,
            }
        }
    });
    Box::pin(frames.take_until(gone))
}

fn frame(event: SseEvent) -> Frame {
    let SseEvent { event, id, retry_ms, data } = event;
    let event = event.and_then(|event| ["message", "endpoint"].into_iter().find(|known| *known == event));
    Frame { event, id, retry_ms, data: data.into() }
}
