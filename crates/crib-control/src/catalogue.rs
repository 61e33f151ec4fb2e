//! The catalogue as a server: what is known of servers and tools, as resources that clients can read.
//!
//! It stands behind the [`Upstream`] port like any other server, so reading it takes the way of every call: keys,
//! rules and the ledger apply. The lists are the same for everybody and name no server and no tool, because the data
//! plane reads a server's lists once for all callers. What a resource says is made for the caller who reads it: of what
//! a caller may not use it says what it says of what does not exist.

mod completion;
mod document;
mod uri;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use crib_mcp::{Json, Method, Payload, Revision, RpcError, code, meta};
use crib_model::{BoxFuture, Code, Fault, Forward, Health, Outcome, Principal, Reply, Scope, Upstream};
use crib_proxy::{Plane, ToolInfo};
use serde_json::{Value, json};

use crate::figures::Figures;
use uri::Page;

/// The catalogue as a server, cheap to clone.
#[derive(Clone)]
pub struct Catalogue(Arc<Shared>);

struct Shared {
    figures: Arc<dyn Figures>,
    /// The data plane, which holds this server and is made after it.
    plane: OnceLock<Weak<Plane>>,
}

/// What this server answers before it is put into words of the port.
type Answer = Result<Outcome, RpcError>;

/// What a caller may see.
struct Visible {
    plane: Arc<Plane>,
    tools: Vec<ToolInfo>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").field("is_attached", &self.0.plane.get().is_some()).finish_non_exhaustive()
    }
}

impl Catalogue {
    /// Makes the server. It has nothing to show before [`Catalogue::attach`].
    #[must_use]
    pub fn new(figures: Arc<dyn Figures>) -> Self {
        Self(Arc::new(Shared { figures, plane: OnceLock::new() }))
    }

    /// Tells which data plane to show; the first one stays.
    pub fn attach(&self, plane: &Arc<Plane>) {
        self.0.plane.get_or_init(|| Arc::downgrade(plane));
    }

    /// Looks up what a caller may use, for as long as the call may take.
    async fn visible(&self, principal: &Arc<Principal>, deadline: Instant) -> Result<Visible, Fault> {
        let gone = || Fault::new(Code::Internal, "the catalogue is not attached to a running gateway");
        let plane = self.0.plane.get().and_then(Weak::upgrade).ok_or_else(gone)?;
        let tools = tokio::time::timeout_at(deadline.into(), plane.tools(principal, &Scope::All)).await;
        let late = |_| Fault::new(Code::DeadlineExceeded, "the servers took longer to list their tools than the call may");
        let tools = tools.map_err(late)?;
        Ok(Visible { plane, tools })
    }

    async fn read(&self, forward: &Forward) -> Result<Answer, Fault> {
        let Some(uri) = forward.target_name() else { return Ok(Err(invalid("`uri` is missing"))) };
        let Some(page) = Page::parse(&uri) else { return Ok(Err(not_found(&uri))) };
        let visible = self.visible(&forward.principal, forward.deadline).await?;
        let Some(text) = document::write(&page, &visible, &*self.0.figures) else { return Ok(Err(not_found(&uri))) };
        let contents = json!([{ "uri": uri, "mimeType": "application/json", "text": text }]);
        // Figures are of this moment, and the rest is of this caller.
        Ok(Ok(complete(json!({ "contents": contents, "ttlMs": 0, "cacheScope": "private" }))))
    }

    async fn answer(&self, forward: &Forward) -> Result<Answer, Fault> {
        if forward.method == Method::ResourcesRead {
            return self.read(forward).await;
        }
        if forward.method == Method::Complete {
            return match completion::Asked::read(&forward.params) {
                Ok(asked) => Ok(Ok(asked.answer(&self.visible(&forward.principal, forward.deadline).await?))),
                Err(error) => Ok(Err(error)),
            };
        }
        Ok(match LISTS.iter().find(|(method, _)| *method == forward.method) {
            Some((_, list)) => one_page(&forward.params, list),
            None => Err(RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {}", forward.method))),
        })
    }
}

impl Upstream for Catalogue {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let this = self.clone();
        Box::pin(async move {
            let answer = this.answer(&forward).await?;
            Ok(Reply::Done(answer.unwrap_or_else(|error| Outcome::Error(error, Revision::LATEST))))
        })
    }

    fn health(&self) -> Health {
        Health { state: "running", revision: Some(Revision::LATEST), ..Health::default() }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// For how long the lists may be kept: they change with the program only.
const TTL_MS: u64 = 60 * 60 * 1000;

/// Makes the members of a list's only page.
type List = fn() -> Value;

/// The methods that are answered alike for everybody.
const LISTS: &[(Method, List)] =
    &[(Method::Discover, discover), (Method::ResourcesList, uri::resources), (Method::ResourcesTemplatesList, uri::templates)];

fn discover() -> Value {
    json!({
        "supportedVersions": [Revision::LATEST.as_str()],
        "capabilities": { "resources": {}, "completions": {} },
        "instructions": "What is known of the servers and tools behind this gateway: definitions, revisions, how often tools were \
            called and how long they took. Only what the caller may use is shown. 网关目录：各服务器与工具的定义、协议版本、调用次数与延迟。",
    })
}

/// The lists have one page, so no cursor was ever given out.
fn one_page(params: &Payload, list: &List) -> Answer {
    match params.text("cursor") {
        None => Ok(kept(list())),
        Some(cursor) => Err(invalid(&format!("unknown cursor `{cursor}`"))),
    }
}

/// Makes a finished result: the members of `body` and what every result carries.
fn complete(mut body: Value) -> Outcome {
    if let Some(members) = body.as_object_mut() {
        members.insert("resultType".to_owned(), json!("complete"));
        let info = json!({ "name": "toolcrib-catalogue", "title": "Toolcrib catalogue", "version": env!("CARGO_PKG_VERSION") });
        members.insert("_meta".to_owned(), json!({ meta::SERVER_INFO: info }));
    }
    Outcome::Complete(Payload::of(&body), Revision::LATEST)
}

/// Makes a finished result that may be kept by anyone.
fn kept(mut body: Value) -> Outcome {
    if let Some(members) = body.as_object_mut() {
        members.insert("ttlMs".to_owned(), json!(TTL_MS));
        members.insert("cacheScope".to_owned(), json!("public"));
    }
    complete(body)
}

fn invalid(message: &str) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, message.to_owned())
}

fn not_found(uri: &str) -> RpcError {
    invalid(&format!("Resource not found: {uri}")).with_data(Json::of(&json!({ "uri": uri })))
}
