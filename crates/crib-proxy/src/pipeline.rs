//! The one way a call takes: route, authorize, admit, call, filter, settle.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crib_mcp::{Ability, Chunks, Json, Method, Payload, RpcError, code, translate};
use crib_model::{Client, Code, Ending, Event, Fault, Forward, Outcome, Reply, Slug, Step, Steps, Upstream};
use crib_plan::sched::Slot;
use crib_policy::{Permit, Problem, Refusal};
use futures_core::Stream;
use tokio::time::Sleep;

use crate::call::{Call, Finish, Item, Served, fault_error};
use crate::mapping::{self, Uris};
use crate::plane::Plane;
use crate::route::{self, Routed};
use crate::view::View;
use crate::{listen, lists, tasks};

/// Takes a call through all hops.
///
/// What is rare is boxed here and below, and so is the call itself: the future of a call is as large as its largest
/// branch, and it is moved.
pub(crate) async fn run(plane: &Arc<Plane>, mut call: Box<Call>) -> Served {
    let served = match call.method {
        Method::Discover => {
            let view = Box::pin(call.snapshot.view(&call.scope, &call.client.caps)).await;
            call.snapshot.refresh_if_stale(&call.scope, call.client.caps.set, plane.clock.now());
            view.only_fault().map_or_else(|| Ok(Finish::Result(lists::discover(&view, call.client.revision))), Err)
        }
        Method::ToolsList | Method::PromptsList | Method::ResourcesList | Method::ResourcesTemplatesList | Method::SkillsList => {
            Box::pin(lists::serve(plane, &call)).await
        }
        Method::Listen => return Box::pin(listen::serve(plane, call)).await,
        Method::ToolsCall
        | Method::PromptsGet
        | Method::ResourcesRead
        | Method::ResourcesDirectoryRead
        | Method::SkillsGet
        | Method::Complete
        | Method::TasksGet
        | Method::TasksUpdate
        | Method::TasksCancel => return forward(plane, call).await,
        _ => {
            let error = RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {}", call.method));
            call.ticket.refuse(Code::UnknownTarget);
            return Served::Done(Finish::Error(error));
        }
    };
    call.ticket.sized(call.params.to_json().bytes().len());
    Served::Done(match served {
        Ok(finish) => {
            let bytes = if let Finish::Result(result) = &finish { result.len() } else { 0 };
            call.ticket.settle(Ending::Ok, bytes);
            finish
        }
        Err(fault) => {
            call.ticket.fail(&fault);
            Finish::fault(&fault)
        }
    })
}

async fn forward(plane: &Arc<Plane>, mut call: Box<Call>) -> Served {
    call.ticket.sized(call.params.to_json().bytes().len());
    let is_task = matches!(call.method, Method::TasksGet | Method::TasksUpdate | Method::TasksCancel);
    if is_task && !call.client.caps.set.has(Ability::Tasks) {
        call.ticket.refuse(Code::InputImpossible);
        return Served::Done(Finish::Error(tasks::undeclared()));
    }
    let view = match route::known_view(&call) {
        Some(view) => view,
        None => Box::pin(route::view(&call)).await,
    };
    let allowed = match allow(plane, call, view) {
        Ok(allowed) => allowed,
        Err(served) => return *served,
    };
    let slot = match plane.admission.load().try_admit(&allowed.permit.inner().slug) {
        Some(slot) => slot,
        None => match Box::pin(wait(plane, &allowed)).await {
            Ok(slot) => slot,
            Err(fault) => return refused(allowed.call, &fault),
        },
    };
    dispatch(plane, allowed, slot).await
}

/// A call that may be made.
struct Allowed {
    call: Box<Call>,
    permit: Box<Permit<Routed>>,
    deadline: Instant,
}

/// Hops 3 and 4, of which nothing waits once the catalogue is known.
fn allow(plane: &Plane, mut call: Box<Call>, view: Arc<View>) -> Result<Allowed, Box<Served>> {
    let routed = match route::route(plane, &call, view) {
        Ok(routed) => routed,
        Err(unrouted) => {
            let fault = unrouted.note(plane, &mut call);
            return Err(Box::new(refused(call, &fault)));
        }
    };
    call.ticket.routed(routed.slug.clone(), Some(Arc::clone(&routed.name)));
    let permit = match authorize(&call, routed) {
        Ok(permit) => Box::new(permit),
        Err(refusal) => {
            let (code, finish) = *refusal;
            call.ticket.refuse(code);
            return Err(Box::new(Served::Done(finish)));
        }
    };
    // What is dropped now is still at hand; after the call it would have to be fetched from far away.
    call.headers = None;
    let timeout = call.snapshot.setup.call_timeout;
    let timeout = permit.inner().upstream.timeout().map_or(timeout, |own| own.min(timeout));
    let deadline = call.ticket.opened() + timeout;
    Ok(Allowed { call, permit, deadline })
}

/// Hop 5 where the upstream is busy.
async fn wait(plane: &Plane, allowed: &Allowed) -> Result<Slot, Fault> {
    let patience = || tokio::time::sleep_until(allowed.deadline.into());
    plane.admission.load_full().admit(&allowed.permit.inner().slug, patience).await
}

fn refused(mut call: Box<Call>, fault: &Fault) -> Served {
    call.ticket.fail(fault);
    let is_no_resource = call.method == Method::ResourcesRead && fault.code() == Code::UnknownTarget;
    Served::Done(if is_no_resource { Finish::no_resource(&call, fault) } else { Finish::fault(fault) })
}

/// Hop 4: rules and arguments, then the mirrored headers.
fn authorize(call: &Call, routed: Routed) -> Result<Permit<Routed>, Box<(Code, Finish)>> {
    let mismatch = match (&routed.param_headers, &call.headers) {
        (Some(wanted), Some(headers)) => wanted.check(headers, routed.arguments.as_ref()).err(),
        _ => None,
    };
    let view = Arc::clone(&routed.view);
    let rules = call.snapshot.setup.rules.of(&call.principal);
    let permit = crib_policy::authorize(rules, &call.principal, routed).map_err(|refusal| {
        let finish = match &refusal {
            Refusal::Forbidden { exposed, .. } if call.method == Method::ResourcesRead => {
                Finish::no_resource(call, &route::no_resource(exposed))
            }
            Refusal::Forbidden { kind, exposed } => Finish::fault(&route::unknown(call, &view, exposed, &kind.to_string())),
            Refusal::Arguments { exposed, problems } => Finish::Result(tool_error(&arguments_text(exposed, problems), &call.client)),
        };
        Box::new((refusal.code(), finish))
    })?;
    // After the rules: what the caller may not use must not show itself by another error.
    match mismatch {
        Some(error) => Err(Box::new((Code::ArgumentsInvalid, Finish::Error(error)))),
        None => Ok(permit),
    }
}

fn arguments_text(tool: &str, problems: &[Problem]) -> String {
    let mut text = format!("The arguments for `{tool}` are not valid:");
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}

/// Writes a tool result that says what went wrong.
pub(crate) fn tool_error(text: &str, client: &Client) -> Chunks {
    let mut result = serde_json::json!({ "content": [{ "type": "text", "text": text }], "isError": true });
    if let (true, Some(object)) = (client.revision.is_modern(), result.as_object_mut()) {
        object.insert("resultType".to_owned(), "complete".into());
    }
    Json::of(&result).into()
}

/// What is needed to turn an upstream's answer into the client's.
struct Finisher {
    plane: Arc<Plane>,
    call: Box<Call>,
    slug: Slug,
    is_untouched: bool,
    task: Option<Json>,
    _slot: Slot,
}

/// Hop 6: the call itself.
async fn dispatch(plane: &Arc<Plane>, allowed: Allowed, slot: Slot) -> Served {
    let deadline = allowed.deadline;
    let (mut finisher, forward, upstream, is_tool) = depart(plane, allowed, slot);
    let mut reply = upstream.call(Arc::clone(&forward)).await;
    let is_stale = matches!(&reply, Ok(Reply::Done(Outcome::Error(error, _))) if error.code == code::HEADER_MISMATCH);
    if is_stale && is_tool {
        reply = Box::pin(finisher.call_again(&*upstream, forward, reply)).await;
    }
    match reply {
        Ok(Reply::Done(outcome)) => Served::Done(finisher.finish(Ok(outcome))),
        Ok(Reply::Stream(steps)) => Served::Stream(Box::pin(Streaming {
            steps,
            finisher: Some(finisher),
            deadline: Box::pin(tokio::time::sleep_until(deadline.into())),
        })),
        Err(fault) => Served::Done(finisher.finish(Err(fault))),
    }
}

/// Parts what goes to the upstream from what waits for the answer.
fn depart(plane: &Arc<Plane>, allowed: Allowed, slot: Slot) -> (Finisher, Arc<Forward>, Arc<dyn Upstream>, bool) {
    let Allowed { mut call, permit, deadline } = allowed;
    let routed = permit.into_inner();
    let forward = Arc::new(Forward {
        method: call.method.clone(),
        params: routed.params.unwrap_or_else(|| call.params.clone()),
        target: routed.target,
        param_headers: routed.param_headers,
        client: Arc::clone(&call.client),
        principal: Arc::clone(&call.principal),
        log_level: call.log_level.take(),
        progress_token: call.progress_token.take(),
        inputs: call.inputs.take(),
        trace: call.trace,
        deadline,
    });
    let is_untouched = routed.view.catalog.is_untouched();
    let finisher = Finisher { plane: Arc::clone(plane), call, slug: routed.slug, is_untouched, task: routed.task, _slot: slot };
    (finisher, forward, routed.upstream, routed.tool.is_some())
}

fn late() -> Fault {
    Fault::new(Code::DeadlineExceeded, "the call ran out of time").hint("give the call or the server a longer `timeout`")
}

impl Finisher {
    /// The tool's schema has changed since it was listed: reads it again and tries once more.
    async fn call_again(&self, upstream: &dyn Upstream, forward: Arc<Forward>, refused: Result<Reply, Fault>) -> Result<Reply, Fault> {
        let (plane, call) = (&self.plane, &self.call);
        if let Some(source) = call.snapshot.source(&self.slug, call.client.caps.set) {
            source.refresh(forward.deadline.saturating_duration_since(plane.clock.now())).await;
        }
        let view = call.snapshot.view(&call.scope, &call.client.caps).await;
        let name = forward.target_name().unwrap_or_default();
        let Some(tool) = view.catalog.tool_of(&self.slug, &name) else { return refused };
        upstream.call(Arc::new(Forward { param_headers: tool.headers.clone(), ..(*forward).clone() })).await
    }

    /// Hops 7 and 8: the answer in the client's words, and the entry.
    fn finish(&mut self, outcome: Result<Outcome, Fault>) -> Finish {
        let (finish, ending, bytes) = self.translate(outcome);
        self.call.ticket.settle(ending, bytes);
        finish
    }

    fn translate(&self, outcome: Result<Outcome, Fault>) -> (Finish, Ending, usize) {
        let to = self.call.client.revision;
        match outcome {
            Ok(Outcome::Complete(payload, from)) => {
                let is_error = payload.object.bool("isError") == Some(true);
                let ending = if is_error { Ending::ToolError } else { Ending::Ok };
                let payload = self.rename(payload);
                let result = translate::result(&self.call.method, &payload, from, to, Some(&self.plane.info));
                let bytes = result.len();
                (Finish::Result(result), ending, bytes)
            }
            Ok(Outcome::Task(..)) if !self.call.client.caps.set.has(Ability::Tasks) => {
                let text = format!("`{}` answered with a task, which this client cannot follow", self.slug);
                let fault = Fault::new(Code::ProtocolBroken, text);
                (Finish::fault(&fault), Ending::Failed(fault.code()), 0)
            }
            Ok(Outcome::Task(payload, from)) => {
                let payload = tasks::expose(&self.plane, &self.call.principal, &self.slug, &payload, None);
                let result = translate::result(&self.call.method, &payload, from, to, Some(&self.plane.info));
                let bytes = result.len();
                (Finish::Result(result), Ending::Task, bytes)
            }
            Ok(Outcome::InputRequired { requests, state, meta }) => (Finish::Input { requests, state, meta }, Ending::InputRequired, 0),
            Ok(Outcome::Error(error, from)) => {
                let ending = Ending::UpstreamError(error.code);
                let bytes = error.message.len();
                (self.upstream_error(&error, from), ending, bytes)
            }
            Err(fault) => (Finish::fault(&fault), Ending::Failed(fault.code()), 0),
        }
    }

    fn rename(&self, payload: Payload) -> Payload {
        if matches!(self.call.method, Method::TasksGet | Method::TasksUpdate | Method::TasksCancel) {
            return tasks::expose(&self.plane, &self.call.principal, &self.slug, &payload, self.task.as_ref());
        }
        if self.is_untouched {
            return payload;
        }
        if self.call.method == Method::SkillsGet {
            return Payload::parse(&mapping::skill(&payload.to_json(), Uris::Of(&self.slug)).into_bytes()).unwrap_or(payload);
        }
        mapping::result(&self.call.method, &payload, Uris::Of(&self.slug)).unwrap_or(payload)
    }

    fn upstream_error(&self, error: &RpcError, from: crib_mcp::Revision) -> Finish {
        match error.code {
            // These describe the gateway's own request, not the client's.
            code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION => {
                let fault = Fault::new(Code::ProtocolBroken, format!("`{}` refused the gateway's request", self.slug));
                Finish::Error(fault_error(&fault.because(&error.message)))
            }
            code::MISSING_CAPABILITY if !self.call.client.revision.is_modern() => self.cannot_answer(error),
            _ => {
                let mut error = translate::error(&self.call.method, error, from, self.call.client.revision);
                if self.call.method == Method::ResourcesRead && !self.is_untouched {
                    error = self.about_asked(error);
                }
                Finish::Error(error)
            }
        }
    }

    /// `data.uri` must be the URI that was asked for.
    fn about_asked(&self, error: RpcError) -> RpcError {
        let data = error.data.as_ref().and_then(|data| data.to_object().ok()).filter(|data| data.object.has("uri"));
        let (Some(data), Some(asked)) = (data, self.call.params.get("uri")) else { return error };
        let mut edit = data.edit();
        edit.set("uri", asked);
        let data = edit.to_payload().to_json();
        error.with_data(data)
    }

    /// A legacy client has no error for a capability it lacks: the model is told in words.
    fn cannot_answer(&self, error: &RpcError) -> Finish {
        let needed = error.data.as_ref().map(needed_capabilities).unwrap_or_default();
        let needed = if needed.is_empty() { "something".to_owned() } else { needed.join(", ") };
        let text = format!("`{}` needs {needed}, which this client does not support", self.slug);
        if self.call.method == Method::ToolsCall {
            return Finish::Result(tool_error(&text, &self.call.client));
        }
        Finish::Error(fault_error(&Fault::new(Code::InputImpossible, text)))
    }
}

/// Returns the capabilities a server misses, as paths such as `elicitation.form`.
fn needed_capabilities(data: &Json) -> Vec<String> {
    fn walk(path: &str, value: &serde_json::Value, out: &mut Vec<String>) {
        match value.as_object().filter(|object| !object.is_empty()) {
            Some(object) => {
                for (name, inner) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, inner, out);
                }
            }
            None => out.push(path.to_owned()),
        }
    }
    let data: serde_json::Value = data.read().unwrap_or_default();
    let mut out = Vec::new();
    if let Some(required) = data.get("requiredCapabilities") {
        walk("", required, &mut out);
    }
    out
}

/// A reply that says something before it ends. Settles the call at its end, or as abandoned when dropped.
struct Streaming {
    steps: Steps,
    finisher: Option<Finisher>,
    deadline: Pin<Box<Sleep>>,
}

impl Stream for Streaming {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = &mut *self;
        loop {
            let Some(finisher) = &mut this.finisher else { return Poll::Ready(None) };
            let step = match this.steps.as_mut().poll_next(cx) {
                Poll::Ready(step) => step,
                Poll::Pending if this.deadline.as_mut().poll(cx).is_ready() => Some(Step::Done(Err(late()))),
                Poll::Pending => return Poll::Pending,
            };
            match step {
                Some(Step::Event(Event(notification))) => {
                    if let Some(notification) = translate::event(&notification, finisher.call.client.revision) {
                        return Poll::Ready(Some(Item::Event(notification)));
                    }
                }
                Some(Step::Done(outcome)) => {
                    let finish = finisher.finish(outcome);
                    this.finisher = None;
                    return Poll::Ready(Some(Item::Done(finish)));
                }
                None => {
                    let lost = Fault::new(Code::ServerGone, format!("`{}` ended its answer early", finisher.slug));
                    let finish = finisher.finish(Err(lost));
                    this.finisher = None;
                    return Poll::Ready(Some(Item::Done(finish)));
                }
            }
        }
    }
}
