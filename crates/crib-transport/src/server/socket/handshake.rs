//! The HTTP request that becomes a socket, or is refused as one.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crib_model::{Answer, Carrier, Code, Connection, Frames, Gateway, Scope, Verb};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Front;
use crate::conversation::{Party, next_connection};
use crate::server::endpoint::{self, Place};
use crate::server::exchange::Ends;
use crate::server::outgoing::Outgoing;
use crate::server::refusal::{JSON, Speech, refusal};
use crate::whole::Whole;

/// The subprotocol of MCP.
const PROTOCOL: &str = "mcp";
const VERSION: HeaderValue = HeaderValue::from_static("13");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// Largest request head; beyond it HTTP 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields of a request; beyond it HTTP 431.
const HEAD_FIELDS_MAX: usize = 100;
/// What each socket may hold before a system call: sockets are many and mostly silent.
const BUFFER_BYTES: usize = 16 * 1024;

type Refusal = Box<Response<Outgoing>>;

/// A client that was let in.
pub(super) struct Opened {
    pub(super) party: Party,
    /// The messages that answer nothing in particular.
    pub(super) frames: Frames,
    pub(super) line: OpenLine,
    pub(super) slot: OwnedSemaphorePermit,
}

/// What the gateway keeps for a connection; let go however the connection ends.
pub(super) struct OpenLine {
    gateway: Arc<dyn Gateway>,
    connection: Connection,
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        self.gateway.closed(self.connection);
    }
}

/// Reads one request and makes a socket of the connection, where that is what it asks for.
pub(super) async fn shake(front: &Arc<Front>, stream: TcpStream, ends: Ends) -> Option<(WebSocketStream<TcpStream>, Opened)> {
    let opened = Mutex::new(None);
    let service = service_fn(|request| async {
        Ok::<_, Infallible>(match open(front, ends, request).await {
            Ok((response, client)) => {
                *opened.lock() = Some(client);
                response
            }
            Err(mut refusal) => {
                refusal.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
                *refusal
            }
        })
    });
    let mut builder = http1::Builder::new();
    // The whole handshake has a deadline.
    builder.header_read_timeout(None).half_close(false);
    builder.max_headers(HEAD_FIELDS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let served = Box::pin(builder.serve_connection(TokioIo::new(stream), service).without_shutdown()).await;
    let parts = match served {
        Ok(parts) => parts,
        Err(error) => {
            tracing::debug!(peer = %ends.peer, %error, "a handshake failed");
            return None;
        }
    };
    let mut stream = parts.io.into_inner();
    let Some(opened) = opened.lock().take() else {
        stream.shutdown().await.ok();
        return None;
    };
    let max = front.options.message_bytes_max;
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    let config = config.max_message_size(Some(max)).max_frame_size(Some(max));
    let socket = WebSocketStream::from_partially_read(stream, parts.read_buf.into(), Role::Server, Some(config)).await;
    Some((socket, opened))
}

/// Judges the request.
async fn open(front: &Arc<Front>, ends: Ends, request: Request<Incoming>) -> Result<(Response<Outgoing>, Opened), Refusal> {
    let (head, body) = request.into_parts();
    let scope = scope(front, &head, ends.local)?;
    // What follows the head must be frames: another reader could take a body for them.
    if !body.is_end_stream() {
        return Err(refuse(StatusCode::BAD_REQUEST, None, "the request of a WebSocket has no body"));
    }
    let request = Request::from_parts(head, ());
    let mut response = create_response(&request).map_err(|error| upgrade_wanted(&error.to_string()))?;
    let headers = request.into_parts().0.headers;
    if !offers(&headers, PROTOCOL) {
        return Err(refuse(StatusCode::BAD_REQUEST, None, "the subprotocol must be `mcp`: send `Sec-WebSocket-Protocol: mcp`"));
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let Ok(slot) = Arc::clone(&front.sockets).try_acquire_owned() else {
        let text = format!("{} sockets are open, the most this gateway keeps", front.options.sockets_max);
        let mut refusal = refuse(StatusCode::SERVICE_UNAVAILABLE, Some(Code::TooBusy), &text);
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return Err(refusal);
    };
    let connection = next_connection();
    let party = Party { connection, carrier: Carrier::Socket(connection), scope, headers, peer: Some(ends.peer) };
    let line = OpenLine { gateway: Arc::clone(&front.gateway), connection };
    match front.gateway.receive(party.inbound(Verb::Get, Bytes::new())).await {
        Answer::Stream { frames, .. } => {
            let response = response.map(|()| Outgoing::Whole(Whole::default()));
            Ok((response, Opened { party, frames, line, slot }))
        }
        Answer::Message { status, headers, body } => {
            let mut response = Response::new(Outgoing::Whole(Whole::from(body)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            *response.headers_mut() = headers;
            response.headers_mut().entry(header::CONTENT_TYPE).or_insert(JSON);
            Err(Box::new(response))
        }
    }
}

/// Decides what needs no more than the head: whether the caller may be here, and what the path stands for.
fn scope(front: &Front, head: &Parts, local: IpAddr) -> Result<Scope, Refusal> {
    let refused = |field: &str| Err(refuse(StatusCode::FORBIDDEN, Some(Code::OriginRefused), &format!("{field} is not allowed")));
    if let Err(field) = front.guard.check(head, local) {
        return refused(field.field());
    }
    // A page may always read what comes over a socket, so that it must be one of those that may read answers.
    if head.headers.contains_key(header::ORIGIN) && front.guard.reader(&head.headers).is_none() {
        return refused("Origin");
    }
    match endpoint::place(head.uri.path()) {
        Place::Mcp(scope) => Ok(scope),
        Place::Nowhere => Err(refuse(StatusCode::NOT_FOUND, Some(Code::UnknownTarget), "no such server")),
        Place::Other => Err(refuse(StatusCode::NOT_FOUND, None, "WebSockets are served at `/mcp` and `/mcp/SERVER`")),
    }
}

fn offers(headers: &HeaderMap, protocol: &str) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|name| name.trim() == protocol)
}

fn refuse(status: StatusCode, code: Option<Code>, text: &str) -> Refusal {
    Box::new(refusal(Speech::Rpc, status, code, text.to_owned()))
}

fn upgrade_wanted(why: &str) -> Refusal {
    let mut refusal = refuse(StatusCode::UPGRADE_REQUIRED, None, &format!("only WebSockets are served here: {why}"));
    refusal.headers_mut().insert(header::UPGRADE, WEBSOCKET);
    refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    refusal.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, VERSION);
    refusal
}
