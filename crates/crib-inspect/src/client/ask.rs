//! Questions of the server: elicitation, sampling, roots.

use std::sync::Arc;

use crib_mcp::{Method, Request, RpcError, code};
use crib_model::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Client, Inner, Reply, chores};

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
        let nothing = Map::new();
        let answers = self.answers(result.get("inputRequests").and_then(Value::as_object).unwrap_or(&nothing)).await?;
        let mut more = Map::new();
        if let Some(state) = result.get("requestState") {
            more.insert("requestState".to_owned(), state.clone());
        }
        more.insert("inputResponses".to_owned(), Value::Object(answers));
        Some(more)
    }

    /// Answers the questions of a modern server; `None` where one is declined that has no word for it.
    pub(super) async fn answers(&self, requests: &Map<String, Value>) -> Option<Map<String, Value>> {
        let mut answers = Map::new();
        for (key, request) in requests {
            let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
            let params = request.get("params").cloned().unwrap_or_default();
            let answer = self.asker.answer(method, &params).await.or_else(|| declined(&Method::parse(method)))?;
            answers.insert(key.clone(), answer);
        }
        Some(answers)
    }

    /// Asks whoever answers questions what a legacy server wants to know.
    pub(super) async fn decided(&self, method: &Method, params: &Value) -> Result<Value, RpcError> {
        if !matches!(method, Method::ElicitationCreate | Method::SamplingCreate | Method::RootsList) {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, "Method not found"));
        }
        let answer = self.asker.answer(method.as_str(), params).await.or_else(|| declined(method));
        answer.ok_or_else(|| RpcError::new(code::USER_REJECTED, "declined"))
    }
}

/// Answers the requests of a legacy server, one after the other; those that are tasks go on beside.
pub(super) async fn serve(client: Client, mut asked: mpsc::Receiver<Request>) {
    loop {
        let request = tokio::select! {
            () = client.0.closing.cancelled() => return,
            request = asked.recv() => request,
        };
        let Some(request) = request else { return };
        let params: Value = request.params.to_json().read().unwrap_or_default();
        if client.options().abilities.has_tasks() && chores::serve(&client, &request, &params) {
            continue;
        }
        let answering =
            async { if request.method == Method::Ping { Ok(json!({})) } else { client.0.decided(&request.method, &params).await } };
        let outcome = tokio::select! {
            () = client.0.closing.cancelled() => return,
            outcome = answering => outcome,
        };
        client.tell(&request.id, outcome).await;
    }
}

/// A shared asker.
pub(crate) type SharedAsker = Arc<dyn Asker>;
