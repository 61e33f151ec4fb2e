//! A conversation after the `initialize` handshake of 2024-11-05 to 2025-11-25.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::meta::extension;
use crib_mcp::{Ability, Chunks, ClientCaps, Json, Method, Payload, Revision, RpcError, message, translate};
use crib_model::{BoxFuture, Code, Fault, Slug};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::oneshot;

use super::chores;
use super::link::{Link, Wants};
use super::memory::Memory;
use super::talks::Talks;
use crate::level::Level;
use crate::outcome::broken;

/// Longest wait for the answer to something that is asked on the side, beside a call.
pub(super) const ASIDE_TIMEOUT: Duration = Duration::from_secs(10);

/// A session with a legacy server.
pub(crate) struct Session {
    pub(crate) link: Arc<Link>,
    pub(crate) revision: Revision,
    /// The `InitializeResult`.
    pub(crate) hello: Payload,
    pub(crate) offers: Offers,
    /// Level last asked for by `logging/setLevel`, and the levels of the calls that run.
    level: Mutex<Levels>,
    pub(super) subscriptions: Mutex<HashMap<String, usize>>,
    /// Subscriptions that are being given up; a new one of the same has to wait for that.
    pub(super) leaving: Mutex<HashMap<String, oneshot::Receiver<()>>>,
    pub(super) talks: Talks,
    /// What is known of this upstream across sessions.
    pub(super) memory: Arc<Memory>,
}

/// What the server said it can do, as far as this side has to know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offers {
    pub(crate) bits: u8,
}

#[derive(Debug, Default)]
struct Levels {
    asked: Option<Level>,
    wanted: Vec<Level>,
}

/// One thing a server may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Logging,
    Completions,
    ToolsChanged,
    PromptsChanged,
    ResourcesChanged,
    Subscribe,
    ToolTasks,
}

/// Withdraws a call's wish for log lines when the call ends.
pub(crate) struct LevelGuard {
    session: Arc<Session>,
    level: Option<Level>,
}

// === impl Session ===

impl Session {
    /// Shakes hands over a fresh link.
    pub(crate) async fn open(link: Arc<Link>, caps: &ClientCaps, memory: &Arc<Memory>, timeout: Duration) -> Result<Arc<Self>, Fault> {
        let exchange = link.begin(link.next_id(), &Method::Initialize, &initialize_params(caps), Wants::default())?;
        let slug = link.slug.clone();
        let answered = tokio::time::timeout(timeout, exchange.answer()).await;
        match answered.unwrap_or_else(|_| Err(silent(&slug, timeout)))? {
            Ok(hello) => Self::greet(link, hello, memory).await,
            Err(error) => Err(refused(&slug, &error)),
        }
    }

    /// Ends the handshake after the server has answered `initialize`.
    pub(crate) async fn greet(link: Arc<Link>, hello: Payload, memory: &Arc<Memory>) -> Result<Arc<Self>, Fault> {
        let slug = &link.slug;
        let spoken = hello.text("protocolVersion").unwrap_or_default().into_owned();
        let Some(revision) = Revision::parse(&spoken).filter(|revision| !revision.is_modern()) else {
            return Err(broken(slug, format!("it answered `initialize` with the version `{spoken}`")));
        };
        link.wire().settled(&link, revision);
        link.wire().send(message::notification(Method::Initialized.as_str(), &Chunks::default())).await?;
        let offers = Offers::read(&hello);
        if link.wire().pid().is_some() {
            // Sessions over a network share a server, which tells each of them.
            link.tell_lists(memory.lists());
        }
        let session = Self {
            link,
            revision,
            hello,
            offers,
            level: Mutex::default(),
            subscriptions: Mutex::default(),
            leaving: Mutex::default(),
            talks: Talks::default(),
            memory: Arc::clone(memory),
        };
        Ok(Arc::new(session))
    }

    pub(crate) fn slug(&self) -> &Slug {
        &self.link.slug
    }

    /// Asks something and waits for the answer alone.
    pub(crate) async fn ask(&self, method: &Method, params: &Chunks, deadline: Instant) -> Result<Result<Payload, RpcError>, Fault> {
        let exchange = self.link.begin(self.link.next_id(), method, params, Wants::default())?;
        let late = || Err(late(self.slug()));
        tokio::time::timeout_at(deadline.into(), exchange.answer()).await.unwrap_or_else(|_| late())
    }

    /// Describes the server in the words of 2026-07-28.
    pub(crate) fn discover(&self) -> Payload {
        let result = translate::discover_result(&self.hello, &[Revision::LATEST]);
        if !self.offers.has(Offer::ToolTasks) {
            return result;
        }
        // The extension is offered on top of the experimental tasks of 2025-11-25.
        let capabilities = result.get("capabilities").and_then(|json| json.to_object().ok()).unwrap_or_default();
        let extensions = capabilities.get("extensions").and_then(|json| json.to_object().ok()).unwrap_or_default();
        let mut more = extensions.edit();
        more.set(extension::TASKS, Json::from_static("{}"));
        let mut changed = capabilities.edit();
        changed.set("extensions", more.finish());
        let mut edit = result.edit();
        edit.set("capabilities", changed.finish());
        edit.to_payload()
    }

    /// Makes the server send log lines at least as fine as the call wants, until the guard is dropped.
    pub(crate) async fn listen_at(self: &Arc<Self>, level: Level) -> LevelGuard {
        let level = Some(level).filter(|_| self.offers.has(Offer::Logging));
        let guard = LevelGuard { session: Arc::clone(self), level };
        if let Some(level) = level {
            let change = {
                let mut levels = self.level.lock();
                levels.wanted.push(level);
                let finest = levels.wanted.iter().copied().min();
                (levels.asked != finest).then(|| std::mem::replace(&mut levels.asked, finest)).and(finest)
            };
            if let Some(finest) = change {
                let params = Json::of(&json!({ "level": finest.as_str() }));
                let asked = self.ask(&Method::SetLevel, &params.into(), Instant::now() + ASIDE_TIMEOUT).await;
                if let Ok(Err(error)) = asked {
                    tracing::debug!(upstream = %self.slug(), error = %error.message, "the server refused a log level");
                }
            }
        }
        guard
    }

    pub(crate) fn close(&self) -> BoxFuture<'static, ()> {
        self.link.fail(&super::link::closed(self.slug()));
        self.link.wire().close()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {})", self.link.slug, self.revision)
    }
}

/// Writes the parameters of `initialize`.
pub(crate) fn initialize_params(caps: &ClientCaps) -> Chunks {
    let declared = caps.raw.to_object().unwrap_or_default();
    let mut capabilities = declared.edit();
    // The gateway keeps the tasks that servers give to clients, but no list of them; roots never change within a call.
    if chores::is_declared(&declared) {
        capabilities.set("tasks", tasks_of(caps));
    } else {
        capabilities.remove("tasks");
    }
    if declared.object.has("roots") {
        capabilities.set("roots", Json::from_static("{}"));
    }
    let capabilities = capabilities.to_payload().to_json();
    Json::of(&json!({
        "protocolVersion": Revision::LATEST_LEGACY.as_str(),
        "capabilities": capabilities,
        "clientInfo": client_info(),
    }))
    .into()
}

/// Declares tasks for what the client can be asked.
fn tasks_of(caps: &ClientCaps) -> Json {
    let mut requests = serde_json::Map::new();
    if caps.set.has(Ability::ElicitForm) || caps.set.has(Ability::ElicitUrl) {
        requests.insert("elicitation".to_owned(), json!({ "create": {} }));
    }
    if caps.set.has(Ability::Sample) {
        requests.insert("sampling".to_owned(), json!({ "createMessage": {} }));
    }
    Json::of(&json!({ "cancel": {}, "requests": requests }))
}

pub(crate) fn client_info() -> serde_json::Value {
    json!({ "name": "toolcrib", "version": env!("CARGO_PKG_VERSION") })
}

/// The server said nothing while it was started.
pub(crate) fn silent(slug: &Slug, timeout: Duration) -> Fault {
    Fault::new(Code::StartFailed, format!("`{slug}` did not answer within {}s after it was started", timeout.as_secs()))
}

pub(crate) fn refused(slug: &Slug, error: &RpcError) -> Fault {
    let fault = Fault::new(Code::StartFailed, format!("`{slug}` refused `initialize`"));
    fault.because(format!("error {}: {}", error.code, error.message))
}

/// A call ran out of time.
pub(crate) fn late(slug: &Slug) -> Fault {
    Fault::new(Code::DeadlineExceeded, format!("`{slug}` did not answer in time"))
}

// === impl LevelGuard ===

impl Drop for LevelGuard {
    fn drop(&mut self) {
        let Some(level) = self.level else { return };
        let mut levels = self.session.level.lock();
        if let Some(at) = levels.wanted.iter().position(|wanted| *wanted == level) {
            levels.wanted.swap_remove(at);
        }
    }
}

// === impl Offers ===

impl Offers {
    const PATHS: [(Offer, &'static str); 7] = [
        (Offer::Logging, "/logging"),
        (Offer::Completions, "/completions"),
        (Offer::ToolsChanged, "/tools/listChanged"),
        (Offer::PromptsChanged, "/prompts/listChanged"),
        (Offer::ResourcesChanged, "/resources/listChanged"),
        (Offer::Subscribe, "/resources/subscribe"),
        (Offer::ToolTasks, "/tasks/requests/tools/call"),
    ];

    fn read(hello: &Payload) -> Self {
        let capabilities: serde_json::Value = hello.get("capabilities").and_then(|json| json.read().ok()).unwrap_or_default();
        let is_offered = |path: &str| capabilities.pointer(path).is_some_and(|value| *value != json!(false) && !value.is_null());
        let bits = Self::PATHS.iter().filter(|(_, path)| is_offered(path)).fold(0, |bits, (offer, _)| bits | offer.bit());
        Self { bits }
    }

    pub(crate) fn has(self, offer: Offer) -> bool {
        self.bits & offer.bit() != 0
    }
}

impl Offer {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}
