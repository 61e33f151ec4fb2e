//! HTTP answers, sorted: what is a message, what is a stream, what is a refusal.

use std::collections::VecDeque;
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::sse::{SseDecoder, SseEvent};
use crib_model::limits::UPSTREAM_MESSAGE_BYTES_MAX;
use crib_model::{Code, Fault, Slug};
use crib_transport::{Incoming, Received};
use futures_util::FutureExt;
use http::{HeaderMap, header};
use tokio_util::task::TaskTracker;

/// Longest body of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// How long a server may take to end a stream after the answer, before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// What the body of an answer is.
pub(super) enum Body {
    /// One message, or a batch.
    Message(Bytes),
    Events(Box<Events>),
    /// Accepted; nothing to read.
    Nothing,
}

/// The events of an answer.
pub(super) struct Events {
    incoming: Incoming,
    decoder: SseDecoder,
    ready: VecDeque<SseEvent>,
}

/// Reads the body of a successful answer, as far as that needs no patience.
pub(super) fn read(slug: &Slug, received: Received) -> impl Future<Output = Result<Body, Fault>> + Send + use<'_> {
    let Received { headers, body, .. } = received;
    let is_stream = is(&headers, "text/event-stream");
    async move {
        if is_stream {
            return Ok(Body::Events(Box::new(Events::new(body))));
        }
        let text = body.collect(UPSTREAM_MESSAGE_BYTES_MAX).await.map_err(|error| error.to_fault(slug.as_str()))?;
        Ok(if text.iter().all(u8::is_ascii_whitespace) { Body::Nothing } else { Body::Message(text) })
    }
}

/// Reads the body of a refusal; what cannot be read is empty.
pub(super) async fn read_refusal(received: Received) -> Bytes {
    received.body.collect(REFUSAL_BYTES_MAX).await.unwrap_or_default()
}

fn is(headers: &HeaderMap, kind: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(kind))
}

/// The server answered with a status that is no answer.
pub(super) fn status_fault(slug: &Slug, status: u16, body: &Bytes) -> Fault {
    let fault = match status {
        401 | 403 => Fault::new(Code::UpstreamUnauthorized, format!("`{slug}` refused the gateway's credentials (HTTP {status})"))
            .hint(format!("give `{slug}` a valid credential, e.g. an `Authorization` header in its configuration")),
        _ => Fault::new(Code::UpstreamStatus, format!("`{slug}` answered with HTTP status {status}")),
    };
    let text = String::from_utf8_lossy(body);
    let first: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    if first.is_empty() || first.starts_with('<') { fault } else { fault.because(first) }
}

// === impl Events ===

impl Events {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming, decoder: SseDecoder::new(UPSTREAM_MESSAGE_BYTES_MAX), ready: VecDeque::new() }
    }

    /// Reads what is left behind the answer, usually nothing but its end: only a stream that was read to its end gives
    /// its connection back.
    pub(super) fn finish(mut self: Box<Self>, tracker: &TaskTracker) {
        let mut rest = Box::pin(async move { while let Some(Ok(_)) = self.incoming.chunk().await {} });
        if (&mut rest).now_or_never().is_none() {
            tracker.spawn(async move {
                let _ended = tokio::time::timeout(LINGER, rest).await.is_ok();
            });
        }
    }

    /// Waits for the next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self, slug: &Slug) -> Result<Option<SseEvent>, Fault> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.incoming.chunk().await else { return Ok(None) };
            let chunk = chunk.map_err(|error| error.to_fault(slug.as_str()))?;
            let pushed = self.decoder.push(&chunk);
            self.ready.extend(&mut self.decoder);
            if let (Err(error), true) = (pushed, self.ready.is_empty()) {
                let message = format!("`{slug}` sent too large a message");
                return Err(Fault::new(Code::MessageTooLarge, message).because(error));
            }
        }
    }
}

/// A deadline for what the gateway does on its own account.
pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
