//! The built-in server: every feature of the protocol once, in process, and the example of how to write a server here.
//!
//! A tool is a type that holds its arguments and implements [`tool::Tool`]: the schema comes from the type, `run` says
//! what it does. To add one, write the type under `demo/tools/` and name it in the table of [`tools`].

mod completion;
mod listen;
mod prompts;
mod resources;
mod tool;
mod tools;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crib_mcp::{Method, Payload, Revision, RpcError, code, meta};
use crib_model::{BoxFuture, Clock, Code, Fault, Forward, Health, Outcome, Reply, Upstream};
use serde_json::{Value, json};

use crate::steps;

/// How long lists and resources of this server may be kept: they change with the program only.
const TTL_MS: u64 = 60 * 60 * 1000;

/// Returns the built-in server.
#[must_use]
pub fn demo() -> Arc<dyn Upstream> {
    Arc::new(Demo::new(Arc::new(SystemClock)))
}

/// Returns the definitions of its tools, for whoever wants to know them without a call.
#[must_use]
pub fn demo_tools() -> Vec<Value> {
    tools::definitions()
}

/// The built-in server.
pub struct Demo {
    clock: Arc<dyn Clock>,
}

/// What this server answers before it is put into words of the port.
type Answer = Result<Outcome, RpcError>;

/// What is answered at once; calls of tools and subscriptions take longer.
const METHODS: &[(Method, Answerer)] = &[
    (Method::Discover, |_, _| Ok(discover())),
    (Method::ToolsList, |forward, _| one_page(&forward.params, tools::list())),
    (Method::PromptsList, |forward, _| one_page(&forward.params, prompts::list())),
    (Method::PromptsGet, |forward, _| prompts::get(forward)),
    (Method::ResourcesList, |forward, _| one_page(&forward.params, resources::list())),
    (Method::ResourcesTemplatesList, |forward, _| one_page(&forward.params, resources::templates())),
    (Method::ResourcesRead, resources::read),
    (Method::Complete, |forward, _| completion::complete_argument(&forward.params)),
];

/// What answers one method.
type Answerer = fn(&Forward, &dyn Clock) -> Answer;

#[derive(Debug)]
struct SystemClock;

/// Makes a finished result: the members of `body` and what every result carries.
fn complete(mut body: Value) -> Outcome {
    if let Some(members) = body.as_object_mut() {
        members.insert("resultType".to_owned(), json!("complete"));
        members.insert("_meta".to_owned(), json!({ meta::SERVER_INFO: server_info() }));
    }
    Outcome::Complete(Payload::of(&body), Revision::LATEST)
}

/// Makes a finished result that may be kept by anyone.
fn cacheable(mut body: Value) -> Outcome {
    if let Some(members) = body.as_object_mut() {
        members.insert("ttlMs".to_owned(), json!(TTL_MS));
        members.insert("cacheScope".to_owned(), json!("public"));
    }
    complete(body)
}

fn invalid(message: String) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, message)
}

fn server_info() -> Value {
    json!({ "name": "toolcrib-demo", "title": "Toolcrib demo", "version": env!("CARGO_PKG_VERSION") })
}

fn discover() -> Outcome {
    cacheable(json!({
        "supportedVersions": [Revision::LATEST.as_str()],
        "capabilities": {
            "tools": {}, "prompts": {}, "resources": { "subscribe": true }, "completions": {}, "logging": {},
        },
        "instructions": "A small server that shows every feature once. It calculates (add, subtract), tells the time (now) and \
            counts (count). 内置示例服务器：可以做加减法、报时和计数。",
    }))
}

/// The lists have one page, so no cursor was ever given out.
fn one_page(params: &Payload, list: Value) -> Answer {
    match params.text("cursor") {
        None => Ok(cacheable(list)),
        Some(cursor) => Err(invalid(format!("unknown cursor `{cursor}`"))),
    }
}

// === impl Demo ===

impl Demo {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Upstream for Demo {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let clock = Arc::clone(&self.clock);
        Box::pin(async move {
            if forward.method == Method::ToolsCall {
                return tools::call(forward, clock).await;
            }
            if forward.method == Method::Listen {
                return Ok(Reply::Stream(listen::listen(&forward)));
            }
            let answer = match METHODS.iter().find(|(method, _)| *method == forward.method) {
                Some((_, answer)) => answer(&forward, clock.as_ref()),
                None => Err(RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {}", forward.method))),
            };
            Ok(Reply::Done(outcome(answer)))
        })
    }

    fn health(&self) -> Health {
        Health { state: "running", revision: Some(Revision::LATEST), ..Health::default() }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Demo")
    }
}

fn outcome(answer: Answer) -> Outcome {
    answer.unwrap_or_else(|error| Outcome::Error(error, Revision::LATEST))
}

/// Waits for work, but not beyond the deadline of the call.
async fn bounded<T>(deadline: Instant, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || Fault::new(Code::DeadlineExceeded, "`demo` took longer than the call may");
    tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(|_| Err(late()))
}

// === impl SystemClock ===

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
