//! A channel to a server, shared by requests: gives ids, finds whom a message is for, answers what needs no one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crib_mcp::{Ability, CapSet, Chunks, ClientCaps, Json, Message, Method, Notification, Payload, Request, RequestId, Response, RpcError};
use crib_mcp::{code, message, meta};
use crib_model::limits::{BATCH_MAX, STREAM_QUEUE_MAX};
use crib_model::{Code, Fault, Slug};
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::chores::{self, Chores};
use super::exchange::Exchange;
use super::inbox::{Arrival, Slip, inbox};
pub(crate) use super::wire::{Carry, Wire};
use crate::level::Level;
use crate::outcome::broken;
use crate::timer::Timers;

/// What came back for a request: a result or error of the server, or the end of the channel.
pub(crate) type Answer = Result<Result<Payload, RpcError>, Fault>;

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A channel that all requests share.
    Shared,
    /// The stream that answers one request.
    Call(u64),
}

/// A request of the server in the middle of a call.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: RequestId,
    /// The server does not wait, but looks after this chore.
    pub(super) chore: Option<String>,
    pub(crate) method: Method,
    pub(crate) params: Payload,
}

/// What a request wants to hear before its answer.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent wish")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    pub(crate) progress: bool,
    pub(crate) log: Option<Level>,
    /// The server may ask something in the middle of it.
    pub(crate) questions: bool,
    /// The task it waits for: only what this task asks is for it.
    pub(crate) task: Option<Arc<str>>,
    /// A subscription: it runs beside everything and causes nothing.
    pub(crate) listens: bool,
    /// The trace it is part of, for channels with headers.
    pub(crate) trace: Option<Box<HeaderMap>>,
}

/// A channel to one server.
pub(crate) struct Link {
    pub(crate) slug: Slug,
    /// What the server was told the client can do; empty where servers cannot ask.
    caps: CapSet,
    chores: Chores,
    wire: Arc<dyn Wire>,
    ids: AtomicU64,
    state: Mutex<State>,
    changes: broadcast::Sender<Notification>,
    /// Where all processes of a server tell that its lists have changed.
    lists: OnceLock<broadcast::Sender<Notification>>,
    over: CancellationToken,
    pub(crate) timers: Arc<Timers>,
}

#[derive(Default)]
struct State {
    calls: HashMap<u64, Slot, foldhash::fast::RandomState>,
    ended: Option<Fault>,
}

struct Slot {
    wants: Wants,
    slip: Slip,
}

// === impl Link ===

impl Link {
    pub(crate) fn new(slug: Slug, caps: &ClientCaps, wire: Arc<dyn Wire>) -> Arc<Self> {
        let chores = Chores::new(chores::is_declared(&caps.raw.to_object().unwrap_or_default()));
        let caps = caps.set;
        let (changes, _) = broadcast::channel(STREAM_QUEUE_MAX);
        let ids = AtomicU64::new(1);
        Arc::new(Self {
            slug,
            caps,
            chores,
            wire,
            ids,
            state: Mutex::default(),
            changes,
            lists: OnceLock::new(),
            over: CancellationToken::new(),
            timers: Arc::default(),
        })
    }

    /// Gives the number of the next request. It serves as its progress token too.
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns how many requests were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.ids.load(Ordering::Relaxed)
    }

    /// Sends a request under a number of [`Self::next_id`].
    pub(crate) fn begin(self: &Arc<Self>, id: u64, method: &Method, params: &Chunks, mut wants: Wants) -> Result<Exchange, Fault> {
        let trace = wants.trace.take();
        let (slip, inbox) = inbox();
        {
            let mut state = self.state.lock();
            if let Some(fault) = &state.ended {
                return Err(fault.clone());
            }
            state.calls.insert(id, Slot { wants, slip });
        }
        let text = message::request(&RequestId::number(id), method.as_str(), params);
        Ok(Exchange::new(Arc::clone(self), id, *method == Method::Initialize, (inbox, self.wire.request(self, id, text, trace))))
    }

    /// Sends a message that nothing waits for.
    pub(crate) fn post(&self, message: Chunks) {
        self.wire.post(message);
    }

    /// Answers a question of the server.
    pub(super) fn reply(&self, ask: &Ask, answer: Result<Json, RpcError>) {
        match (&ask.chore, answer) {
            (Some(chore), answer) => self.chores.finish(chore, &answer).into_iter().for_each(|message| self.post(message)),
            (None, Ok(result)) => self.post(message::result(&ask.id, &result.into())),
            (None, Err(error)) => self.post(message::error(Some(&ask.id), &error)),
        }
    }

    pub(crate) fn wire(&self) -> &Arc<dyn Wire> {
        &self.wire
    }

    /// Tells changes of lists here too, and to those who listen in other sessions.
    pub(super) fn tell_lists(&self, everywhere: &broadcast::Sender<Notification>) {
        self.lists.get_or_init(|| everywhere.clone());
    }

    /// Listens to changes: `list_changed`, `resources/updated`, task states.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Notification> {
        self.changes.subscribe()
    }

    /// Resolves when the channel has ended.
    pub(crate) fn over(&self) -> &CancellationToken {
        &self.over
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.state.lock().ended.clone()
    }

    /// Ends the channel: everything in flight is answered with the fault at once.
    pub(crate) fn fail(&self, fault: &Fault) {
        let calls = {
            let mut state = self.state.lock();
            state.ended.get_or_insert_with(|| fault.clone());
            std::mem::take(&mut state.calls)
        };
        self.over.cancel();
        for slot in calls.into_values() {
            slot.slip.answer(Err(fault.clone()));
        }
    }

    /// Ends the channel for everything but the calls in flight, which find their own ends.
    pub(crate) fn end(&self, fault: &Fault) {
        self.state.lock().ended.get_or_insert_with(|| fault.clone());
        self.over.cancel();
    }

    /// Ends one call with a fault.
    pub(crate) fn fail_call(&self, id: u64, fault: Fault) {
        let slot = self.state.lock().calls.remove(&id);
        if let Some(slot) = slot {
            slot.slip.answer(Err(fault));
        }
    }

    /// Ends the only call in flight; with several, nobody knows whose answer was lost.
    pub(crate) fn fail_sole(&self, fault: &Fault) {
        match self.sole(Origin::Shared, |_| true) {
            Some(id) => self.fail_call(id, fault.clone()),
            None => tracing::warn!(upstream = %self.slug, %fault, "an answer was lost"),
        }
    }

    /// Tells whether a call still waits for its answer.
    pub(crate) fn awaits(&self, id: u64) -> bool {
        self.state.lock().calls.contains_key(&id)
    }

    /// Forgets a call whose caller is gone; tells whether it was still waiting.
    pub(super) fn forget(&self, id: u64) -> bool {
        self.state.lock().calls.remove(&id).is_some()
    }

    /// Takes a text from the server: one message, or a batch as 2025-03-26 allows.
    pub(crate) fn deliver(&self, text: &Bytes, origin: Origin) {
        if !message::is_batch(text) {
            return self.deliver_one(text, origin);
        }
        match message::split_batch(text) {
            Ok(texts) => texts.iter().take(BATCH_MAX).for_each(|text| self.deliver_one(text, origin)),
            Err(malformed) => self.garbage(text, origin, &malformed.error),
        }
    }

    fn deliver_one(&self, text: &Bytes, origin: Origin) {
        match Message::parse(text) {
            Ok(Message::Response(response)) => self.answer(response, origin),
            Ok(Message::Notification(notification)) => self.notice(notification, origin),
            Ok(Message::Request(request)) => self.asked(request, origin),
            Err(malformed) => {
                let named = malformed.id.as_ref().and_then(RequestId::as_u64).map_or(origin, Origin::Call);
                self.garbage(text, named, &malformed.error);
            }
        }
    }

    /// Takes an answer. Late, doubled and invented ones find nobody waiting.
    fn answer(&self, response: Response, origin: Origin) {
        let id = match (&response.id, origin) {
            (Some(id), _) => id.as_u64(),
            // Only an error may come without an id; then it is for the one who waits here.
            (None, origin) => self.sole(origin, |_| true),
        };
        let slot = id.and_then(|id| self.state.lock().calls.remove(&id));
        match slot {
            Some(slot) => slot.slip.answer(Ok(response.outcome)),
            None => tracing::debug!(upstream = %self.slug, "an answer nobody waits for was discarded"),
        }
    }

    fn notice(&self, notification: Notification, origin: Origin) {
        let tagged = notification.params.meta(meta::SUBSCRIPTION_ID);
        if notification.method == Method::Progress {
            let id = notification.params.object.u64(meta::PROGRESS_TOKEN);
            self.say(id, notification, |wants| wants.progress);
        } else if notification.method == Method::LogMessage {
            let level = notification.params.get("level").as_ref().and_then(Level::read);
            let id = self.sole(origin, |wants| !wants.listens);
            self.say(id, notification, |wants| wants.log.is_some_and(|least| level.is_some_and(|level| level >= least)));
        } else if let Some(tag) = tagged {
            self.say(tag.as_str().parse().ok(), notification, |_| true);
        } else {
            // Without listeners there is nobody to tell.
            let is_list = matches!(notification.method, Method::ToolsChanged | Method::PromptsChanged | Method::ResourcesChanged);
            let to = self.lists.get().filter(|_| is_list).unwrap_or(&self.changes);
            let _unheard = to.send(notification).is_err();
        }
    }

    fn say(&self, id: Option<u64>, notification: Notification, wanted: impl FnOnce(&Wants) -> bool) {
        let state = self.state.lock();
        let Some(slot) = id.and_then(|id| state.calls.get(&id)) else { return };
        if wanted(&slot.wants) && slot.slip.put(Arrival::Said(notification)).is_err() {
            tracing::debug!(upstream = %self.slug, "a slow reader missed a notification");
        }
    }

    fn asked(&self, request: Request, origin: Origin) {
        let Request { id, method, params } = request;
        if method == Method::Ping {
            return self.post(message::result(&id, &Json::from_static("{}").into()));
        }
        if chores::is_about(&method) {
            if let Some(answer) = self.chores.asked(&id, &method, &params) {
                self.post(answer);
            }
            return;
        }
        let needed = needed(&method, &params);
        let is_covered = needed.is_some_and(|ability| self.caps.has(ability));
        let whose = match related_task(&params) {
            Some(task) => self.waiting_for(&task),
            None => self.sole(origin, |wants| wants.questions),
        };
        let lacking = whose.zip(needed.filter(|ability| !is_covered && *ability != Ability::Roots));
        let whose = whose.filter(|_| is_covered);
        let chore = whose.and_then(|_| self.chores.take(&params));
        let (chore, created) = chore.map_or((None, None), |(chore, created)| (Some(chore), Some(created)));
        let ask = Ask { id: id.clone(), chore, method, params };
        let Some(ask) = self.hand_over(whose, ask) else {
            if let Some(created) = created {
                self.post(message::result(&id, &created.into()));
            }
            return;
        };
        if ask.method == Method::RootsList && is_covered {
            return self.post(message::result(&ask.id, &Json::from_static(r#"{"roots":[]}"#).into()));
        }
        let error = RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {} has nobody to answer it now", ask.method));
        self.post(message::error(Some(&ask.id), &error));
        // Roots have an empty answer; without the others the call cannot go on.
        if let Some((id, ability)) = lacking {
            self.lack(id, ability);
        }
    }

    /// Gives a question to a call; gives it back when the call cannot take it.
    fn hand_over(&self, whose: Option<u64>, ask: Ask) -> Option<Ask> {
        let state = self.state.lock();
        let Some(slot) = whose.and_then(|id| state.calls.get(&id)) else { return Some(ask) };
        match slot.slip.put(Arrival::Asked(ask)) {
            Err(Arrival::Asked(ask)) => Some(ask),
            _ => None,
        }
    }

    fn lack(&self, id: u64, ability: Ability) {
        let state = self.state.lock();
        let Some(slot) = state.calls.get(&id) else { return };
        if slot.wants.questions && slot.slip.put(Arrival::Lacks(ability)).is_err() {
            tracing::debug!(upstream = %self.slug, "a slow reader missed that its client lacks a capability");
        }
    }

    fn waiting_for(&self, task: &str) -> Option<u64> {
        let state = self.state.lock();
        state.calls.iter().find(|(_, slot)| slot.wants.task.as_deref() == Some(task)).map(|(id, _)| *id)
    }

    /// Finds the call a message belongs to that does not say so itself. On a shared channel that is safe only when
    /// there is one.
    fn sole(&self, origin: Origin, fits: impl Fn(&Wants) -> bool) -> Option<u64> {
        if let Origin::Call(id) = origin {
            return Some(id);
        }
        let state = self.state.lock();
        let mut fitting = state.calls.iter().filter(|(_, slot)| fits(&slot.wants));
        match (fitting.next(), fitting.next()) {
            (Some((id, _)), None) => Some(*id),
            _ => None,
        }
    }

    /// Something that is not a message. Many servers print to their output by mistake, so it ends a call only when it
    /// must have been meant as an answer to it.
    fn garbage(&self, text: &Bytes, origin: Origin, error: &RpcError) {
        let looks_meant = text.first().is_some_and(|first| matches!(first, b'{' | b'['));
        match self.sole(origin, |_| true) {
            Some(id) if looks_meant || origin != Origin::Shared => self.fail_call(id, broken(&self.slug, &error.message)),
            _ => tracing::debug!(upstream = %self.slug, error = %error.message, "the server sent something that is no message"),
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.slug)
    }
}

/// Returns what a client must be able to do to answer a question; `None` for what no client answers.
fn needed(method: &Method, params: &Payload) -> Option<Ability> {
    if *method == Method::ElicitationCreate {
        let is_url = params.text("mode").as_deref() == Some("url");
        return Some(if is_url { Ability::ElicitUrl } else { Ability::ElicitForm });
    }
    [(Method::SamplingCreate, Ability::Sample), (Method::RootsList, Ability::Roots)]
        .into_iter()
        .find_map(|(asked, ability)| (asked == *method).then_some(ability))
}

/// Returns the task a message says it belongs to.
fn related_task(params: &Payload) -> Option<String> {
    let related = params.meta(meta::RELATED_TASK)?.to_object().ok()?;
    related.text("taskId").map(std::borrow::Cow::into_owned)
}

/// What is said to calls of a channel that has ended in order.
pub(crate) fn closed(slug: &Slug) -> Fault {
    Fault::new(Code::ServerGone, format!("`{slug}` was stopped"))
}
