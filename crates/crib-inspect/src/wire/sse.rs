//! HTTP+SSE of 2024-11-05: one stream of events, and a URL that takes messages.

use std::sync::Arc;
use std::time::Instant;

use ::http::{HeaderValue, Method, header};
use crib_mcp::Chunks;
use crib_mcp::sse::SseDecoder;
use crib_model::{BoxFuture, Code, Fault, limits};
use crib_transport::{Endpoint, Incoming};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{Place, is_events};
use super::{Ended, Heard, Outgoing, Reports, Wire};
use crate::tap::masked;

/// A conversation over HTTP+SSE.
pub(crate) struct SseWire {
    place: Place,
    reports: Reports,
    closing: CancellationToken,
}

// === impl SseWire ===

impl SseWire {
    /// Opens the stream and waits for the URL that takes messages.
    pub(crate) async fn open(mut place: Place, reports: Reports, tracker: &TaskTracker, deadline: Instant) -> Result<Arc<Self>, Fault> {
        let mut headers = place.headers();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let sent = place.http.send(&place.url, Method::GET, headers, Chunks::default(), deadline).await;
        let received = sent.map_err(|error| error.to_fault(&place.name))?;
        if received.status != 200 || !is_events(&received.headers) {
            let status = received.status;
            let text = received.body.collect(64 * 1024).await.unwrap_or_default();
            return Err(place.refused(status, &text));
        }
        let mut stream = Stream { body: received.body, decoder: SseDecoder::new(limits::UPSTREAM_MESSAGE_BYTES_MAX) };
        let finding = async {
            while let Some(event) = stream.next().await {
                if event.event.as_deref() == Some("endpoint") {
                    return String::from_utf8(event.data.to_vec()).ok();
                }
            }
            None
        };
        let found = tokio::time::timeout_at(deadline.into(), finding).await.ok().flatten();
        let broken = || Fault::new(Code::ProtocolBroken, format!("`{}` opened a stream and named no endpoint", place.name));
        let url: Endpoint = place.url.join(found.ok_or_else(broken)?.trim())?;
        if !url.is_same_origin(&place.url) {
            let fault = Fault::new(Code::ProtocolBroken, format!("`{}` wants messages sent to another host", place.name));
            return Err(fault.because(&url));
        }
        place.url = url;
        let closing = CancellationToken::new();
        tracker.spawn(read(stream, place.name.clone(), reports.clone(), closing.clone()));
        Ok(Arc::new(Self { place, reports, closing }))
    }
}

impl Wire for SseWire {
    fn transport(&self) -> &'static str {
        self.reports.transport
    }

    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let headers = self.place.headers();
            self.reports.sent(&outgoing.text, masked(&headers, &self.place.own));
            let received = self.place.post(headers, &outgoing.text, outgoing.deadline).await?;
            let status = received.status;
            let text = received.body.collect(64 * 1024).await.unwrap_or_default();
            if (200..300).contains(&status) { Ok(()) } else { Err(self.place.refused(status, &text)) }
        })
    }

    fn close(&self) -> BoxFuture<'_, Ended> {
        self.closing.cancel();
        Box::pin(async { Ended::default() })
    }
}

struct Stream {
    body: Incoming,
    decoder: SseDecoder,
}

impl Stream {
    async fn next(&mut self) -> Option<crib_mcp::sse::SseEvent> {
        loop {
            if let Some(event) = self.decoder.next() {
                return Some(event);
            }
            let chunk = self.body.chunk().await?.ok()?;
            self.decoder.push(&chunk).ok()?;
        }
    }
}

async fn read(mut stream: Stream, name: String, reports: Reports, closing: CancellationToken) {
    let reading = async {
        while let Some(event) = stream.next().await {
            if !event.data.is_empty() {
                reports.received(&event.data, None, Vec::new());
                reports.tell(Heard::Message { text: event.data, of: None, status: None }).await;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = closing.cancelled() => {}
    }
    reports.tell(Heard::Ended(Fault::new(Code::ServerGone, format!("`{name}` ended the stream")))).await;
}
