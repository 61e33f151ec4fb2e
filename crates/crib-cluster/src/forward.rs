//! One request handed to another replica, and its answer.

use std::time::{Duration, Instant};

use crib_mcp::Chunks;
use crib_model::{Answer, Astray, Carrier, Code, Fault, Inbound, Scope, Verb, limits};
use crib_transport::{Endpoint, HttpClient, Received, SendError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::frames::{self, Gone};

/// Proves that a request comes from a replica.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("toolcrib-replica");
/// Longest wait for an answer; the replica that has the call keeps its deadlines, and is watched meanwhile.
const ANSWER_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Fields about one connection, and those this hop writes itself.
const DROPPED: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    PROOF,
];

/// What a client is told of the head of an answer; the rest is between the replicas.
const KEPT: [HeaderName; 4] =
    [HeaderName::from_static("mcp-session-id"), header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::CONTENT_TYPE];

/// Sends the request and reads the answer, or its beginning where it is a stream.
pub(crate) async fn send(
    http: &HttpClient,
    replica: &Endpoint,
    (inbound, proof): (Inbound, String),
    gone: impl Fn() -> Gone,
) -> Result<Answer, Astray> {
    let path = path(&inbound);
    let endpoint = replica.join(&path).map_err(Astray::Unreachable)?;
    let Inbound { verb, mut headers, body, .. } = inbound;
    for name in DROPPED {
        headers.remove(name);
    }
    headers.extend(HeaderValue::try_from(proof).ok().map(|proof| (PROOF, proof)));
    let method = match verb {
        Verb::Post => Method::POST,
        Verb::Get => Method::GET,
        Verb::Delete => Method::DELETE,
    };
    let sending = http.send(&endpoint, method, headers, Chunks::from(body), Instant::now() + ANSWER_WAIT);
    let received = tokio::select! {
        received = sending => received.map_err(|error| astray(&error))?,
        () = gone() => return Err(Astray::Gone),
    };
    let Received { status, headers: head, body } = received;
    let is_stream = head.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let mut headers = kept(&head);
    if is_stream && status == 200 {
        headers.remove(header::CONTENT_TYPE);
        return Ok(Answer::Stream { headers, frames: frames::read(body, gone()) });
    }
    let body = tokio::select! {
        body = body.collect(limits::UPSTREAM_MESSAGE_BYTES_MAX * 2) => body.map_err(|error| astray(&error))?,
        () = gone() => return Err(Astray::Gone),
    };
    Ok(Answer::Message { status, headers, body: body.into() })
}

fn path(inbound: &Inbound) -> String {
    let path = match &inbound.scope {
        Scope::All => "/mcp".to_owned(),
        Scope::One(slug) => format!("/mcp/{slug}"),
    };
    match &inbound.carrier {
        // An id that names a replica has nothing in it that would have to be encoded, or it names no session.
        Carrier::Sse { session: Some(session) } => format!("{path}?sessionId={}", encoded(session)),
        Carrier::Sse { session: None } | Carrier::Http | Carrier::Stdio(_) | Carrier::Socket(_) => path,
    }
}

/// Keeps what may stand in a query; the rest would name no session anyway.
fn encoded(session: &str) -> String {
    session.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect()
}

fn kept(head: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in KEPT {
        if let Some(value) = head.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

fn astray(error: &SendError) -> Astray {
    let fault = |text: &'static str| Fault::new(Code::ReplicaUnreachable, text).because(error);
    match error {
        // Nobody listens where it was: what it held is gone.
        SendError::Connect(_) => Astray::Gone,
        SendError::Lost(_) | SendError::Broken(_) => {
            Astray::Lost(fault("the replica that has the session ended in the middle of the call"))
        }
        SendError::TimedOut => Astray::Lost(fault("the replica that has the session did not answer in time")),
        SendError::TooLarge(_) | SendError::NotHttp(_) => {
            Astray::Lost(fault("the replica that has the session answered with something else"))
        }
    }
}
