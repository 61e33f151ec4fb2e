//! A registry: its documents and blobs, asked for over HTTP.

mod challenge;
mod token;

use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_model::{Code, Fault};
use crib_transport::{Endpoint, HttpClient, Received, SendError};
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, RANGE, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{Credentials, Reference};
use challenge::Challenge;

const AGENT: &str = concat!("toolcrib/", env!("CARGO_PKG_VERSION"));
/// How long the head of one answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 5;
/// What one request is tried.
const TRIES_MAX: u32 = 3;
/// The pause after a failure; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// The registries of images.
#[derive(Clone, Debug)]
pub struct Registry {
    http: HttpClient,
    credentials: Credentials,
}

/// One image's registry, with what it takes to be answered.
pub(crate) struct Session<'a> {
    registry: &'a Registry,
    reference: &'a Reference,
    /// `https://host`, or `http://host` on this machine's loopback.
    base: String,
    token: tokio::sync::Mutex<Option<HeaderValue>>,
    /// Why the program that keeps the login did not give it.
    unasked: tokio::sync::Mutex<Option<String>>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Below the image's own address: `manifests/latest`.
    pub(crate) path: &'a str,
    pub(crate) accept: &'static str,
    /// The byte to begin with.
    pub(crate) from: u64,
}

impl Registry {
    #[must_use]
    pub const fn new(http: HttpClient, credentials: Credentials) -> Self {
        Self { http, credentials }
    }

    pub(crate) async fn session<'a>(&'a self, reference: &'a Reference) -> Result<Session<'a>, Fault> {
        let host = reference.host();
        let mut base = format!("https://{host}");
        // A registry on this machine rarely speaks TLS; anywhere else nothing but TLS will do.
        if reference.is_local() {
            let ping = Endpoint::parse(&format!("{base}/v2/"))?;
            if self.send(&ping, HeaderMap::new()).await.is_err() {
                base = format!("http://{host}");
            }
        }
        Ok(Session { registry: self, reference, base, token: tokio::sync::Mutex::default(), unasked: tokio::sync::Mutex::default() })
    }

    async fn send(&self, endpoint: &Endpoint, mut headers: HeaderMap) -> Result<Received, SendError> {
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        self.http.send(&endpoint.clone().guarded(), Method::GET, headers, Chunks::default(), Instant::now() + ANSWER_WAIT).await
    }
}

impl Session<'_> {
    /// Reads a document, with what its registry calls it.
    pub(crate) async fn document(&self, ask: Ask<'_>, most: usize) -> Result<(Bytes, String), Fault> {
        let received = self.get(ask).await?;
        let kind = text(&received, http::header::CONTENT_TYPE).unwrap_or_default();
        let body = received.body.collect(most).await.map_err(|error| self.failed(error))?;
        Ok((body, kind))
    }

    /// Asks, and asks again where the registry was only busy.
    pub(crate) async fn get(&self, ask: Ask<'_>) -> Result<Received, Fault> {
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            match self.answer(ask).await {
                Ok(received) if !matches!(received.status, 429 | 500 | 502 | 503 | 504) => return self.judge(received).await,
                Err(Refused::Send(error)) if error_may_pass(&error) => {}
                Ok(_) => {}
                Err(refused) => return Err(self.refused(refused)),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let received = self.answer(ask).await.map_err(|refused| self.refused(refused))?;
        self.judge(received).await
    }

    async fn judge(&self, received: Received) -> Result<Received, Fault> {
        let name = self.reference;
        match received.status {
            200 | 206 => Ok(received),
            404 => Err(Fault::new(Code::PackageMissing, format!("`{name}` is not in its registry"))),
            401 | 403 => Err(self.denied().await),
            429 => Err(self.failed("it answers 429: too many requests from here; log in, or try again later")),
            status => Err(self.failed(format!("it answered {status}"))),
        }
    }

    async fn denied(&self) -> Fault {
        let registry = self.reference.registry();
        let fault = Fault::new(Code::PackageMissing, format!("`{}` is not in its registry, or not for everybody", self.reference));
        let fault = match self.unasked.lock().await.clone() {
            Some(why) => fault.because(why),
            None => fault,
        };
        fault.hint(format!("log in, where one has to: docker login {registry}"))
    }

    pub(crate) fn failed(&self, why: impl std::fmt::Display) -> Fault {
        Fault::new(Code::PullFailed, format!("`{}` cannot be downloaded", self.reference)).because(why)
    }

    fn refused(&self, refused: Refused) -> Fault {
        match refused {
            Refused::Send(error) => self.failed(error),
            Refused::Fault(fault) => fault,
        }
    }

    /// Asks once, with a token where one is wanted.
    async fn answer(&self, ask: Ask<'_>) -> Result<Received, Refused> {
        let endpoint = Endpoint::parse(&format!("{}/v2/{}/{}", self.base, self.reference.repository(), ask.path))?;
        let known = self.token.lock().await.clone();
        let received = self.follow(&endpoint, ask, known.clone()).await?;
        if received.status != 401 {
            return Ok(received);
        }
        let header = received.headers.get_all(WWW_AUTHENTICATE);
        let Some(challenge) = header.iter().filter_map(|value| value.to_str().ok()).find_map(Challenge::read) else {
            return Ok(received);
        };
        drop(received);
        let token = {
            let mut kept = self.token.lock().await;
            // Another request may have got a new one in the meantime.
            if *kept == known {
                *kept = self.token(&challenge).await?;
            }
            kept.clone()
        };
        self.follow(&endpoint, ask, token).await
    }

    /// Follows redirects, which lead to where the bytes are; credentials stay with the registry.
    async fn follow(&self, endpoint: &Endpoint, ask: Ask<'_>, token: Option<HeaderValue>) -> Result<Received, Refused> {
        let mut target = endpoint.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
            if ask.from > 0 {
                headers.insert(RANGE, HeaderValue::try_from(format!("bytes={}-", ask.from)).map_err(|error| self.failed(error))?);
            }
            if let Some(token) = token.as_ref().filter(|_| target.is_same_origin(endpoint)) {
                headers.insert(AUTHORIZATION, token.clone());
            }
            let received = self.registry.send(&target, headers).await.map_err(Refused::Send)?;
            if !matches!(received.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(received);
            }
            let place = text(&received, LOCATION).ok_or_else(|| self.failed("it leads nowhere"))?;
            target = self.allowed(target.join(&place)?)?;
        }
        Err(self.failed("it leads on and on").into())
    }

    /// Lets through what is TLS, or on this machine where the registry is.
    fn allowed(&self, endpoint: Endpoint) -> Result<Endpoint, Fault> {
        let authority = endpoint.as_str().split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()).unwrap_or_default();
        let is_here = crate::reference::is_loopback(authority);
        let is_fine = if is_here { self.reference.is_local() } else { endpoint.as_str().starts_with("https://") };
        if is_fine { Ok(endpoint) } else { Err(self.failed(format!("it leads to {endpoint}, where it must not"))) }
    }
}

/// Why there is no answer.
enum Refused {
    Send(SendError),
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Tells what may go away by itself from what stays.
const fn error_may_pass(error: &SendError) -> bool {
    matches!(error, SendError::Lost(_) | SendError::Broken(_) | SendError::TimedOut)
}

fn text(received: &Received, name: HeaderName) -> Option<String> {
    received.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
