//! The floor: what a proxy on hyper costs that only finds method and name, and passes everything on.
//!
//! `mcp-floor --listen 127.0.0.1:8200 --upstream 127.0.0.1:9100`
//!
//! A measuring tool, not a gateway: no policy, no keys, one upstream, one thread, loopback only.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The part of a message that a gateway must read; the rest is skipped, not parsed into a tree.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, rename = "id")]
    _id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

struct Proxy {
    upstream: String,
    host: HeaderValue,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    calls: RefCell<HashMap<String, u64>>,
}

/// An answer's body that gives its connection back when it has been read.
struct Leased {
    body: Incoming,
    lease: Option<SendRequest<Full<Bytes>>>,
    proxy: Rc<Proxy>,
}

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take().filter(|lease| !lease.is_closed()) {
            self.proxy.idle.borrow_mut().push(lease);
        }
    }
}

impl Body for Leased {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Proxy {
    async fn handle(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Leased>> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        self.count(&body);
        parts.headers.remove(CONNECTION);
        parts.headers.remove(TRANSFER_ENCODING);
        parts.headers.insert(HOST, self.host.clone());
        let mut sender = self.connection().await?;
        let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
        Ok(response.map(|body| Leased { body, lease: Some(sender), proxy: self }))
    }

    fn count(&self, body: &Bytes) {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(body) else { return };
        let name = envelope.params.and_then(|params| params.name).or(envelope.method).unwrap_or_default();
        let mut calls = self.calls.borrow_mut();
        match calls.get_mut(&*name) {
            Some(count) => *count += 1,
            None => drop(calls.insert(name.into_owned(), 1)),
        }
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let Some(mut idle) = idle else { break };
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let socket = TcpStream::connect(&self.upstream).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}

async fn serve(listen: String, proxy: Rc<Proxy>) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let proxy = Rc::clone(&proxy);
        tokio::task::spawn_local(async move {
            let service = hyper::service::service_fn(move |request| Rc::clone(&proxy).handle(request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn main() -> Result<()> {
    let (mut listen, mut upstream) = (String::from("127.0.0.1:8200"), String::from("127.0.0.1:9100"));
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().with_context(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--listen" => listen = value,
            "--upstream" => upstream = value,
            _ => bail!("unknown argument `{arg}`"),
        }
    }
    let host = HeaderValue::from_str(&upstream)?;
    let proxy = Rc::new(Proxy { upstream, host, idle: RefCell::default(), calls: RefCell::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(listen, proxy))
}
