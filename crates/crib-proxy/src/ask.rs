//! Requests the gateway makes on its own account: discovery, lists and subscriptions of one upstream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{ClientCaps, Json, Method, Payload, Revision, meta};
use crib_model::{Client, Code, Fault, Forward, Outcome, Principal, Reply, Step, Upstream, limits};
use futures_util::StreamExt;

/// What the gateway says about itself to upstreams.
pub(crate) fn gateway_info() -> Json {
    Json::of(&serde_json::json!({ "name": "toolcrib", "title": "Toolcrib", "version": env!("CARGO_PKG_VERSION") }))
}

/// The gateway as a client with somebody's capabilities: what lists depend on.
pub(crate) fn gateway_client(caps: ClientCaps) -> Arc<Client> {
    Arc::new(Client::new(Revision::LATEST, caps, Some(gateway_info())))
}

/// Adds what every request of 2026-07-28 says of its sender.
pub(crate) fn introduced(client: &Client, params: &Payload) -> Payload {
    let mut meta = params.edit_meta();
    meta.set(meta::PROTOCOL_VERSION, Json::of(client.revision.as_str())).set(meta::CLIENT_CAPABILITIES, client.caps.raw.clone());
    if let Some(info) = &client.info {
        meta.set(meta::CLIENT_INFO, info.clone());
    }
    let meta = meta.finish();
    let mut edit = params.edit();
    edit.set("_meta", meta);
    edit.to_payload()
}

/// One request of the gateway's own.
pub(crate) fn forward(client: &Arc<Client>, method: Method, params: &Payload, deadline: Instant) -> Forward {
    Forward {
        method,
        params: introduced(client, params),
        target: None,
        param_headers: None,
        client: Arc::clone(client),
        principal: Arc::new(Principal::anonymous()),
        log_level: None,
        progress_token: None,
        inputs: None,
        trace: None,
        deadline,
    }
}

/// Calls a method that answers with a result object, and waits for it.
pub(crate) async fn result(upstream: &dyn Upstream, mut forward: Forward) -> Result<(Payload, Revision), Fault> {
    let method = forward.method.clone();
    if let Some(timeout) = upstream.timeout() {
        forward.deadline = forward.deadline.min(Instant::now() + timeout);
    }
    let deadline = tokio::time::Instant::from_std(forward.deadline);
    let ask = async {
        match upstream.call(Arc::new(forward)).await? {
            Reply::Done(outcome) => Ok(outcome),
            Reply::Stream(mut steps) => loop {
                match steps.next().await {
                    Some(Step::Event(_)) => {}
                    Some(Step::Done(outcome)) => return outcome,
                    None => return Err(Fault::new(Code::ServerGone, "the server ended its answer early")),
                }
            },
        }
    };
    let outcome = tokio::time::timeout_at(deadline, ask)
        .await
        .map_err(|_elapsed| Fault::new(Code::DeadlineExceeded, format!("`{method}` was not answered in time")))??;
    match outcome {
        Outcome::Complete(payload, revision) => Ok((payload, revision)),
        Outcome::Error(error, _) => Err(Fault::new(Code::ProtocolBroken, format!("`{method}` failed: {} ({})", error.message, error.code))),
        Outcome::InputRequired { .. } | Outcome::Task(..) => {
            Err(Fault::new(Code::ProtocolBroken, format!("`{method}` was answered with something other than a result")))
        }
    }
}

/// One whole list of an upstream: its items as they are, and how long it may be kept by whom.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub(crate) items: Vec<Json>,
    pub(crate) ttl_ms: u64,
    pub(crate) is_public: bool,
    pub(crate) revision: Option<Revision>,
}

/// Reads all pages of a list.
pub(crate) async fn pages(upstream: &dyn Upstream, client: &Arc<Client>, method: &Method, wait: Duration) -> Result<Pages, Fault> {
    let key = list_key(method);
    let mut all = Pages { ttl_ms: u64::MAX, is_public: true, ..Pages::default() };
    let mut cursor: Option<Json> = None;
    for page in 0..limits::PAGES_MAX {
        let params = cursor.as_ref().map_or_else(Payload::default, |cursor| Payload::of(&serde_json::json!({ "cursor": cursor })));
        let deadline = Instant::now() + wait;
        let (answer, revision) = result(upstream, forward(client, method.clone(), &params, deadline)).await?;
        let items = answer.get(key).and_then(|list| list.to_elements().ok());
        let Some(items) = items else {
            return Err(Fault::new(Code::ProtocolBroken, format!("the result of `{method}` has no `{key}` list")));
        };
        all.items.extend(items);
        all.ttl_ms = all.ttl_ms.min(answer.object.u64("ttlMs").unwrap_or(0));
        all.is_public &= answer.text("cacheScope").as_deref() == Some("public");
        all.revision = Some(revision);
        let next = answer.get("nextCursor").filter(|next| next.as_text().is_some());
        // A server that hands out the same cursor again would never end.
        if next.is_none() || next == cursor {
            break;
        }
        cursor = next;
        if page + 1 == limits::PAGES_MAX {
            tracing::warn!(method = %method, pages = page + 1, "list cut: too many pages");
        }
    }
    Ok(all)
}

/// Returns the member that holds the items of a list.
pub(crate) fn list_key(method: &Method) -> &'static str {
    if *method == Method::ToolsList {
        "tools"
    } else if *method == Method::PromptsList {
        "prompts"
    } else if *method == Method::ResourcesTemplatesList {
        "resourceTemplates"
    } else if *method == Method::SkillsList {
        "skills"
    } else {
        "resources"
    }
}
