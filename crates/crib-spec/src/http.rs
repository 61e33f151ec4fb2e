//! A bare HTTP/1.1 client: one connection, every header as given, bodies and event streams read as they come.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_util::task::TaskTracker;

use crate::wait::{SOON, within};

/// One keep-alive connection; dropping it closes the socket.
#[derive(Debug)]
pub struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

/// A response whose body has not been read.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    text: Vec<u8>,
    limit: Duration,
    // Keeps the connection of a one-off request open until the body is read or dropped.
    wire: Option<Wire>,
}

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field.
    pub event: Option<String>,
    /// The `id` field.
    pub id: Option<String>,
    /// The `retry` field.
    pub retry: Option<u64>,
    /// The `data` lines, joined.
    pub data: String,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Wire {
    /// Connects to `address`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The end of a connection is seen by the request that needs it.
        let driver = TaskTracker::new().spawn(async move { connection.await.unwrap_or_default() });
        Ok(Self { sender, driver })
    }

    /// Sends one request and returns once the head of the answer is there.
    ///
    /// # Errors
    /// When the connection breaks or no answer comes in time.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response> {
        let request = request.map(Full::new);
        within(SOON, "connection ready", self.sender.ready()).await??;
        let response = within(Duration::from_secs(60), "answer", self.sender.send_request(request)).await??;
        let (head, body) = response.into_parts();
        Ok(Response { status: head.status.as_u16(), headers: head.headers, body, text: Vec::new(), limit: SOON, wire: None })
    }
}

/// Sends one request over a connection of its own.
///
/// # Errors
/// When the connection breaks or no answer comes in time.
pub async fn once(address: SocketAddr, request: Request<Bytes>) -> Result<Response> {
    let mut wire = Wire::open(address).await?;
    let mut response = wire.send(request).await?;
    response.wire = Some(wire);
    Ok(response)
}

/// Builds a request to `path` with exactly these headers, and `Host`.
///
/// # Errors
/// When a header is not valid.
pub fn request(method: Method, address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Request<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).body(Bytes::from(body.to_owned()))?;
    let map = request.headers_mut();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        map.insert("host", HeaderValue::from_str(&address.to_string())?);
    }
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value.as_bytes())?);
    }
    Ok(request)
}

impl Response {
    /// Sets how long one read may take.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Returns a header as text, empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the body is an event stream.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.header("content-type").starts_with("text/event-stream")
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// When the connection breaks or the body does not end in time.
    pub async fn bytes(mut self) -> Result<Vec<u8>> {
        while let Some(chunk) = self.chunk().await? {
            self.text.extend_from_slice(&chunk);
        }
        Ok(std::mem::take(&mut self.text))
    }

    /// Reads the rest of the body as text.
    ///
    /// # Errors
    /// When the connection breaks, or the body is not UTF-8 or does not end in time.
    pub async fn text(self) -> Result<String> {
        Ok(String::from_utf8(self.bytes().await?)?)
    }

    /// Reads the body as JSON; of a stream, the last message.
    ///
    /// # Errors
    /// When the body cannot be read or parsed.
    pub async fn json(self) -> Result<Value> {
        let (status, stream) = (self.status, self.is_stream());
        if stream {
            return self.messages().await?.pop().context("the stream ended without a message");
        }
        let text = self.text().await?;
        serde_json::from_str(&text).with_context(|| format!("HTTP {status}: not JSON: {text:?}"))
    }

    /// Reads the body to its end and returns the JSON in it as it came; of a stream, the last message.
    ///
    /// # Errors
    /// When the body cannot be read, or a stream has no message.
    pub async fn last_text(mut self) -> Result<String> {
        if !self.is_stream() {
            return self.text().await;
        }
        let mut last = None;
        while let Some(event) = self.event().await? {
            last = Some(event.data).filter(|data| !data.is_empty()).or(last);
        }
        last.context("the stream ended without a message")
    }

    /// Reads a stream to its end and returns all its messages; of a JSON body, the one message.
    ///
    /// # Errors
    /// When the body cannot be read or parsed.
    pub async fn messages(mut self) -> Result<Vec<Value>> {
        if !self.is_stream() {
            return Ok(vec![self.json_body().await?]);
        }
        let mut messages = Vec::new();
        while let Some(message) = self.message().await? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// Returns the next message of a stream (events without data are passed over), or the JSON body.
    ///
    /// # Errors
    /// When the body cannot be read or parsed, or nothing comes in time.
    pub async fn message(&mut self) -> Result<Option<Value>> {
        if !self.is_stream() {
            return Ok(Some(self.json_body().await?));
        }
        while let Some(event) = self.event().await? {
            if !event.data.is_empty() {
                return Ok(Some(serde_json::from_str(&event.data).with_context(|| format!("not JSON: {:?}", event.data))?));
            }
        }
        Ok(None)
    }

    /// Returns the next event of a stream, with data or without; comments are passed over.
    ///
    /// # Errors
    /// When the connection breaks or nothing comes in time.
    pub async fn event(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.buffered_event() {
                return Ok(Some(event));
            }
            match self.chunk().await? {
                Some(chunk) => self.text.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Returns the next piece of the body.
    ///
    /// # Errors
    /// When the connection breaks or nothing comes in time.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            match within(self.limit, "body", self.body.frame()).await? {
                None => return Ok(None),
                Some(Err(error)) => bail!("body: {error}"),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    async fn json_body(&mut self) -> Result<Value> {
        while let Some(chunk) = self.chunk().await? {
            self.text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(std::mem::take(&mut self.text))?;
        serde_json::from_str(&text).with_context(|| format!("HTTP {}: not JSON: {text:?}", self.status))
    }

    fn buffered_event(&mut self) -> Option<Event> {
        loop {
            let (end, width) = boundary(&self.text)?;
            let block: Vec<u8> = self.text.drain(..end + width).collect();
            let block = String::from_utf8_lossy(&block).into_owned();
            if let Some(event) = parse_event(&block) {
                return Some(event);
            }
        }
    }
}

fn boundary(text: &[u8]) -> Option<(usize, usize)> {
    let find = |mark: &[u8]| text.windows(mark.len()).position(|part| part == mark).map(|at| (at, mark.len()));
    match (find(b"\n\n"), find(b"\r\n\r\n")) {
        (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn parse_event(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let (mut seen, mut data) = (false, Vec::new());
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        seen = true;
        match field {
            "event" => event.event = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = value.parse().ok(),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    seen.then_some(event)
}
