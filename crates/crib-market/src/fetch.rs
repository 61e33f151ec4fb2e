//! One request to a registry.

use std::time::Instant;

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_transport::{Endpoint, HttpClient, Received, SendError};
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

/// Largest page: a hundred servers of a hundred kilobytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
const REDIRECTS_MAX: usize = 3;

/// What came back.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    /// How long the registry says that it stays true.
    pub(crate) max_age: Option<u64>,
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("it leads to {0}, where it must not")]
    Astray(String),
    #[error("it leads on and on")]
    Endless,
}

/// How a document is asked for.
pub(crate) struct Asked<'a> {
    /// They go to the first origin alone.
    pub(crate) credentials: &'a HeaderMap,
    /// What is known already.
    pub(crate) etag: Option<&'a str>,
    pub(crate) deadline: Instant,
}

/// Asks for a document.
pub(crate) async fn get(http: &HttpClient, endpoint: &Endpoint, asked: Asked<'_>) -> Result<Fetched, FetchError> {
    let Asked { credentials, etag, deadline } = asked;
    let mut target = endpoint.clone();
    for _ in 0..=REDIRECTS_MAX {
        let mut headers = if target.is_same_origin(endpoint) { credentials.clone() } else { HeaderMap::new() };
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("toolcrib/", env!("CARGO_PKG_VERSION"))));
        if let Some(etag) = etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(IF_NONE_MATCH, etag);
        }
        let received = http.send(&target, Method::GET, headers, Chunks::default(), deadline).await?;
        match leads_to(&received, &target)? {
            Some(next) => target = next,
            None => return read(received).await,
        }
    }
    Err(FetchError::Endless)
}

async fn read(received: Received) -> Result<Fetched, FetchError> {
    let text = |name| received.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (etag, control) = (text(ETAG).filter(|etag| etag.len() <= 1024), text(CACHE_CONTROL));
    let directives = control.as_deref().unwrap_or_default().split(',').map(str::trim);
    let max_age = directives.filter_map(|directive| directive.strip_prefix("max-age=")?.parse().ok()).next();
    let body = received.body.collect(BODY_BYTES_MAX).await?;
    Ok(Fetched { status: received.status, etag, max_age, body })
}

/// From TLS it may not lead to plain HTTP.
fn leads_to(received: &Received, from: &Endpoint) -> Result<Option<Endpoint>, FetchError> {
    if !matches!(received.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(place) = received.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let astray = || FetchError::Astray(crate::shown(place.split('?').next().unwrap_or_default(), 200));
    let next = from.join(place).map_err(|_fault| astray())?;
    let is_downgrade = from.as_str().starts_with("https:") && !next.as_str().starts_with("https:");
    if is_downgrade { Err(astray()) } else { Ok(Some(next)) }
}

/// Writes a text as a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xF] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}
