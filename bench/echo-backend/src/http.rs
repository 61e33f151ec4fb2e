//! The server behind Streamable HTTP.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::rpc::{Answer, Envelope, Eras, MODERN, Params, Server, error};

/// What a request that breaks a rule is answered with.
type Refusal = (StatusCode, Vec<u8>);
type Body = BoxBody<Bytes, Infallible>;

pub(crate) async fn run(server: Rc<Server>, addr: &str, is_sse: bool) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(addr).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let server = Rc::clone(&server);
        tokio::task::spawn_local(async move {
            let service = hyper::service::service_fn(move |request| {
                let server = Rc::clone(&server);
                async move { Ok::<_, Infallible>(handle(&server, request, is_sse).await) }
            });
            let io = hyper_util::rt::TokioIo::new(socket);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

async fn handle(server: &Server, request: Request<Incoming>, is_sse: bool) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let session = header(&parts.headers, "mcp-session-id");
    match (parts.method, session) {
        (Method::POST, _) => {}
        (Method::GET, Some(_)) if server.options.is_stateful => return respond("text/event-stream", StreamBody::new(Quiet).boxed()),
        (Method::DELETE, Some(id)) if server.options.is_stateful => {
            server.close_session(id);
            return json(StatusCode::OK, b"{}".to_vec());
        }
        _ => return json(StatusCode::METHOD_NOT_ALLOWED, error(None, -32000, "Method not allowed")),
    }
    let Ok(body) = body.collect().await else { return json(StatusCode::BAD_REQUEST, error(None, -32700, "body")) };
    if parts.uri.path() == "/v1/traces" {
        return respond("application/x-protobuf", Full::new(Bytes::new()).boxed());
    }
    let body = body.to_bytes();
    match post(server, &parts.headers, &body) {
        Err((status, text)) => json(status, text),
        Ok((Answer::None, _)) => {
            let mut response = Response::new(Full::new(Bytes::new()).boxed());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Ok((Answer::Reply(text), known)) if known => reply(text, is_sse),
        Ok((Answer::Reply(text), _)) => json(StatusCode::NOT_FOUND, text),
        Ok((Answer::Slow(text, ms), _)) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            reply(text, is_sse)
        }
        Ok((Answer::Session(text), _)) => {
            let mut response = reply(text, is_sse);
            if server.options.is_stateful
                && let Ok(id) = HeaderValue::from_str(&server.open_session())
            {
                response.headers_mut().insert("mcp-session-id", id);
            }
            response
        }
    }
}

/// Checks what the revision asks of a POST, then answers; the flag is whether the method is known.
fn post(server: &Server, headers: &HeaderMap, body: &Bytes) -> Result<(Answer, bool), Refusal> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| refuse(None, -32700, "Parse error"))?;
    let params: Params<'_> = match envelope.params {
        Some(text) => serde_json::from_str(text.get()).map_err(|_| refuse(None, -32602, "params"))?,
        None => Params::default(),
    };
    let modern = header(headers, "mcp-protocol-version") == Some(MODERN);
    let id = envelope.id.map(|id| id.get());
    let method = envelope.method.as_deref();
    if modern && server.options.eras == Eras::Legacy {
        return Err(refuse(id, -32000, "Bad Request: Unsupported protocol version"));
    }
    if modern && id.is_some() {
        let is_named = method != Some("tools/call") || header(headers, "mcp-name") == params.name.as_deref();
        if header(headers, "mcp-method") != method || !is_named || !params.is_modern() {
            return Err(refuse(id, -32020, "Header mismatch"));
        }
    }
    if !modern && server.options.is_stateful && method != Some("initialize") {
        match header(headers, "mcp-session-id") {
            None => return Err(refuse(id, -32000, "Session id required")),
            Some(session) if !server.has_session(session) => {
                return Err((StatusCode::NOT_FOUND, error(id, -32001, "Session not found")));
            }
            Some(_) => {}
        }
    }
    let known = !modern || method.is_none_or(Server::knows);
    Ok((server.answer(&envelope, &params, modern), known))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refuse(id: Option<&str>, code: i32, message: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, error(id, code, message))
}

fn json(status: StatusCode, text: Vec<u8>) -> Response<Body> {
    let mut response = respond("application/json", Full::new(Bytes::from(text)).boxed());
    *response.status_mut() = status;
    response
}

fn reply(json: Vec<u8>, is_sse: bool) -> Response<Body> {
    if !is_sse {
        return respond("application/json", Full::new(Bytes::from(json)).boxed());
    }
    let event = [b"event: message\ndata: ".as_slice(), &json, b"\n\n"].concat();
    // A stream body: sent chunked, as SDK servers send it.
    respond("text/event-stream", StreamBody::new(Once(Some(event.into()))).boxed())
}

fn respond(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Never yields: the standalone GET stream of the older revisions.
struct Quiet;

impl futures_core::Stream for Quiet {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}
