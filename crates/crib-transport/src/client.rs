//! The HTTP client: one pool of connections per origin, nothing done behind the caller's back.
//!
//! No redirects, no proxies from the environment, no cookies, no decompression, no retry of what was written. A
//! connection is driven by the task that uses it: no task, no channel between tasks and no extra wake-up per call, and
//! whoever drops a call closes its connection at once.

mod dial;
mod endpoint;
mod error;
mod incoming;
mod live;
mod pool;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::Chunks;
use crib_model::{Code, Fault};
use http::{HeaderMap, Method, Request, header};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use endpoint::Endpoint;
pub use error::SendError;
pub use incoming::Incoming;

use crate::whole::Whole;
use endpoint::Origin;
use live::{Failed, Live};
use pool::Pool;
use tls::Tls;

/// What the client bounds.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Connections to one origin; beyond it a call waits for one until its deadline.
    pub connections_max: usize,
    /// Idle connections kept per origin.
    pub idle_max: usize,
    /// How long an idle connection is kept.
    pub idle_age: Duration,
    /// How long connecting to one address may take, TLS included.
    pub connect_timeout: Duration,
    /// Largest head of a response.
    pub head_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            idle_max: 512,
            idle_age: Duration::from_secs(50),
            connect_timeout: Duration::from_secs(10),
            head_bytes_max: 256 * 1024,
        }
    }
}

/// A client for HTTP/1.1 origins, cheap to clone. One per process.
#[derive(Clone)]
pub struct HttpClient(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    pools: RwLock<HashMap<Arc<Origin>, Arc<Pool>, foldhash::fast::RandomState>>,
    tls: Tls,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("origins", &self.0.pools.read().len()).finish_non_exhaustive()
    }
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub struct Received {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Incoming,
}

impl HttpClient {
    /// Makes a client. Nothing is opened or read before the first request.
    ///
    /// # Errors
    /// TC0101 for options with which no request could ever be sent.
    pub fn new(options: ClientOptions) -> Result<Self, Fault> {
        if options.connections_max == 0 || options.connect_timeout.is_zero() {
            return Err(Fault::new(Code::ConfigInvalid, "the HTTP client may not open any connection"));
        }
        Ok(Self(Arc::new(Shared {
            options,
            pools: RwLock::default(),
            tls: Tls::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        })))
    }

    /// Sends one request and waits for the head of the answer.
    ///
    /// The deadline also holds for [`Incoming::collect`]; a body read in chunks may go on beyond it. Dropping the
    /// future or the body closes the connection, which tells the server that the call is cancelled.
    ///
    /// # Errors
    /// See [`SendError`]. A request is sent again only on proof that nothing of it had been written.
    #[expect(clippy::too_many_arguments, reason = "the parts of a request, each of which every caller has at hand")]
    pub fn send(
        &self,
        endpoint: &Endpoint,
        method: Method,
        headers: HeaderMap,
        body: Chunks,
        deadline: Instant,
    ) -> impl Future<Output = Result<Received, SendError>> + Send + use<'_> {
        let pool = self.pool(endpoint.origin());
        // The request is handed over before there is a future, which therefore need not hold it.
        let begun = begin(&pool, request(endpoint, method, headers, body), deadline);
        async move {
            let (mut live, mut is_fresh) = match begun {
                Ok(live) => (live, false),
                // Rare, and large: every call would carry the room for it.
                Err(request) => (Box::pin(self.dial(&pool, request, deadline)).await?, true),
            };
            loop {
                match poll_fn(|cx| live.poll_answer(cx)).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        let body = Incoming::new(body, live, pool);
                        return Ok(Received { status: head.status.as_u16(), headers: head.headers, body });
                    }
                    Err(Failed::Unsent(unsent, _)) if !is_fresh => match begin(&pool, *unsent, deadline) {
                        Ok(other) => live = other,
                        Err(request) => (live, is_fresh) = (Box::pin(self.dial(&pool, request, deadline)).await?, true),
                    },
                    Err(Failed::Unsent(_, error) | Failed::Sent(error)) => return Err(error),
                }
            }
        }
    }

    /// Closes idle connections and ends the tasks of the client. Requests in flight are their callers'.
    pub async fn close(&self) {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.pools.write().clear();
        self.0.tasks.wait().await;
    }

    fn pool(&self, origin: &Arc<Origin>) -> Arc<Pool> {
        if let Some(pool) = self.0.pools.read().get(origin) {
            return Arc::clone(pool);
        }
        let mut pools = self.0.pools.write();
        let pool = pools.entry(Arc::clone(origin)).or_insert_with(|| Arc::new(Pool::new(Arc::clone(origin), &self.0.options)));
        Arc::clone(pool)
    }

    /// Opens a connection for a request and hands it over.
    async fn dial(&self, pool: &Arc<Pool>, request: Box<Request<Whole>>, deadline: Instant) -> Result<Box<Live>, SendError> {
        let opening = async {
            let slot = match pool.free_slot() {
                Some(slot) => slot,
                // What other lanes do not use is better than none.
                None => match pool.take_any() {
                    Some(live) => return Ok(live),
                    None => pool.slot().await?,
                },
            };
            // Somebody may have given a connection back while this call waited for its turn.
            if let Some(live) = pool.take() {
                return Ok(live);
            }
            let wire = dial::open(pool.origin(), &self.0.tls, self.0.options.connect_timeout).await?;
            Live::open(wire, slot, self.0.options.head_bytes_max).await
        };
        let mut live = tokio::time::timeout_at(deadline.into(), opening).await.map_err(|_late| SendError::TimedOut)??;
        pool.keep_swept(&self.0.tasks, &self.0.closing);
        live.begin(*request, deadline);
        Ok(live)
    }
}

/// Hands a request to an idle connection, or gives it back where there is none.
fn begin(pool: &Pool, request: Request<Whole>, deadline: Instant) -> Result<Box<Live>, Box<Request<Whole>>> {
    let Some(mut live) = pool.take() else { return Err(Box::new(request)) };
    live.begin(request, deadline);
    Ok(live)
}

fn request(endpoint: &Endpoint, method: Method, mut headers: HeaderMap, body: Chunks) -> Request<Whole> {
    // Where the request goes, its length and the connection are this client's business.
    headers.insert(header::HOST, endpoint.host().clone());
    match body.len() {
        0 => headers.remove(header::CONTENT_LENGTH),
        length => headers.insert(header::CONTENT_LENGTH, length.into()),
    };
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    let mut request = Request::new(Whole::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = endpoint.target().clone();
    *request.headers_mut() = headers;
    request
}
