//! The task behind a source: reads the lists, holds the subscription, tells what changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use crib_mcp::{Json, Method, Payload};
use crib_model::{Client, Event, Fault, Reply, Slug, Step, Steps, Upstream, limits};
use crib_registry::pins::{Pins, Verdict};
use futures_util::StreamExt;
use tokio::sync::{broadcast, mpsc, watch};

use super::watched::Watched;
use super::{ACK_TIMEOUT, Change, Command, Offer, OnOffer, RETRY_MIN, Watch};
use crate::ask::{self, Pages};

/// How long one list of an upstream may take once it runs.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long the first lists wait for the subscription to what changes in them.
const HEAD_START: Duration = Duration::from_millis(500);
/// Open-ended requests get a deadline all the same.
const LISTEN_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long an old subscription is still read after the new one was acknowledged.
const OVERLAP: Duration = Duration::from_millis(50);

pub(super) struct Task {
    pub(super) slug: Slug,
    pub(super) upstream: Arc<dyn Upstream>,
    pub(super) client: Arc<Client>,
    pub(super) pins: Arc<dyn Pins>,
    pub(super) on_offer: OnOffer,
    pub(super) offer: Arc<ArcSwapOption<Offer>>,
    pub(super) loaded: watch::Sender<u64>,
    pub(super) changes: broadcast::Sender<Change>,
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) watched: Watched,
    pub(super) steps: Option<Steps>,
    pub(super) honoured: Watch,
    pub(super) retry: Duration,
}

enum Wake {
    Command(Option<Command>),
    Step(Option<Step>),
    Retry,
    /// The server sleeps or was stopped no longer.
    Woken,
}

impl Task {
    /// Runs until nobody holds the source any more. What is rare is boxed: the task lives as long as its source.
    pub(super) async fn run(mut self, known: Option<Arc<Offer>>) {
        match known.filter(|_| self.is_dormant()) {
            Some(known) => Box::pin(self.adopt(&known)).await,
            None => Box::pin(self.load()).await,
        }
        loop {
            let wake = self.next().await;
            match wake {
                Wake::Command(None) => return,
                Wake::Command(Some(Command::Renew)) if self.is_dormant() => {}
                Wake::Command(Some(Command::Refresh | Command::Renew)) => Box::pin(self.load()).await,
                Wake::Command(Some(Command::Judge)) => Box::pin(self.judge_again()).await,
                Wake::Command(Some(Command::Watch(watch, ack))) => {
                    if self.watched.add(&watch) || self.steps.is_none() {
                        Box::pin(self.listen()).await;
                    }
                    let honoured = Watch {
                        uris: watch.uris.into_iter().filter(|uri| self.honoured.uris.contains(uri)).collect(),
                        tasks: watch.tasks.into_iter().filter(|task| self.honoured.tasks.contains(task)).collect(),
                    };
                    // The one who asked may have left.
                    drop(ack.send(honoured));
                }
                Wake::Command(Some(Command::Unwatch(watch))) => {
                    if self.watched.remove(&watch) {
                        Box::pin(self.listen()).await;
                    }
                }
                Wake::Step(Some(Step::Event(event))) => Box::pin(self.changed(event)).await,
                Wake::Step(Some(Step::Done(_)) | None) => self.steps = None,
                // It fell asleep while the time went by.
                Wake::Retry if self.is_dormant() => {}
                Wake::Retry | Wake::Woken => Box::pin(self.load()).await,
            }
        }
    }

    async fn next(&mut self) -> Wake {
        let is_dormant = self.is_dormant();
        let (wants, lacks) = (!is_dormant && self.wants_retry(), is_dormant && self.wants_retry());
        let (retry, woken) = (self.retry, self.upstream.woken());
        let steps = async {
            match &mut self.steps {
                Some(steps) => steps.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = self.inbox.recv() => Wake::Command(command),
            step = steps => Wake::Step(step),
            () = tokio::time::sleep(retry), if wants => {
                self.retry = (retry * 2).min(RETRY_MAX);
                Wake::Retry
            }
            () = woken, if lacks => Wake::Woken,
        }
    }

    /// Tells whether the server is down because nobody wants anything of it: then nobody asks it for its lists.
    fn is_dormant(&self) -> bool {
        matches!(self.upstream.health().state, "sleeping" | "stopped")
    }

    /// A subscription that should be there and is not is tried again, slower each time.
    fn wants_retry(&self) -> bool {
        self.steps.is_none() && self.offer.load().as_ref().is_some_and(|offer| offer.fault.is_none() && self.filter(offer).is_some())
    }

    /// Reads the lists, and subscribes to what changes in them where that is not done.
    async fn load(&mut self) {
        let (offer, is_slow) = self.read().await;
        if let Some(fault) = &offer.fault {
            tracing::warn!(upstream = %self.slug, code = %fault.code(), "{fault}");
        }
        self.publish(offer).await;
        if is_slow {
            self.listen().await;
        }
    }

    /// Takes over what was known before, under today's rules.
    async fn adopt(&mut self, known: &Offer) {
        let verdict = self.judge(known).await;
        self.offer.store(Some(Arc::new(known.judged(verdict))));
        (self.on_offer)();
        self.loaded.send_modify(|n| *n += 1);
    }

    async fn publish(&mut self, mut offer: Offer) {
        offer.read_at = Some(Instant::now());
        if let (Some(_), Some(last)) = (&offer.fault, self.offer.load().as_ref()) {
            // What was known stays usable: the next call starts the server again or says why it cannot.
            if last.fault.is_none() {
                self.loaded.send_modify(|n| *n += 1);
                return;
            }
        }
        if offer.fault.is_none() {
            offer.verdict = self.judge(&offer).await;
        }
        self.offer.store(Some(Arc::new(offer)));
        (self.on_offer)();
        self.loaded.send_modify(|n| *n += 1);
    }

    /// Asks what of the tools may be shown. It may have to be written down, so a thread that may wait asks.
    async fn judge(&mut self, offer: &Offer) -> Verdict {
        let (pins, slug, tools) = (Arc::clone(&self.pins), self.slug.clone(), offer.tools.items.clone());
        let kind = format!("{:?}", self.client.caps.set);
        let instructions = offer.discover.text("instructions").map(std::borrow::Cow::into_owned);
        let judged = tokio::task::spawn_blocking(move || pins.judge(&slug, &kind, &tools, instructions.as_deref())).await;
        let verdict = judged.unwrap_or_else(|error| {
            tracing::error!(upstream = %self.slug, "tools are held back because they could not be judged: {error}");
            Verdict::all_held(&offer.tools.items)
        });
        for held in &verdict.held {
            tracing::warn!(upstream = %self.slug, "tool `{}` is held back: it {}", crib_registry::pins::visible(&held.name), held.why);
        }
        for warned in &verdict.warned {
            tracing::warn!(upstream = %self.slug, "tool `{}` {}", crib_registry::pins::visible(&warned.name), warned.why);
        }
        verdict
    }

    /// Judges what is known anew, after something was approved.
    async fn judge_again(&mut self) {
        let Some(last) = self.offer.load_full() else { return };
        if last.fault.is_some() {
            return;
        }
        let verdict = self.judge(&last).await;
        if verdict == last.verdict {
            return;
        }
        self.offer.store(Some(Arc::new(last.judged(verdict))));
        (self.on_offer)();
        drop(self.changes.send(Change::Tools));
    }

    /// Returns the lists, and whether the server has yet to answer to a subscription.
    async fn read(&mut self) -> (Offer, bool) {
        let deadline = Instant::now() + limits::START_TIMEOUT + LIST_TIMEOUT;
        let discover = ask::forward(&self.client, Method::Discover, &Payload::default(), deadline);
        let discover = match ask::result(&*self.upstream, discover).await {
            Ok((discover, _)) => discover,
            Err(fault) => return (Offer { fault: Some(fault), ..Offer::default() }, false),
        };
        let mut offer = Offer { discover, ..Offer::default() };
        let is_slow = self.steps.is_none() && self.listen_ahead(&offer).await;
        let lists = [
            (Method::ToolsList, offer.capability("tools").is_some()),
            (Method::PromptsList, offer.capability("prompts").is_some()),
            (Method::ResourcesList, offer.capability("resources").is_some()),
            (Method::ResourcesTemplatesList, offer.capability("resources").is_some()),
            (Method::SkillsList, offer.extension(crib_mcp::meta::extension::SKILLS).is_some()),
        ];
        for (method, is_offered) in lists {
            if is_offered {
                self.read_list(&mut offer, &method).await;
            }
        }
        (offer, is_slow)
    }

    async fn read_list(&mut self, offer: &mut Offer, method: &Method) {
        match ask::pages(&*self.upstream, &self.client, method, LIST_TIMEOUT).await {
            Ok(pages) => match ask::list_key(method) {
                "tools" => offer.tools = pages,
                "prompts" => offer.prompts = pages,
                "resourceTemplates" => offer.templates = pages,
                "skills" => offer.skills = pages,
                _ => offer.resources = pages,
            },
            // Several servers declare resources and do not know templates: the rest of what they offer still counts.
            Err(fault) if *method == Method::ToolsList => offer.fault = Some(fault),
            Err(fault) => tracing::debug!(upstream = %self.slug, method = %method, "{fault}"),
        }
    }

    /// Returns what to subscribe to; `None` when there is nothing.
    fn filter(&self, offer: &Offer) -> Option<serde_json::Value> {
        let mut filter = serde_json::Map::new();
        for (capability, key) in [("tools", "toolsListChanged"), ("prompts", "promptsListChanged"), ("resources", "resourcesListChanged")] {
            if offer.announces(capability) {
                filter.insert(key.to_owned(), true.into());
            }
        }
        if !self.watched.uris.is_empty() {
            let uris: Vec<&String> = self.watched.uris.keys().collect();
            filter.insert("resourceSubscriptions".to_owned(), serde_json::json!(uris));
        }
        if !self.watched.tasks.is_empty() {
            let tasks: Vec<&String> = self.watched.tasks.keys().collect();
            filter.insert("taskIds".to_owned(), serde_json::json!(tasks));
        }
        (!filter.is_empty()).then_some(filter.into())
    }

    /// Subscribes before the lists are read: what changes between the two would be told to nobody. A server that is slow
    /// to acknowledge does not hold up its lists for long; returns whether it is one.
    async fn listen_ahead(&mut self, offer: &Offer) -> bool {
        let Some(filter) = self.filter(offer) else { return false };
        let Ok(answer) = tokio::time::timeout(HEAD_START, self.subscription(&filter)).await else { return true };
        match answer {
            Ok((honoured, steps)) => (self.honoured, self.steps, self.retry) = (honoured, Some(steps), RETRY_MIN),
            Err(fault) => tracing::debug!(upstream = %self.slug, "no subscription: {fault}"),
        }
        false
    }

    fn subscription(&self, filter: &serde_json::Value) -> impl Future<Output = Result<(Watch, Steps), Fault>> + Send + use<> {
        let params = Payload::of(&serde_json::json!({ "notifications": filter }));
        subscribe(Arc::clone(&self.upstream), Arc::clone(&self.client), params)
    }

    /// Opens the subscription that fits what is watched, then drops the one before it.
    async fn listen(&mut self) {
        let Some(offer) = self.offer.load_full() else { return };
        let Some(filter) = self.filter(&offer) else {
            self.steps = None;
            self.honoured = Watch::default();
            return;
        };
        let subscribe = self.subscription(&filter);
        match self.beside(tokio::time::timeout(ACK_TIMEOUT, subscribe)).await {
            Ok(Ok((honoured, steps))) => {
                // What is on its way on the old subscription is not lost; hearing something twice does no harm.
                drop(self.beside(tokio::time::timeout(OVERLAP, std::future::pending::<()>())).await);
                self.honoured = honoured;
                self.steps = Some(steps);
                self.retry = RETRY_MIN;
            }
            Ok(Err(fault)) => tracing::debug!(upstream = %self.slug, "no subscription: {fault}"),
            Err(_) => tracing::debug!(upstream = %self.slug, "a subscription was not acknowledged in time"),
        }
    }

    /// Waits for something while the subscription there is goes on being heard.
    async fn beside<T>(&mut self, work: impl Future<Output = T> + Send) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let Some(steps) = &mut self.steps else { return work.await };
            let step = tokio::select! {
                biased;
                step = steps.next() => step,
                done = &mut work => return done,
            };
            match step {
                Some(Step::Event(event)) => self.changed(event).await,
                Some(Step::Done(_)) | None => self.steps = None,
            }
        }
    }

    async fn changed(&mut self, Event(event): Event) {
        let change = match event.method {
            Method::ToolsChanged => Change::Tools,
            Method::PromptsChanged => Change::Prompts,
            Method::ResourcesChanged => Change::Resources,
            Method::ResourceUpdated => Change::Updated(event.params),
            Method::TaskStatus => Change::Task(event.params),
            _ => return,
        };
        let kind = match &change {
            Change::Tools => Some([Method::ToolsList].as_slice()),
            Change::Prompts => Some([Method::PromptsList].as_slice()),
            Change::Resources => Some([Method::ResourcesList, Method::ResourcesTemplatesList].as_slice()),
            Change::Updated(_) | Change::Task(_) => None,
        };
        if let Some(methods) = kind {
            self.reload(methods).await;
        }
        // Nobody listening is fine.
        drop(self.changes.send(change));
    }

    /// Reads single lists again and keeps the others.
    async fn reload(&mut self, methods: &[Method]) {
        let Some(last) = self.offer.load_full() else { return };
        let mut offer = Offer { discover: last.discover.clone(), ..Offer::default() };
        for method in methods {
            self.read_list(&mut offer, method).await;
        }
        if offer.fault.is_some() {
            return;
        }
        let has = |method: Method| methods.contains(&method);
        let offer = Offer {
            tools: if has(Method::ToolsList) { offer.tools } else { last.tools.share() },
            prompts: if has(Method::PromptsList) { offer.prompts } else { last.prompts.share() },
            resources: if has(Method::ResourcesList) { offer.resources } else { last.resources.share() },
            templates: if has(Method::ResourcesTemplatesList) { offer.templates } else { last.templates.share() },
            skills: last.skills.share(),
            ..offer
        };
        self.publish(offer).await;
    }
}

impl Offer {
    /// The same offer under another verdict.
    fn judged(&self, verdict: Verdict) -> Self {
        Self {
            discover: self.discover.clone(),
            tools: self.tools.share(),
            prompts: self.prompts.share(),
            resources: self.resources.share(),
            templates: self.templates.share(),
            skills: self.skills.share(),
            verdict,
            fault: None,
            read_at: self.read_at,
        }
    }
}

impl Pages {
    fn share(&self) -> Self {
        Self { items: self.items.clone(), ttl_ms: self.ttl_ms, is_public: self.is_public, revision: self.revision }
    }
}

async fn subscribe(upstream: Arc<dyn Upstream>, client: Arc<Client>, params: Payload) -> Result<(Watch, Steps), Fault> {
    let forward = ask::forward(&client, Method::Listen, &params, Instant::now() + LISTEN_MAX);
    let Reply::Stream(mut steps) = upstream.call(Arc::new(forward)).await? else {
        return Err(Fault::new(crib_model::Code::ProtocolBroken, "the server does not keep subscriptions open"));
    };
    match steps.next().await {
        Some(Step::Event(Event(first))) if first.method == Method::Acknowledged => Ok((honoured(&first.params), steps)),
        Some(Step::Done(Err(fault))) => Err(fault),
        Some(Step::Event(_) | Step::Done(Ok(_))) | None => {
            Err(Fault::new(crib_model::Code::ProtocolBroken, "the server did not acknowledge a subscription"))
        }
    }
}

fn honoured(params: &Payload) -> Watch {
    let filter = params.get("notifications").and_then(|filter| filter.to_object().ok()).unwrap_or_default();
    let list = |name: &str| filter.get(name).and_then(|list| Json::read(&list).ok()).unwrap_or_default();
    Watch { uris: list("resourceSubscriptions"), tasks: list("taskIds") }
}
