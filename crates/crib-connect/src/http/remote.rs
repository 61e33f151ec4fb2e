//! Where a server is, and what goes with every request to it.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use crib_mcp::Chunks;
use crib_model::{Fault, Slug};
use crib_transport::{Endpoint, HttpClient, Received};
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use parking_lot::RwLock;
use tokio_util::task::TaskTracker;

/// How many redirections in a row are followed.
const REDIRECTS_MAX: usize = 3;

#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) slug: Slug,
    pub(crate) tracker: TaskTracker,
    http: HttpClient,
    headers: HeaderMap,
    /// As configured, or where a redirection led.
    url: Arc<RwLock<Endpoint>>,
}

/// One request, to be sent wherever the server is.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Chunks,
    pub(super) deadline: Instant,
}

impl Remote {
    pub(crate) fn new(slug: Slug, url: Endpoint, configured: &[(String, String)], (http, tracker): (HttpClient, TaskTracker)) -> Self {
        Self { slug, tracker, http, headers: base_headers(configured), url: Arc::new(RwLock::new(url)) }
    }

    pub(super) fn url(&self) -> Endpoint {
        self.url.read().clone()
    }

    /// Returns the headers of a POST: what the transport wants, and what the configuration adds.
    pub(super) fn post_headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends a request to the URL of the server.
    ///
    /// A redirection that keeps the method is followed within the origin: many servers want a slash at the end.
    ///
    /// The request is made anew for each try, so that the usual one costs no copy of its headers.
    pub(super) fn send<'s, F>(&'s self, make: F) -> impl Future<Output = Result<Received, Fault>> + Send + use<'s, F>
    where
        F: Fn() -> Outgoing + Send + Sync + 's,
    {
        let url = self.url();
        // Not an `async` block, which would have room for the first try twice.
        self.send_to(&url, make()).and_then(move |received| match redirection(&url, &received) {
            None => Either::Left(ready(Ok(received))),
            Some(next) => Either::Right(Box::pin(self.follow(next, received, make))),
        })
    }

    /// Goes where an answer points, some times in a row.
    async fn follow(
        &self,
        mut next: Endpoint,
        mut received: Received,
        make: impl Fn() -> Outgoing + Send + Sync,
    ) -> Result<Received, Fault> {
        for _ in 0..REDIRECTS_MAX {
            received = self.send_to(&next, make()).await?;
            self.url.write().clone_from(&next);
            match redirection(&next, &received) {
                Some(further) => next = further,
                None => break,
            }
        }
        Ok(received)
    }

    pub(super) fn send_to(&self, url: &Endpoint, outgoing: Outgoing) -> impl Future<Output = Result<Received, Fault>> + Send + use<'_> {
        let Outgoing { method, headers, body, deadline } = outgoing;
        self.http.send(url, method, headers, body, deadline).map_err(|error| error.to_fault(self.slug.as_str()))
    }
}

impl Outgoing {
    pub(super) fn post(headers: HeaderMap, body: Chunks, deadline: Instant) -> Self {
        Self { method: Method::POST, headers, body, deadline }
    }

    /// A request without a body.
    pub(super) fn bare(method: Method, headers: HeaderMap, deadline: Instant) -> Self {
        Self { method, headers, body: Chunks::default(), deadline }
    }
}

/// Returns where an answer points, if the request may go there with its credentials.
fn redirection(url: &Endpoint, received: &Received) -> Option<Endpoint> {
    if !matches!(received.status, 307 | 308) {
        return None;
    }
    let next = url.join(received.headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    (next.is_same_origin(url) && next != *url).then_some(next)
}

fn base_headers(configured: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    // The client sets these for each request: they are here so that a copy has room for them.
    headers.insert(header::HOST, HeaderValue::from_static(""));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in configured {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => tracing::warn!(header = name, "not a valid HTTP header; it is not sent"),
        }
    }
    headers
}
