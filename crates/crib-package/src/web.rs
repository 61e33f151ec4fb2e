//! Small documents and files from registries and publishers.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crib_mcp::Chunks;
use crib_model::{Code, Fault};
use crib_transport::{Endpoint, HttpClient, Received};
use http::header::{ACCEPT, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::{Event, Progress};

const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
const DOCUMENT_WAIT: Duration = Duration::from_secs(60);
const FILE_WAIT: Duration = Duration::from_secs(600);
const REDIRECTS_MAX: usize = 5;

/// Reads a JSON document; none where the server has no such thing, or something that is not JSON.
pub(crate) async fn document(http: &HttpClient, url: &str, accept: &'static str) -> Result<Option<Value>, Fault> {
    let received = follow(http, url, accept, DOCUMENT_WAIT).await?;
    match received.status {
        200 => {}
        404 | 403 | 405 | 410 => return Ok(None),
        status => return Err(failed(url, format!("it answered {status}"))),
    }
    let body = received.body.collect(DOCUMENT_BYTES_MAX).await.map_err(|error| failed(url, error))?;
    Ok(serde_json::from_slice(&body).ok())
}

/// Reads a short text; none where the server has no such thing.
pub(crate) async fn text(http: &HttpClient, url: &str, bytes_max: usize) -> Result<Option<String>, Fault> {
    let received = follow(http, url, "*/*", DOCUMENT_WAIT).await?;
    match received.status {
        200 => {}
        404 | 403 | 405 | 410 => return Ok(None),
        status => return Err(failed(url, format!("it answered {status}"))),
    }
    let body = received.body.collect(bytes_max).await.map_err(|error| failed(url, error))?;
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}

/// Downloads a file.
pub(crate) async fn download(http: &HttpClient, url: &str, to: &Path, progress: &Progress) -> Result<(), Fault> {
    let mut received = follow(http, url, "*/*", FILE_WAIT).await?;
    if received.status != 200 {
        return Err(Fault::new(Code::PackageMissing, format!("`{url}` is not there")).because(format!("it answered {}", received.status)));
    }
    let total = received.headers.get("content-length").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let mut file = File::create(to).map_err(|error| failed(url, error))?;
    let mut done = 0_u64;
    while let Some(chunk) = received.body.chunk().await {
        let chunk = chunk.map_err(|error| failed(url, error))?;
        done = done.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if done > FILE_BYTES_MAX {
            return Err(failed(url, format!("it is larger than {FILE_BYTES_MAX} bytes")));
        }
        file.write_all(&chunk).map_err(|error| failed(url, error))?;
        progress.tell(Event::Downloading { done, total });
    }
    Ok(())
}

async fn follow(http: &HttpClient, url: &str, accept: &'static str, wait: Duration) -> Result<Received, Fault> {
    let mut url = url.to_owned();
    let deadline = Instant::now() + wait;
    for _ in 0..=REDIRECTS_MAX {
        let endpoint = Endpoint::parse(&url)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("toolcrib/", env!("CARGO_PKG_VERSION"))));
        let received =
            http.send(&endpoint, Method::GET, headers, Chunks::default(), deadline).await.map_err(|error| failed(&url, error))?;
        let target = received.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        match target.filter(|_| (300..400).contains(&received.status)) {
            Some(target) => url = join(&url, target).ok_or_else(|| failed(&url, format!("it leads to `{target}`")))?,
            None => return Ok(received),
        }
    }
    Err(failed(&url, "it leads on and on"))
}

/// Resolves a redirect; from TLS it may not lead to plain HTTP.
fn join(base: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") || (target.starts_with("http://") && base.starts_with("http://")) {
        return Some(target.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    let host = rest.split('/').next()?;
    target.starts_with('/').then(|| format!("{scheme}://{host}{target}")).filter(|_| !target.starts_with("//"))
}

fn failed(url: &str, why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PullFailed, format!("`{url}` cannot be read")).because(why)
}
