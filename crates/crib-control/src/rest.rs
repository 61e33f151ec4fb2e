//! Plain HTTP: every tool as a resource that can be listed, read and called, and the pages of operation.
//!
//! Statuses are honest: a call that was refused or failed is never 200. A tool that says itself that it failed
//! (`isError`) answers 422 with the result as body.

mod answer;
mod mcprouter;
mod openapi;
mod operation;
mod power;
mod query;
mod resource;
mod row;
mod tools;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{Chunks, Method as Called, Revision};
use crib_model::{Ending, Entry, Fault, Ledger, Principal};
use crib_proxy::Plane;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use crate::figures::Figures;
use answer::Trouble;
pub use row::{LeftOutRow, ServerRow, Servers, Why};

/// Where metrics come from.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The plain HTTP interface of one instance.
pub struct Rest {
    plane: Arc<Plane>,
    figures: Arc<dyn Figures>,
    ledger: Arc<dyn Ledger>,
    /// Path and source of the metrics.
    metrics: Option<(String, Metrics)>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("plane", &self.plane).finish_non_exhaustive()
    }
}

/// One request and who makes it.
struct Ask {
    method: Method,
    /// The parts of the path, decoded.
    path: Vec<String>,
    query: query::Query,
    headers: HeaderMap,
    body: Bytes,
}

type Reply = Result<Response<Chunks>, Trouble>;

impl Rest {
    #[must_use]
    pub fn new(plane: Arc<Plane>, figures: Arc<dyn Figures>, ledger: Arc<dyn Ledger>, metrics: Option<(String, Metrics)>) -> Arc<Self> {
        Arc::new(Self { plane, figures, ledger, metrics })
    }

    /// Answers one request. Dropping the future cancels the call it makes.
    pub async fn handle(self: Arc<Self>, request: Request<Bytes>) -> Response<Chunks> {
        let (head, body) = request.into_parts();
        let ask = Ask {
            path: query::path(head.uri.path()),
            query: query::Query::parse(head.uri.query().unwrap_or_default()),
            method: head.method,
            headers: head.headers,
            body,
        };
        let is_head = ask.method == Method::HEAD;
        let mut response = self.route(&ask, head.uri.path()).await.unwrap_or_else(Trouble::into_response);
        if is_head {
            *response.body_mut() = Chunks::default();
        }
        response
    }

    async fn route(&self, ask: &Ask, whole: &str) -> Reply {
        if let Some((_, metrics)) = self.metrics.as_ref().filter(|(path, _)| path == whole) {
            return ask.get(operation::metrics(self, ask, metrics));
        }
        let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["healthz"] => ask.get(Ok(operation::healthz())),
            ["readyz"] => ask.get(Ok(operation::readyz(self, ask).await)),
            [".well-known", "oauth-protected-resource", of @ ..] => ask.get(resource::metadata(ask, whole, of)),
            ["openapi.json"] => ask.get(Ok(openapi::document())),
            ["v1", "servers"] => ask.get(operation::servers(self, ask).await),
            ["v1", "servers", name, deed @ ("start" | "stop")] => {
                ask.only(&[Method::POST])?;
                power::change(self, ask, name, deed).await
            }
            ["v1", "servers", name, _] => Err(tools::no_page_of(self, ask, name, whole)),
            ["v1", "tools"] => {
                ask.only(&[Method::GET, Method::HEAD])?;
                tools::list(self, ask).await
            }
            ["v1", "tools", name] => {
                ask.only(&[Method::GET, Method::HEAD, Method::POST])?;
                if ask.method == Method::POST { tools::call(self, ask, name).await } else { tools::show(self, ask, name).await }
            }
            // Answered elsewhere for those who may ask.
            ["v1", "calls"] => {
                self.principal(ask)?;
                ask.get(Err(Trouble::no_page(whole)))
            }
            ["v1", "list-tools"] => {
                ask.only(&[Method::POST])?;
                mcprouter::list_tools(self, ask).await
            }
            ["v1", "call-tool"] => {
                ask.only(&[Method::POST])?;
                mcprouter::call_tool(self, ask).await
            }
            _ => Err(Trouble::no_page(whole)),
        }
    }

    /// Checks who asks.
    fn principal(&self, ask: &Ask) -> Result<Arc<Principal>, Trouble> {
        self.plane.authenticate(&ask.headers).map_err(|fault: Fault| Trouble::of(&fault))
    }

    /// Checks who calls a tool. Somebody without a key is written down, as a call refused.
    fn caller(&self, ask: &Ask) -> Result<Arc<Principal>, Trouble> {
        self.plane.authenticate(&ask.headers).map_err(|fault: Fault| {
            self.ledger.settle(&Entry {
                principal: Arc::new(Principal::anonymous()),
                client: Revision::LATEST,
                client_name: None,
                method: Called::ToolsCall,
                upstream: None,
                target: None,
                ending: Ending::Failed(fault.code()),
                latency: Duration::ZERO,
                ended: Instant::now(),
                request_bytes: ask.body.len(),
                reply_bytes: 0,
                trace: None,
                parent_span: None,
            });
            Trouble::of(&fault)
        })
    }
}

impl Ask {
    fn only(&self, allowed: &[Method]) -> Result<(), Trouble> {
        if allowed.contains(&self.method) { Ok(()) } else { Err(Trouble::wrong_method(&self.method, allowed)) }
    }

    fn get(&self, reply: Reply) -> Reply {
        self.only(&[Method::GET, Method::HEAD])?;
        reply
    }
}

/// Makes a response of a JSON text.
fn json(status: StatusCode, body: impl Into<Chunks>) -> Response<Chunks> {
    answer::with_type(status, "application/json", body.into())
}
