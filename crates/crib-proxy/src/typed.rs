//! The data plane for programs: tools as values, for REST, the command line and embedding. The same pipeline.

use std::sync::Arc;
use std::time::Instant;

use crib_mcp::{ClientCaps, Json, Kind, Method, Payload, Revision, RpcError};
use crib_model::{Client, Code, Fault, Health, Principal, Scope, Slug};
use crib_policy::Kind as What;
use crib_registry::ToolEntry;
use futures_util::StreamExt;
use http::HeaderMap;

use crate::call::{Call, Finish, Item, Served};
use crate::plane::Plane;
use crate::settle::Ticket;
use crate::view::{self, View};
use crate::{ask, pipeline, trace};

/// How often a question is put anew because the configuration has changed meanwhile.
const RELOADS_MAX: usize = 8;

/// A tool as a caller sees it.
#[derive(Clone, Debug)]
pub struct ToolInfo {
    /// The name to call it by.
    pub name: Arc<str>,
    pub server: Slug,
    /// The server's own name for it.
    pub own_name: Arc<str>,
    /// The `Tool` object of the protocol.
    pub definition: Json,
}

/// How a tool call ended.
#[derive(Clone, Debug)]
pub enum Called {
    /// A `CallToolResult` of 2026-07-28; the tool may have failed (`isError`).
    Result(Json),
    /// A JSON-RPC error: refused, unknown, or the server failed.
    Error(RpcError),
    /// The tool asks something first: an object of input requests.
    InputRequired(Json),
}

/// A server and how it is.
#[derive(Clone, Debug)]
pub struct ServerInfo {
    pub slug: Slug,
    pub health: Health,
    /// How many tools it lists to clients without capabilities; `None` before it was asked.
    pub tools: Option<usize>,
    /// Why its lists are missing.
    pub fault: Option<Fault>,
    /// The processes that were started for it.
    pub pids: Vec<u32>,
}

impl ServerInfo {
    /// Says why it lists nothing: it failed, or it has not answered so far. Nothing where it has answered.
    #[must_use]
    pub fn trouble(&self) -> Option<Fault> {
        let fault = self.fault.as_ref().or(self.health.fault.as_ref()).cloned();
        fault.or_else(|| self.tools.is_none().then(|| view::unheard(&self.slug)))
    }
}

impl Plane {
    /// Returns the tools a caller may use, in the order of the catalogue.
    pub async fn tools(&self, principal: &Arc<Principal>, scope: &Scope) -> Vec<ToolInfo> {
        let snapshot = self.snapshot();
        let view = snapshot.view(scope, &ClientCaps::none()).await;
        let rules = snapshot.setup.rules.of(principal);
        view.catalog.tools().iter().filter(|tool| rules.allows(&tool.slug, What::Tool, &tool.name)).map(info).collect()
    }

    /// Returns the tools of one server that a caller may use, under the names they have among all. Other servers that
    /// are slow to start hold nobody up.
    pub async fn tools_of(&self, principal: &Arc<Principal>, slug: &Slug) -> Vec<ToolInfo> {
        let mut snapshot = self.snapshot();
        let mut view = snapshot.view_with(&Scope::All, &ClientCaps::none(), slug).await;
        for _ in 0..RELOADS_MAX {
            let newest = self.snapshot();
            if view.has_heard_of(slug) || Arc::ptr_eq(&newest, &snapshot) {
                break;
            }
            // What was asked for the server has ended with the configuration it was in.
            snapshot = newest;
            view = snapshot.view_with(&Scope::All, &ClientCaps::none(), slug).await;
        }
        let rules = snapshot.setup.rules.of(principal);
        let tools = view.catalog.tools().iter().filter(|tool| tool.slug == *slug);
        tools.filter(|tool| rules.allows(&tool.slug, What::Tool, &tool.name)).map(info).collect()
    }

    /// Returns the tools that fit some words best, best first.
    pub async fn search_tools(&self, principal: &Arc<Principal>, query: &str, limit: usize) -> Vec<ToolInfo> {
        let snapshot = self.snapshot();
        let view = snapshot.view(&Scope::All, &ClientCaps::none()).await;
        let rules = snapshot.setup.rules.of(principal);
        let hits = view.catalog.search(query, usize::MAX);
        hits.iter().map(|hit| hit.tool).filter(|tool| rules.allows(&tool.slug, What::Tool, &tool.name)).take(limit).map(info).collect()
    }

    /// Finds a tool by its exposed name, or as `server.tool`.
    pub async fn find_tool(&self, principal: &Arc<Principal>, name: &str) -> Option<ToolInfo> {
        let snapshot = self.snapshot();
        let view = snapshot.view_for(&Scope::All, &ClientCaps::none(), name).await;
        let tool = find(&view, name)?;
        snapshot.setup.rules.of(principal).allows(&tool.slug, What::Tool, &tool.name).then(|| info(tool))
    }

    /// Writes down a call of a tool that the caller may not use or that is not there: refusals count too.
    pub async fn note_refusal(&self, principal: &Arc<Principal>, name: &str) {
        let snapshot = self.snapshot();
        let view = snapshot.view(&Scope::All, &ClientCaps::none()).await;
        let client = Client::new(Revision::LATEST, ClientCaps::none(), None);
        let mut ticket = Ticket::open(&self.ledger, &self.clock, principal, &client, Method::ToolsCall);
        match find(&view, name) {
            Some(tool) => {
                ticket.routed(tool.slug.clone(), Some(Arc::clone(&tool.name)));
                ticket.refuse(Code::Forbidden);
            }
            None => ticket.refuse(Code::UnknownTarget),
        }
    }

    /// Calls a tool by its exposed name. Progress and log lines are not passed on. The headers may name a trace.
    pub async fn call_tool(self: &Arc<Self>, principal: &Arc<Principal>, name: &str, arguments: Json, headers: &HeaderMap) -> Called {
        let client = Arc::new(Client::new(Revision::LATEST, ClientCaps::none(), Some(self.info.clone())));
        let arguments = if arguments.kind() == Kind::Object { arguments } else { Json::from_static("{}") };
        let params = ask::introduced(&client, &Payload::of(&serde_json::json!({ "name": name, "arguments": arguments })));
        let params = trace::from_headers(params, headers);
        let mut ticket = Ticket::open(&self.ledger, &self.clock, principal, &client, Method::ToolsCall);
        let trace = self.trace(&params, &mut ticket);
        let call = Box::new(Call {
            snapshot: self.snapshot(),
            scope: Scope::All,
            method: Method::ToolsCall,
            params,
            client,
            principal: Arc::clone(principal),
            log_level: None,
            progress_token: None,
            inputs: None,
            trace,
            headers: None,
            ticket,
        });
        let finish = match pipeline::run(self, call).await {
            Served::Done(finish) => finish,
            Served::Stream(mut items) => loop {
                match items.next().await {
                    Some(Item::Event(_)) => {}
                    Some(Item::Done(finish)) => break finish,
                    None => return Called::Error(RpcError::new(crib_mcp::code::INTERNAL, "the call ended without an answer")),
                }
            },
        };
        match finish {
            Finish::Result(result) => Called::Result(Json::parse(&result.into_bytes()).unwrap_or_else(|_| Json::from_static("{}"))),
            Finish::Error(error) => Called::Error(error),
            Finish::Input { requests, .. } => Called::InputRequired(requests.to_json()),
        }
    }

    /// Tells whether a caller may stop and start servers: who may use only some of what there is may not.
    #[must_use]
    pub fn may_operate(&self, principal: &Principal) -> bool {
        !self.snapshot().setup.rules.is_narrowed(principal)
    }

    /// Ends a server, which refuses calls from then on.
    pub async fn stop(&self, slug: &Slug) {
        let upstream = self.snapshot().server(slug).map(|server| Arc::clone(&server.upstream));
        if let Some(upstream) = upstream {
            upstream.stop().await;
        }
    }

    /// Lets a server take calls again, and starts it by having its lists read.
    pub async fn start(&self, slug: &Slug, deadline: Instant) {
        let snapshot = self.snapshot();
        let Some(server) = snapshot.server(slug) else { return };
        server.upstream.start();
        let sources = snapshot.sources(&Scope::One(slug.clone()), &ClientCaps::none());
        for (_, source) in sources {
            // A source that has just been made reads its lists by itself.
            if source.offer().is_some() {
                source.refresh(deadline.saturating_duration_since(self.clock.now())).await;
            } else {
                source.first_offer(deadline.saturating_duration_since(self.clock.now())).await;
            }
        }
    }

    /// Returns all servers and how they are, without asking them anything.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerInfo> {
        let snapshot = self.snapshot();
        let set = ClientCaps::none().set;
        snapshot
            .setup
            .servers
            .iter()
            .map(|server| {
                let offer = snapshot.source(&server.slug, set).and_then(|source| source.offer());
                let mut health = server.upstream.health();
                // What does not run spoke it when it listed its tools.
                health.revision = health.revision.or_else(|| offer.as_ref().and_then(|offer| offer.tools.revision));
                ServerInfo {
                    slug: server.slug.clone(),
                    health,
                    tools: offer.as_ref().map(|offer| offer.tools.items.len()),
                    fault: offer.and_then(|offer| offer.fault.clone()),
                    pids: server.upstream.pids(),
                }
            })
            .collect()
    }
}

/// Finds a tool by its exposed name, or as `server.tool`.
fn find<'a>(view: &'a View, name: &str) -> Option<&'a ToolEntry> {
    let dotted = || {
        let (server, tool) = name.split_once('.')?;
        view.catalog.tool_of(view.catalog.upstream(server)?, tool)
    };
    view.catalog.tool(name).or_else(dotted)
}

fn info(tool: &ToolEntry) -> ToolInfo {
    ToolInfo { name: Arc::clone(&tool.exposed), server: tool.slug.clone(), own_name: Arc::clone(&tool.name), definition: tool.def.clone() }
}
