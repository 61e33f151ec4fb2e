//! A hand-written MCP server of every era, for tests: the names and URIs the official conformance suite
//! calls, and tools of our own that misbehave or reveal what the gateway did.
//!
//! A tool body is written once ([`tools`], [`extra`]); whether it asks its client by a request in
//! mid-call (legacy), by a round of `input_required` (modern) or through a task is the business of [`cx`].

mod app;
mod augmented;
mod catalog;
mod cx;
mod dispatch;
mod extra;
mod front;
mod header;
mod legacy;
mod lines;
mod modern;
mod options;
mod rpc;
mod sdk;
mod seal;
mod sse;
mod stream;
mod tasks;
mod tools;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use options::{Era, Extras, Options, Tasks, Unknown};

use crate::journal::Journal;

const CHANGES_QUEUED_MAX: usize = 4096;

/// Something subscribers hear of.
#[derive(Debug, Clone)]
enum Change {
    Tools,
    Prompts,
    Resource(String),
    Task(String),
}

/// The state all connections of one fixture share.
#[derive(Debug)]
struct Server {
    options: Options,
    journal: Journal,
    changes: broadcast::Sender<Change>,
    sessions: Mutex<HashMap<String, Arc<legacy::Session>>>,
    tasks: Mutex<HashMap<String, Arc<tasks::Task>>>,
    key: [u8; 32],
    counter: AtomicU64,
    /// How many tools are listed now, where they are generated.
    generated: AtomicUsize,
    /// Whether answers to `tools/list` are made and kept back.
    holds_lists: watch::Sender<bool>,
    /// How many more calls are told that their headers do not match.
    mismatches: AtomicUsize,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// A fixture listening in this process; dropping it ends its connections.
#[derive(Debug)]
pub struct Fixture {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it received and did.
    pub journal: Journal,
    server: Arc<Server>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

impl Fixture {
    /// Starts a fixture on a free loopback port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(options: Options) -> Result<Self> {
        Self::listen(options, Journal::new(), 0).await
    }

    /// Starts a fixture of one era with default behaviour.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn of(era: Era) -> Result<Self> {
        Self::start(Options { era, ..Options::default() }).await
    }

    /// Starts a fixture on the official SDK, which knows both eras.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn sdk() -> Result<Self> {
        Self::start(Options { sdk: true, ..Options::default() }).await
    }

    /// Starts a fixture on this loopback port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn listen(options: Options, journal: Journal, port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let server = Server::new(options, journal.clone());
        if server.options.sdk {
            server.tracker.spawn(sdk::accept(Arc::clone(&server), listener));
        } else {
            server.tracker.spawn(front::accept(Arc::clone(&server), listener));
        }
        Ok(Self { address, journal, server })
    }

    /// Returns the URL of the Streamable HTTP endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Returns the URL of the HTTP+SSE endpoint of 2024-11-05.
    #[must_use]
    pub fn sse_url(&self) -> String {
        format!("http://{}/sse", self.address)
    }

    /// Waits until the fixture is stopped.
    pub async fn stopped(&self) {
        self.server.stop.cancelled().await;
    }

    /// Tells subscribers that a resource changed.
    pub fn touch(&self, uri: &str) {
        self.server.change(Change::Resource(uri.to_owned()));
    }

    /// Lists this many generated tools from now on, and says so.
    pub fn list_generated(&self, count: usize) {
        self.server.generated.store(count, Ordering::Relaxed);
        self.server.change(Change::Tools);
    }

    /// Makes answers to `tools/list` and keeps them back, or lets go of them.
    pub fn hold_lists(&self, is_held: bool) {
        self.server.holds_lists.send_replace(is_held);
    }

    /// Answers the next calls that their `Mcp-Param-*` headers do not match.
    pub fn refuse_headers(&self, calls: usize) {
        self.server.mismatches.store(calls, Ordering::Relaxed);
    }

    /// Forgets all legacy sessions, as a restarted server would.
    pub fn forget_sessions(&self) {
        self.server.sessions.lock().clear();
    }
}

/// Serves one client over this process's standard input and output until the input ends.
///
/// # Errors
/// When the pipes break.
pub async fn serve_stdio(options: Options, journal: Journal) -> Result<()> {
    lines::serve(Server::new(options, journal)).await
}

// === impl Server ===

impl Server {
    fn new(options: Options, journal: Journal) -> Arc<Self> {
        let (changes, _) = broadcast::channel(CHANGES_QUEUED_MAX);
        let seed = format!("{}-{}-{:p}", std::process::id(), crate::journal::now_ms(), &raw const changes);
        let key = *blake3::hash(seed.as_bytes()).as_bytes();
        let generated = options.generated.unwrap_or_default();
        journal.note("started", &json!({ "era": options.era.to_string() }));
        Arc::new(Self {
            options,
            journal,
            changes,
            sessions: Mutex::default(),
            tasks: Mutex::default(),
            key,
            counter: AtomicU64::new(1),
            generated: AtomicUsize::new(generated),
            holds_lists: watch::Sender::new(false),
            mismatches: AtomicUsize::new(0),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    fn number(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns an identifier nobody can guess from another one.
    fn identifier(&self) -> String {
        let hash = blake3::keyed_hash(&self.key, &self.number().to_le_bytes());
        hash.to_hex().as_str().chars().take(32).collect()
    }

    fn change(&self, change: Change) {
        // Nobody subscribed is nobody to tell.
        self.changes.send(change).unwrap_or_default();
    }
}
