//! Streamable HTTP of both eras.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use crib_mcp::Chunks;
use crib_mcp::header as mcp;
use crib_mcp::sse::SseDecoder;
use crib_model::{BoxFuture, Code, Fault, limits};
use crib_transport::{Endpoint, HttpClient, Incoming, Received};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Ended, Heard, Outgoing, Reports, Wire};
use crate::tap::masked;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// Largest text of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Longest pause before a broken stream is taken up again.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a stream is taken up again.
const RESUMES_MAX: usize = 8;

/// Where requests go, and what goes with them.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) http: HttpClient,
    pub(crate) url: Endpoint,
    /// What the user configured.
    pub(crate) own: Vec<(String, String)>,
}

/// A conversation over Streamable HTTP.
pub(crate) struct HttpWire(Arc<Inner>);

struct Inner {
    place: Place,
    reports: Reports,
    tracker: TaskTracker,
    session: OnceLock<HeaderValue>,
    revision: OnceLock<HeaderValue>,
    is_heard: AtomicBool,
    closing: CancellationToken,
}

/// How a stream of events ended.
struct Paused {
    last: Option<String>,
    retry: Duration,
}

// === impl Place ===

impl Place {
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.own {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        headers
    }

    pub(crate) async fn post(&self, headers: HeaderMap, text: &Bytes, deadline: Instant) -> Result<Received, Fault> {
        let sent = self.http.send(&self.url, Method::POST, headers, Chunks::from(text.clone()), deadline).await;
        sent.map_err(|error| error.to_fault(&self.name))
    }

    /// Names an HTTP status that is no answer.
    pub(crate) fn refused(&self, status: u16, text: &[u8]) -> Fault {
        let code = if matches!(status, 401 | 403) { Code::UpstreamUnauthorized } else { Code::UpstreamStatus };
        let fault = Fault::new(code, format!("`{}` answered with HTTP {status}", self.name));
        let said: String = String::from_utf8_lossy(text).chars().take(300).collect();
        if said.trim().is_empty() { fault } else { fault.because(crib_registry::pins::visible(said.trim())) }
    }
}

// === impl HttpWire ===

impl HttpWire {
    pub(crate) fn new(place: Place, reports: Reports, tracker: &TaskTracker) -> Arc<Self> {
        Arc::new(Self(Arc::new(Inner {
            place,
            reports,
            tracker: tracker.clone(),
            session: OnceLock::new(),
            revision: OnceLock::new(),
            is_heard: AtomicBool::new(false),
            closing: CancellationToken::new(),
        })))
    }
}

impl Wire for HttpWire {
    fn transport(&self) -> &'static str {
        self.0.reports.transport
    }

    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<(), Fault>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            match outgoing.id {
                // The answer comes with the response; others may be asked meanwhile.
                Some(id) => {
                    let tracker = inner.tracker.clone();
                    tracker.spawn(async move { inner.ask(id, outgoing).await });
                    Ok(())
                }
                None => inner.notify(outgoing).await,
            }
        })
    }

    fn settled(&self, revision: &str) {
        if let Ok(value) = HeaderValue::from_str(revision) {
            self.0.revision.get_or_init(|| value);
        }
    }

    fn hear(&self) {
        if !self.0.is_heard.swap(true, Ordering::Relaxed) {
            let inner = Arc::clone(&self.0);
            self.0.tracker.spawn(async move { inner.listen().await });
        }
    }

    fn close(&self) -> BoxFuture<'_, Ended> {
        Box::pin(async move {
            let begin = Instant::now();
            self.0.closing.cancel();
            let mut status = None;
            if self.0.session.get().is_some() {
                let deadline = begin + limits::STOP_GRACE;
                let sent = self.0.place.http.send(&self.0.place.url, Method::DELETE, self.0.headers(), Chunks::default(), deadline).await;
                status = sent.ok().map(|received| format!("HTTP {}", received.status));
            }
            Ended { after: begin.elapsed(), by_itself: None, status }
        })
    }
}

// === impl Inner ===

impl Inner {
    fn headers(&self) -> HeaderMap {
        let mut headers = self.place.headers();
        if let Some(session) = self.session.get() {
            headers.insert(SESSION, session.clone());
        }
        if let Some(revision) = self.revision.get() {
            headers.insert(mcp::PROTOCOL_VERSION, revision.clone());
        }
        headers
    }

    async fn notify(&self, outgoing: Outgoing) -> Result<(), Fault> {
        let mut headers = self.headers();
        headers.extend(outgoing.headers);
        self.reports.sent(&outgoing.text, masked(&headers, &self.place.own));
        let received = self.place.post(headers, &outgoing.text, outgoing.deadline).await?;
        let status = received.status;
        if !(200..300).contains(&status) {
            let text = received.body.collect(REFUSAL_BYTES_MAX).await.unwrap_or_default();
            return Err(self.place.refused(status, &text));
        }
        Ok(())
    }

    async fn ask(&self, id: u64, outgoing: Outgoing) {
        let cancelled = outgoing.cancelled.clone();
        let lost = tokio::select! {
            // Dropping the exchange closes the connection, which is how a modern server learns of it.
            () = cancelled.cancelled() => return,
            () = self.closing.cancelled() => return,
            result = self.exchange(id, outgoing) => result,
        };
        if let Err((fault, status)) = lost {
            self.reports.tell(Heard::Lost { of: id, fault, status }).await;
        }
    }

    async fn exchange(&self, id: u64, outgoing: Outgoing) -> Result<(), (Fault, Option<u16>)> {
        let mut headers = self.headers();
        headers.extend(outgoing.headers);
        self.reports.sent(&outgoing.text, masked(&headers, &self.place.own));
        let received = self.place.post(headers, &outgoing.text, outgoing.deadline).await.map_err(|fault| (fault, None))?;
        if let Some(session) = received.headers.get(SESSION) {
            self.session.get_or_init(|| session.clone());
        }
        let status = received.status;
        self.read(id, received).await.map_err(|fault| (fault, Some(status)))
    }

    async fn read(&self, id: u64, received: Received) -> Result<(), Fault> {
        let status = received.status;
        if is_events(&received.headers) {
            return self.follow(id, received).await;
        }
        let shown = masked(&received.headers, &self.place.own);
        let max = if status < 300 { limits::UPSTREAM_MESSAGE_BYTES_MAX } else { REFUSAL_BYTES_MAX };
        let text = received.body.collect(max).await.map_err(|error| error.to_fault(&self.place.name))?;
        let is_message = crib_mcp::Message::parse(&text).is_ok();
        if !text.is_empty() {
            self.reports.received(&text, Some(status), shown);
        }
        if is_message {
            self.reports.tell(Heard::Message { text, of: Some(id), status: Some(status) }).await;
            return Ok(());
        }
        if (200..300).contains(&status) {
            return Err(Fault::new(Code::ProtocolBroken, format!("`{}` answered with something that is no message", self.place.name)));
        }
        Err(self.place.refused(status, &text))
    }

    /// Reads a stream until it ends, and takes it up again where the server closed it before the answer.
    async fn follow(&self, id: u64, mut received: Received) -> Result<(), Fault> {
        for _ in 0..RESUMES_MAX {
            let shown = masked(&received.headers, &self.place.own);
            let status = received.status;
            let Some(paused) = self.events(Some(id), received.body, (status, shown)).await? else { return Ok(()) };
            let Some(last) = paused.last else { break };
            tokio::time::sleep(paused.retry).await;
            received = self.get(Some(&last)).await?;
            if !is_events(&received.headers) {
                break;
            }
        }
        Err(Fault::new(Code::ServerGone, format!("`{}` ended the stream before the answer", self.place.name)))
    }

    /// Delivers events; returns where it stopped when the answer to the request has not come.
    async fn events(&self, id: Option<u64>, mut body: Incoming, head: (u16, Vec<(String, String)>)) -> Result<Option<Paused>, Fault> {
        let (status, mut shown) = head;
        let mut decoder = SseDecoder::new(limits::UPSTREAM_MESSAGE_BYTES_MAX);
        let mut paused = Paused { last: None, retry: Duration::from_secs(1) };
        loop {
            let chunk = match body.chunk().await {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) if paused.last.is_none() => return Err(error.to_fault(&self.place.name)),
                Some(Err(_)) | None => return Ok(Some(paused)),
            };
            let too_large = |_| Fault::new(Code::MessageTooLarge, format!("`{}` sent too large an event", self.place.name));
            decoder.push(&chunk).map_err(too_large)?;
            for event in decoder.by_ref() {
                paused.last = event.id.or(paused.last);
                paused.retry = event.retry_ms.map_or(paused.retry, Duration::from_millis).min(RETRY_MAX);
                if event.data.is_empty() {
                    continue;
                }
                self.reports.received(&event.data, Some(status), std::mem::take(&mut shown));
                let is_answer = id.is_some_and(|id| is_answer_to(&event.data, id));
                self.reports.tell(Heard::Message { text: event.data, of: id, status: Some(status) }).await;
                if is_answer {
                    return Ok(None);
                }
            }
        }
    }

    /// Opens the stream for what belongs to no request.
    async fn listen(&self) {
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = async {
                let mut last = None;
                for _ in 0..RESUMES_MAX {
                    let Ok(received) = self.get(last.as_deref()).await else { return };
                    if received.status != 200 || !is_events(&received.headers) {
                        return;
                    }
                    let Ok(Some(paused)) = self.events(None, received.body, (200, Vec::new())).await else { return };
                    tokio::time::sleep(paused.retry).await;
                    last = paused.last;
                }
            } => {}
        }
    }

    async fn get(&self, last: Option<&str>) -> Result<Received, Fault> {
        let mut headers = self.headers();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(Ok(last)) = last.map(HeaderValue::from_str) {
            headers.insert(LAST_EVENT, last);
        }
        let deadline = Instant::now() + limits::START_TIMEOUT;
        let sent = self.place.http.send(&self.place.url, Method::GET, headers, Chunks::default(), deadline).await;
        sent.map_err(|error| error.to_fault(&self.place.name))
    }
}

pub(super) fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}

fn is_answer_to(text: &Bytes, id: u64) -> bool {
    match crib_mcp::Message::parse(text) {
        Ok(crib_mcp::Message::Response(response)) => response.id.is_none_or(|answered| answered.as_u64() == Some(id)),
        Ok(crib_mcp::Message::Request(_) | crib_mcp::Message::Notification(_)) | Err(_) => false,
    }
}
