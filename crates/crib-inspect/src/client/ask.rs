//! Questions of the server: elicitation, sampling, roots.

use std::sync::Arc;

use crib_mcp::{Chunks, Json, Method, Request, RpcError, code, message};
use crib_model::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Client, Inner, Reply};

/// Somebody who answers a server.
pub trait Asker: Send + Sync {
    /// Returns the result for `elicitation/create`, `sampling/createMessage` or `roots/list`; `None` to decline.
    fn answer(&self, method: &str, params: &Value) -> BoxFuture<'static, Option<Value>>;
}

/// Declines everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decline;

impl Asker for Decline {
    fn answer(&self, _: &str, _: &Value) -> BoxFuture<'static, Option<Value>> {
        Box::pin(async { None })
    }
}

/// What a declined question is answered with, where there is a way to say so.
fn declined(method: &Method) -> Option<Value> {
    if *method == Method::ElicitationCreate {
        return Some(json!({ "action": "decline" }));
    }
    (*method == Method::RootsList).then(|| json!({ "roots": [] }))
}

impl Inner {
    /// Answers what a modern result asks for; `None` where it asks for nothing, or for something that is declined.
    pub(super) async fn answers_to(&self, reply: &Reply) -> Option<Map<String, Value>> {
        let result = reply.outcome.as_ref().ok().filter(|result| result.get("resultType") == Some(&json!("input_required")))?;
        let mut answers = Map::new();
        for (key, request) in result.get("inputRequests").and_then(Value::as_object).into_iter().flatten() {
            let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
            let params = request.get("params").cloned().unwrap_or_default();
            let answer = self.asker.answer(method, &params).await.or_else(|| declined(&Method::parse(method)))?;
            answers.insert(key.clone(), answer);
        }
        let mut more = Map::new();
        if let Some(state) = result.get("requestState") {
            more.insert("requestState".to_owned(), state.clone());
        }
        more.insert("inputResponses".to_owned(), Value::Object(answers));
        Some(more)
    }
}

/// Answers the requests of a legacy server, one after the other.
pub(super) async fn serve(client: Client, mut asked: mpsc::Receiver<Request>) {
    loop {
        let request = tokio::select! {
            () = client.0.closing.cancelled() => return,
            request = asked.recv() => request,
        };
        let Some(request) = request else { return };
        let method = request.method.clone();
        let answering = async {
            let params = request.params.to_json().read().unwrap_or_default();
            if method == Method::Ping {
                return Some(json!({}));
            }
            if !matches!(method, Method::ElicitationCreate | Method::SamplingCreate | Method::RootsList) {
                return None;
            }
            client.0.asker.answer(method.as_str(), &params).await.or_else(|| declined(&method))
        };
        let answer = tokio::select! {
            () = client.0.closing.cancelled() => return,
            answer = answering => answer,
        };
        let text = match answer {
            Some(result) => message::result(&request.id, &Chunks::from(Json::of(&result))),
            None if method == Method::SamplingCreate => message::error(Some(&request.id), &RpcError::new(code::USER_REJECTED, "declined")),
            None => message::error(Some(&request.id), &RpcError::new(code::METHOD_NOT_FOUND, "Method not found")),
        };
        if let Err(fault) = client.0.post(text.into_bytes()).await {
            tracing::debug!(%fault, "an answer was not taken");
        }
    }
}

/// A shared asker.
pub(crate) type SharedAsker = Arc<dyn Asker>;
