//! HTTP+SSE of 2024-11-05: one stream down, posts up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Chunks, ClientCaps};
use crib_model::limits::CALL_TIMEOUT;
use crib_model::{BoxFuture, Code, Fault};
use crib_transport::Endpoint;
use http::{HeaderMap, HeaderValue, header};

use super::answer::{self, Body, Events, status_fault};
use super::remote::{Outgoing, Remote};
use crate::outcome::broken;
use crate::session::legacy::{Session, silent};
use crate::session::link::{Carry, Link, Origin, Wire};
use crate::session::memory::Memory;

struct Channel {
    remote: Remote,
    /// Where the server wants messages to go.
    target: Endpoint,
}

struct ChannelWire(Arc<Channel>);

/// Opens the stream and shakes hands.
pub(super) async fn open(remote: &Remote, caps: &ClientCaps, memory: &Arc<Memory>, timeout: Duration) -> Result<Arc<Session>, Fault> {
    let slug = &remote.slug;
    let opening = tokio::time::timeout(timeout, connect(remote, Instant::now() + timeout)).await;
    let (events, target) = opening.map_err(|_elapsed| silent(slug, timeout))??;
    let wire = ChannelWire(Arc::new(Channel { remote: remote.clone(), target }));
    let link = Link::new(slug.clone(), caps, Arc::new(wire));
    remote.tracker.spawn(read(events, Arc::clone(&link)));
    let opened = Session::open(Arc::clone(&link), caps, memory, timeout).await;
    if let Err(fault) = &opened {
        // Ends the reader too.
        link.fail(fault);
    }
    opened
}

/// Waits for the event that says where to post.
async fn connect(remote: &Remote, deadline: Instant) -> Result<(Box<Events>, Endpoint), Fault> {
    let slug = &remote.slug;
    let mut headers = remote.post_headers();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    let received = remote.send(|| Outgoing::bare(http::Method::GET, headers.clone(), deadline)).await?;
    if received.status != 200 {
        let status = received.status;
        return Err(status_fault(slug, status, &answer::read_refusal(received).await));
    }
    let Body::Events(mut events) = answer::read(slug, received).await? else {
        return Err(broken(slug, "it answered GET with something that is no stream"));
    };
    while let Some(event) = events.next(slug).await? {
        if event.event.as_deref() != Some("endpoint") {
            continue;
        }
        let url = remote.url();
        let target = url.join(String::from_utf8_lossy(&event.data).trim())?;
        // Credentials go to the configured origin only.
        if !target.is_same_origin(&url) {
            return Err(broken(slug, "it wants messages sent to another origin"));
        }
        return Ok((events, target));
    }
    Err(broken(slug, "its stream ended before it said where to post"))
}

async fn read(mut events: Box<Events>, link: Arc<Link>) {
    let slug = link.slug.clone();
    let over = link.over().clone();
    let fault = loop {
        let event = tokio::select! {
            event = events.next(&slug) => event,
            () = over.cancelled() => return,
        };
        match event {
            Ok(Some(event)) if event.data.is_empty() => {}
            Ok(Some(event)) => link.deliver(&event.data, Origin::Shared),
            Ok(None) => break Fault::new(Code::ServerGone, format!("`{slug}` closed the stream in the middle of the call")),
            Err(fault) => break fault,
        }
    };
    link.fail(&fault);
}

// === impl Channel ===

impl Channel {
    async fn post(&self, message: Chunks, more: Option<Box<HeaderMap>>) -> Result<(), Fault> {
        let slug = &self.remote.slug;
        let mut headers = self.remote.post_headers();
        headers.extend(more.into_iter().flat_map(|more| *more));
        let deadline = Instant::now() + CALL_TIMEOUT;
        let received = self.remote.send_to(&self.target, Outgoing::post(headers, message, deadline)).await?;
        let status = received.status;
        let body = answer::read_refusal(received).await;
        if (200..300).contains(&status) { Ok(()) } else { Err(status_fault(slug, status, &body)) }
    }
}

impl Wire for ChannelWire {
    fn post(&self, message: Chunks) {
        let channel = Arc::clone(&self.0);
        self.0.remote.tracker.spawn(async move {
            if let Err(fault) = channel.post(message, None).await {
                tracing::debug!(upstream = %channel.remote.slug, %fault, "a message was not accepted");
            }
        });
    }

    fn send(&self, message: Chunks) -> Carry {
        let channel = Arc::clone(&self.0);
        Box::pin(async move { channel.post(message, None).await })
    }

    fn request(&self, _: &Arc<Link>, _: u64, message: Chunks, headers: Option<Box<HeaderMap>>) -> Option<Carry> {
        let channel = Arc::clone(&self.0);
        Some(Box::pin(async move { channel.post(message, headers).await }))
    }

    /// The reader ends with the link, and closes the stream.
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
