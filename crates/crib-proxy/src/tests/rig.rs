//! A plane, scripted upstreams, and clients that speak through the `Gateway` port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{Json, Method, Payload, Revision, RpcError, code};
use crib_model::{
    Answer, BoxFuture, Carrier, Clock, Entropy, Entry, Fault, Forward, Frame, Frames, Gateway, Health, Inbound, Ledger, Outcome, Reply,
    Scope, Slug, Upstream, Verb,
};
use crib_policy::{KeySecret, KeySpec, Keys, RuleSpec, Rules, Seal};
use crib_registry::NameStyle;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Parts, Plane, Server, Setup};

pub(super) type Handler = Arc<dyn Fn(Forward) -> BoxFuture<'static, Result<Reply, Fault>> + Send + Sync>;

/// An upstream that offers some tools and leaves calls to a handler.
pub(super) struct Fake {
    pub(super) tools: Mutex<Vec<Value>>,
    pub(super) page_size: usize,
    pub(super) handler: Handler,
    pub(super) asked: Mutex<Vec<Forward>>,
    /// How long it takes to start.
    delay: Duration,
    /// What it says of its health.
    pub(super) state: watch::Sender<&'static str>,
}

impl Fake {
    pub(super) fn new(tools: Vec<Value>, handler: Handler) -> Arc<Self> {
        Arc::new(Self {
            tools: Mutex::new(tools),
            page_size: 1000,
            handler,
            asked: Mutex::default(),
            delay: Duration::ZERO,
            state: watch::channel("").0,
        })
    }

    /// A server that never answers.
    pub(super) fn silent() -> Arc<Self> {
        Self::slow(Vec::new(), Duration::MAX)
    }

    /// A server that takes its time to start.
    pub(super) fn slow(tools: Vec<Value>, delay: Duration) -> Arc<Self> {
        let mut fake = Self::new(tools, echo());
        if let Some(fake) = Arc::get_mut(&mut fake) {
            fake.delay = delay;
        }
        fake
    }

    pub(super) fn count(&self, method: &Method) -> usize {
        self.asked.lock().iter().filter(|forward| forward.method == *method).count()
    }
}

pub(super) fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object" } })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape handlers return")]
pub(super) fn complete(result: &Value) -> Result<Reply, Fault> {
    Ok(Reply::Done(Outcome::Complete(Payload::of(result), Revision::LATEST)))
}

/// A handler that answers every call with its own name and arguments.
pub(super) fn echo() -> Handler {
    Arc::new(|forward| {
        Box::pin(async move {
            let said = format!(
                "{} {}",
                forward.target_name().unwrap_or_default(),
                forward.params.get("arguments").unwrap_or_else(|| Json::from_static("{}"))
            );
            complete(&json!({ "resultType": "complete", "content": [{ "type": "text", "text": said }] }))
        })
    })
}

struct Own(Arc<Fake>);

impl Upstream for Own {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let fake = Arc::clone(&self.0);
        let forward = Arc::unwrap_or_clone(forward);
        fake.asked.lock().push(forward.clone());
        if fake.delay > Duration::ZERO && forward.method == Method::Discover {
            return Box::pin(async move {
                tokio::time::sleep(fake.delay).await;
                Self::answer(fake, forward).await
            });
        }
        Self::answer(fake, forward)
    }

    fn health(&self) -> Health {
        Health { state: *self.0.state.borrow(), ..Health::default() }
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        let mut state = self.0.state.subscribe();
        Box::pin(async move { drop(state.wait_for(|state| *state != "sleeping").await) })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

impl Own {
    fn answer(fake: Arc<Fake>, forward: Forward) -> BoxFuture<'static, Result<Reply, Fault>> {
        match forward.method {
            Method::Discover => Box::pin(async {
                complete(&json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": { "tools": { "listChanged": true }, "resources": { "subscribe": true } },
                }))
            }),
            Method::ToolsList => Box::pin(async move {
                let start: usize = forward.params.text("cursor").map_or(0, |cursor| cursor.trim_start_matches('p').parse().unwrap_or(0));
                let tools = fake.tools.lock();
                let end = (start + fake.page_size).min(tools.len());
                let mut result = json!({ "resultType": "complete", "tools": tools[start..end], "ttlMs": 1000, "cacheScope": "public" });
                if end < tools.len() {
                    result["nextCursor"] = format!("p{end}").into();
                }
                complete(&result)
            }),
            Method::ResourcesList | Method::ResourcesTemplatesList => Box::pin(async {
                complete(&json!({ "resultType": "complete", "resources": [], "resourceTemplates": [], "ttlMs": 0, "cacheScope": "public" }))
            }),
            _ => (fake.handler)(forward),
        }
    }
}

/// Time that a test moves.
#[derive(Default)]
pub(super) struct Hands(AtomicU64);

impl Hands {
    pub(super) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix(&self) -> Duration {
        Duration::from_secs(1_800_000_000 + self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
pub(super) struct Dice(AtomicU64);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = blake3::hash(&self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()).as_bytes()[0];
        }
    }
}

#[derive(Default)]
pub(super) struct Book(pub(super) Mutex<Vec<Entry>>, pub(super) AtomicBool);

impl Ledger for Book {
    fn settle(&self, entry: &Entry) {
        self.0.lock().push(entry.clone());
    }

    fn names_traces(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

pub(super) fn setup(servers: &[(&str, &Arc<Fake>)], names: NameStyle, page_size: usize, bob: &RuleSpec) -> Setup {
    let key = |name: &str, secret: &str| KeySpec { name: name.to_owned(), secret: KeySecret::Plain(secret.to_owned().into()) };
    let server = |(name, fake): &(&str, &Arc<Fake>)| Server { slug: Slug::parse(name).unwrap(), upstream: Arc::new(Own(Arc::clone(fake))) };
    Setup {
        servers: servers.iter().map(server).collect(),
        names,
        keys: Keys::build(&[key("alice", ALICE), key("bob", BOB)]).unwrap(),
        rules: Rules::build(&RuleSpec::default(), [("bob", bob)]).unwrap(),
        call_timeout: Duration::from_secs(60),
        page_size,
        session_idle: Duration::from_secs(60),
        input_timeout: Duration::from_secs(600),
        pins: Arc::new(crib_registry::pins::Unpinned),
    }
}

pub(super) struct Rig {
    pub(super) plane: Arc<Plane>,
    pub(super) book: Arc<Book>,
    pub(super) clock: Arc<Hands>,
}

pub(super) const ALICE: &str = "alice-0123456789abcdef";
pub(super) const BOB: &str = "bob-0123456789abcdefgh";

impl Rig {
    pub(super) fn new(servers: &[(&str, &Arc<Fake>)]) -> Self {
        Self::with(servers, NameStyle::default(), 1000, &RuleSpec::default())
    }

    /// `bob` has rules of his own.
    pub(super) fn with(servers: &[(&str, &Arc<Fake>)], names: NameStyle, page_size: usize, bob: &RuleSpec) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(Dice::default());
        let setup = setup(servers, names, page_size, bob);
        let book = Arc::new(Book::default());
        let clock = Arc::new(Hands::default());
        let seal = Seal::random(Arc::clone(&entropy));
        let plane = Plane::new(Parts {
            setup,
            ledger: Arc::clone(&book) as Arc<dyn Ledger>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy,
            seal,
            elsewhere: None,
        });
        Self { plane, book, clock }
    }
    pub(super) fn alice(&self) -> Caller {
        Caller { plane: Arc::clone(&self.plane), key: ALICE, caps: json!({}) }
    }

    pub(super) fn bob(&self) -> Caller {
        Caller { plane: Arc::clone(&self.plane), key: BOB, caps: json!({}) }
    }
}

pub(super) fn inbound(verb: Verb, headers: &[(&str, &str)], body: &Value) -> Inbound {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Inbound { verb, carrier: Carrier::Http, scope: Scope::All, headers: map, body, peer: None }
}

/// What came back, read to its end.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) messages: Vec<Value>,
}

impl Got {
    pub(super) fn last(&self) -> &Value {
        self.messages.last().expect("there is no message")
    }

    pub(super) fn error_code(&self) -> i64 {
        self.last()["error"]["code"].as_i64().unwrap_or(0)
    }
}

pub(super) fn value(frame: Frame) -> Value {
    serde_json::from_slice(&frame.data.into_bytes()).unwrap_or(Value::Null)
}

pub(super) async fn read(answer: Answer) -> Got {
    match answer {
        Answer::Message { status, headers, body } => {
            let text = body.into_bytes();
            let messages = if text.is_empty() { Vec::new() } else { vec![serde_json::from_slice(&text).unwrap()] };
            Got { status, headers, messages }
        }
        Answer::Stream { headers, frames } => {
            let messages: Vec<Value> = frames.map(value).collect().await;
            Got { status: 200, headers, messages: messages.into_iter().filter(|m| !m.is_null()).collect() }
        }
    }
}

pub(super) fn frames(answer: Answer) -> Frames {
    match answer {
        Answer::Stream { frames, .. } => frames,
        Answer::Message { status, body, .. } => panic!("not a stream: {status} {:?}", body.into_bytes()),
    }
}

pub(super) async fn next(frames: &mut Frames) -> Value {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(5), frames.next()).await.expect("no frame in time").expect("the stream ended");
        let value = value(frame);
        if !value.is_null() {
            return value;
        }
    }
}

/// A modern client with a key.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) plane: Arc<Plane>,
    pub(super) key: &'static str,
    pub(super) caps: Value,
}

impl Caller {
    pub(super) fn can(mut self, caps: Value) -> Self {
        self.caps = caps;
        self
    }

    pub(super) async fn send(&self, method: &str, params: Value) -> Got {
        read(self.open(method, params).await).await
    }

    pub(super) async fn call(&self, name: &str, arguments: Value) -> Got {
        self.send("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    pub(super) async fn open(&self, method: &str, params: Value) -> Answer {
        self.plane.receive(self.request(method, params)).await
    }

    pub(super) fn request(&self, method: &str, mut params: Value) -> Inbound {
        let name = ["name", "uri", "taskId"].iter().find_map(|key| params[key].as_str().map(str::to_owned));
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": self.caps,
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![("authorization", bearer.as_str()), ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        if let Some(name) = &name {
            headers.push(("mcp-name", name));
        }
        inbound(Verb::Post, &headers, &body)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape handlers return")]
pub(super) fn rpc_error(message: &'static str) -> Result<Reply, Fault> {
    Ok(Reply::Done(Outcome::Error(RpcError::new(code::INTERNAL, message), Revision::LATEST)))
}
