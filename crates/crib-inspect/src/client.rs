//! A client of its own: one conversation with one server, in either era, everything of it on the tap.

mod ask;
mod chores;
mod declared;
mod handshake;
mod inbox;
mod lists;
mod task;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::header::{self, ParamHeaders};
use crib_mcp::{Chunks, Json, Method, RequestId, Revision, RpcError, message, meta};
use crib_model::{Code, Fault};
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::tap::Tap;
use crate::target::Options;
use crate::wire::{Ended, Outgoing, Wire};
pub use ask::{Asker, Decline};
use chores::Chores;
pub(crate) use declared::modern_meta;
use declared::{client_info, legacy_capabilities};
use inbox::Inbox;
pub use lists::{LISTS, List};
use task::Tasks;
pub use task::{Task, TaskEnd};

/// Rounds of questions one call may take.
const ROUNDS_MAX: usize = 16;

/// What a server said of itself.
#[derive(Clone, Debug)]
pub struct Hello {
    pub revision: Revision,
    pub transport: &'static str,
    /// The result of `server/discover` or `initialize`.
    pub result: Value,
    /// How long it took from the start to the answer.
    pub after: Duration,
}

/// An answer, and what is known of how it came.
#[derive(Clone, Debug)]
pub struct Reply {
    pub outcome: Result<Value, RpcError>,
    pub elapsed: Duration,
    /// Status of the HTTP answer.
    pub status: Option<u16>,
}

/// A conversation. Cheap to clone; it ends with [`Client::close`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    name: String,
    wire: Arc<dyn Wire>,
    inbox: Arc<Inbox>,
    tap: Arc<Tap>,
    tracker: TaskTracker,
    options: Options,
    hello: Hello,
    next: AtomicU64,
    asker: Arc<dyn Asker>,
    /// Which arguments of which tool are repeated in headers.
    param_headers: Mutex<HashMap<String, ParamHeaders>>,
    log_level: Mutex<Option<String>>,
    tasks: Mutex<Tasks>,
    chores: Chores,
    /// Ends what goes on for as long as the conversation does.
    closing: CancellationToken,
}

/// A request that waits; dropping it cancels the request.
struct Waiting<'a> {
    client: &'a Inner,
    id: u64,
    method: &'a str,
    cancelled: CancellationToken,
    is_over: bool,
}

// === impl Hello ===

impl Hello {
    #[must_use]
    pub fn server_info(&self) -> Option<&Value> {
        let in_meta = || self.result.get("_meta")?.get(meta::SERVER_INFO);
        self.result.get("serverInfo").or_else(in_meta)
    }

    #[must_use]
    pub fn capabilities(&self) -> Option<&Map<String, Value>> {
        self.result.get("capabilities")?.as_object()
    }

    #[must_use]
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities().is_some_and(|capabilities| capabilities.contains_key(capability))
    }

    #[must_use]
    pub fn instructions(&self) -> Option<&str> {
        self.result.get("instructions")?.as_str()
    }

    #[must_use]
    pub fn era(&self) -> &'static str {
        if self.revision.is_modern() { "modern" } else { "legacy" }
    }
}

// === impl Reply ===

impl Reply {
    #[must_use]
    pub fn is_tool_error(&self) -> bool {
        matches!(&self.outcome, Ok(result) if result.get("isError") == Some(&Value::Bool(true)))
    }

    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        self.outcome.as_ref().err().map(|error| error.code)
    }
}

// === impl Client ===

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("name", &self.0.name).field("hello", &self.0.hello.revision).finish_non_exhaustive()
    }
}

impl Client {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.0.hello
    }

    #[must_use]
    pub fn tap(&self) -> &Arc<Tap> {
        &self.0.tap
    }

    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Returns the process of the server, where it is a child.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.wire.pid()
    }

    /// Returns the last lines the server wrote to standard error.
    #[must_use]
    pub fn stderr_tail(&self) -> Vec<String> {
        self.0.wire.stderr_tail()
    }

    /// Asks for log messages of this level and above. Modern servers are told with every request.
    ///
    /// # Errors
    /// A legacy server cannot be asked.
    pub async fn set_log_level(&self, level: &str) -> Result<Option<Reply>, Fault> {
        *self.0.log_level.lock() = Some(level.to_owned());
        if self.0.hello.revision.is_modern() {
            return Ok(None);
        }
        self.request(Method::SetLevel.as_str(), json!({ "level": level })).await.map(Some)
    }

    /// Sends a request and waits for its answer, questions of the server answered on the way.
    ///
    /// # Errors
    /// There is no answer: the server is gone, or silent for too long.
    pub async fn request(&self, method: &str, params: Value) -> Result<Reply, Fault> {
        let begin = Instant::now();
        let deadline = begin + self.0.options.timeout;
        let mut params = self.with_meta(params);
        for _ in 0..ROUNDS_MAX {
            let mut reply = self.send(method, &params, deadline).await?;
            let Some(more) = self.0.answers_to(&reply).await else {
                reply.elapsed = begin.elapsed();
                return Ok(reply);
            };
            let Some(object) = params.as_object_mut() else { return Ok(reply) };
            object.extend(more);
            if reply.outcome.as_ref().is_ok_and(|result| result.get("requestState").is_none()) {
                object.remove("requestState");
            }
        }
        Err(Fault::new(Code::InputLost, format!("`{}` asks again and again", self.0.name)))
    }

    /// Sends a request as it is: nothing is added, and no question is answered.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(&self, method: &str, params: &Value, deadline: Instant) -> Result<Reply, Fault> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let text = message::request(&RequestId::number(id), method, &Chunks::from(Json::of(params))).into_bytes();
        let cancelled = self.0.closing.child_token();
        let answer = self.0.inbox.expect(id);
        let mut waiting = Waiting { client: &self.0, id, method, cancelled: cancelled.clone(), is_over: false };
        let begin = Instant::now();
        let headers = self.0.headers(method, params);
        let sent = self.0.wire.send(Outgoing { text, id: Some(id), headers, deadline, cancelled }).await;
        if let Err(fault) = sent {
            waiting.is_over = true;
            // A child that is gone says more than that it does not read.
            return Err(self.0.inbox.fault_soon().await.unwrap_or(fault));
        }
        let got = tokio::time::timeout_at(deadline.into(), answer).await;
        let (outcome, status) = match got {
            Ok(Ok(answered)) => answered,
            Ok(Err(_closed)) => return Err(self.0.inbox.fault(&self.0.name)),
            Err(_late) => {
                let message = format!("`{}` did not answer {method} in time", self.0.name);
                return Err(Fault::new(Code::DeadlineExceeded, message).hint("wait longer: --timeout 5m"));
            }
        };
        waiting.is_over = true;
        let outcome = outcome?;
        Ok(Reply { outcome: outcome.map(|result| result.to_json().read().unwrap_or_default()), elapsed: begin.elapsed(), status })
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn notify(&self, method: &str, params: &Value) -> Result<(), Fault> {
        self.0.notify(method, params).await
    }

    /// Opens a subscription that lasts until the conversation ends.
    pub fn listen(&self, params: Value) {
        let client = self.clone();
        self.0.tracker.spawn(async move {
            let params = client.with_meta(params);
            let far = Instant::now() + Duration::from_secs(24 * 3600);
            let asking = client.send(Method::Listen.as_str(), &params, far);
            tokio::select! {
                ended = asking => if let Err(fault) = ended {
                    tracing::debug!(%fault, "the subscription ended");
                },
                () = client.0.closing.cancelled() => {}
            }
        });
    }

    /// Asks to be told when a list becomes another one. A legacy server tells it without being asked.
    pub fn follow_lists(&self) {
        if self.0.hello.revision.is_modern() {
            let wanted = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];
            let wanted: Map<String, Value> = wanted.into_iter().map(|name| (name.to_owned(), json!(true))).collect();
            self.listen(json!({ "notifications": wanted }));
        }
    }

    /// Waits until the server is gone, and says why. A URL is never gone.
    pub async fn gone(&self) -> Fault {
        self.0.inbox.over(&self.0.name).await
    }

    /// Puts what a modern request says of itself to the parameters.
    #[must_use]
    pub fn with_meta(&self, mut params: Value) -> Value {
        if !self.0.hello.revision.is_modern() {
            return params;
        }
        let mut own = modern_meta(self.0.options.abilities);
        if let Some(level) = self.0.log_level.lock().as_ref() {
            own.insert(meta::LOG_LEVEL.to_owned(), json!(level));
        }
        if !params.is_object() {
            params = json!({});
        }
        if let Some(object) = params.as_object_mut() {
            let theirs = object.entry("_meta").or_insert_with(|| json!({}));
            if let Some(theirs) = theirs.as_object_mut() {
                for (name, value) in own {
                    theirs.entry(name).or_insert(value);
                }
            }
        }
        params
    }

    /// Ends the conversation and waits for all of it.
    pub async fn close(&self) -> Ended {
        self.leave_tasks().await;
        self.0.closing.cancel();
        let ended = self.0.wire.close().await;
        self.0.tracker.close();
        tokio::time::timeout(Duration::from_secs(2), self.0.tracker.wait()).await.ok();
        ended
    }
}

// === impl Inner ===

impl Inner {
    async fn notify(&self, method: &str, params: &Value) -> Result<(), Fault> {
        let params = if params.is_null() { Chunks::default() } else { Chunks::from(Json::of(params)) };
        self.post(message::notification(method, &params).into_bytes()).await
    }

    async fn post(&self, text: Bytes) -> Result<(), Fault> {
        let deadline = Instant::now() + self.options.timeout;
        let cancelled = self.closing.child_token();
        self.wire.send(Outgoing { text, id: None, headers: HeaderMap::new(), deadline, cancelled }).await
    }

    /// Returns the headers that repeat a modern request.
    fn headers(&self, method: &str, params: &Value) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.hello.revision.is_modern() {
            return headers;
        }
        request_headers(method, params, &mut headers);
        let tool = params.get("name").and_then(Value::as_str).filter(|_| method == Method::ToolsCall.as_str());
        let known = self.param_headers.lock();
        if let Some(wanted) = tool.and_then(|tool| known.get(tool)) {
            let arguments = params.get("arguments").map(Json::of);
            for (name, value) in wanted.values(arguments.as_ref()) {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.client.inbox.forget(self.id);
        self.cancelled.cancel();
        // On lines and in sessions a server learns of it by a message.
        let is_told = self.client.wire.transport() != "http" || !self.client.hello.revision.is_modern();
        if is_told && self.method != Method::Initialize.as_str() && !self.client.closing.is_cancelled() {
            let wire = Arc::clone(&self.client.wire);
            let params = Chunks::from(Json::of(&json!({ "requestId": self.id })));
            let text = message::notification(Method::Cancelled.as_str(), &params).into_bytes();
            let cancelled = self.client.closing.child_token();
            let deadline = Instant::now() + Duration::from_secs(2);
            self.client.tracker.spawn(async move {
                drop(wire.send(Outgoing { text, id: None, headers: HeaderMap::new(), deadline, cancelled }).await);
            });
        }
    }
}

/// Writes the headers that every modern request has on HTTP.
pub(crate) fn request_headers(method: &str, params: &Value, headers: &mut HeaderMap) {
    let mut put = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(&header::encode_value(text)) {
            headers.insert(name, value);
        }
    };
    let version = params.get("_meta").and_then(|own| own.get(meta::PROTOCOL_VERSION)).and_then(Value::as_str);
    put(header::PROTOCOL_VERSION, version.unwrap_or(Revision::LATEST.as_str()));
    put(header::METHOD, method);
    if let Some(name) = Method::parse(method).target_key().and_then(|key| params.get(key)).and_then(Value::as_str) {
        put(header::NAME, name);
    }
}
