//! What a tool is: a type with its arguments, a description and what it does.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use crib_mcp::{Ability, Json, Method, Notification, Payload, RpcError, code, meta};
use crib_model::{BoxFuture, Clock, Event, Forward, InputResponse, Outcome, State};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::demo::{Answer, complete};
use crate::level::Level;
use crate::steps::Voice;

/// A tool of this server. The type holds the arguments; its schema is the tool's input schema.
pub(crate) trait Tool: DeserializeOwned + JsonSchema + Send + 'static {
    const NAME: &'static str;
    const TITLE: &'static str;
    /// For the model that chooses tools: what it does and when to use it.
    const DESCRIPTION: &'static str;
    /// Whether it leaves everything as it is.
    const READS_ONLY: bool = true;
    /// Whether it may send progress or log lines.
    const SPEAKS: bool = false;

    /// Returns the schema of `structuredContent`, for tools that give some.
    fn output_schema() -> Option<Value> {
        None
    }

    fn run(self, cx: &Context) -> impl Future<Output = Result<Said, RpcError>> + Send;
}

/// What a tool may know and do beyond its arguments.
pub(crate) struct Context {
    pub(crate) forward: Arc<Forward>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Present only for tools that speak, and when the client wants to hear it.
    pub(crate) voice: Option<Voice>,
}

/// What a tool says when it returns.
pub(crate) enum Said {
    /// A finished `CallToolResult`.
    Result(Value),
    /// Questions to be answered first: keys with `{method, params}`, and what must come back with the answers.
    Questions { requests: Value, state: &'static str },
}

/// One row of the table of tools.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) speaks: bool,
    pub(crate) define: fn() -> Value,
    pub(crate) run: fn(Arc<Context>) -> BoxFuture<'static, Answer>,
}

/// Makes the row of a tool.
pub(crate) const fn row<T: Tool>() -> Row {
    Row { name: T::NAME, speaks: T::SPEAKS, define: define::<T>, run: |cx| Box::pin(async move { run::<T>(&cx).await }) }
}

fn define<T: Tool>() -> Value {
    let mut input = Value::from(schemars::schema_for!(T));
    if let Some(members) = input.as_object_mut() {
        // The name of a Rust type is nothing to a client, and a tool without arguments still takes an object.
        members.remove("title");
        members.remove("description");
        members.insert("type".to_owned(), json!("object"));
    }
    let mut tool = json!({ "name": T::NAME, "title": T::TITLE, "description": T::DESCRIPTION, "inputSchema": input, "annotations": { "readOnlyHint": T::READS_ONLY } });
    if let (Some(members), Some(output)) = (tool.as_object_mut(), T::output_schema()) {
        members.insert("outputSchema".to_owned(), output);
    }
    tool
}

async fn run<T: Tool>(cx: &Context) -> Answer {
    let arguments = cx.forward.params.get("arguments").unwrap_or_else(|| Json::from_static("{}"));
    let said = match arguments.read::<T>() {
        Ok(tool) => tool.run(cx).await?,
        // Not an error of the protocol: the model can read it and do better.
        Err(error) => Said::failure(&format!("the arguments do not fit `{}`: {error}", T::NAME)),
    };
    Ok(said.into_outcome())
}

// === impl Context ===

impl Context {
    /// Reports progress to a client that asked for it.
    pub(crate) async fn progress(&self, done: u32, total: u32, message: &str) {
        let (Some(voice), Some(token)) = (&self.voice, &self.forward.progress_token) else { return };
        let params = json!({ "progressToken": token, "progress": done, "total": total, "message": message });
        voice.say(notification(Method::Progress, &params)).await;
    }

    /// Writes a log line to a client that asked for lines of this level.
    pub(crate) async fn log(&self, level: Level, text: &str) {
        let wanted = self.forward.log_level.as_ref().and_then(Level::read);
        let (Some(voice), Some(wanted)) = (&self.voice, wanted) else { return };
        if level >= wanted {
            let params = json!({ "level": level.as_str(), "logger": "demo", "data": text });
            voice.say(notification(Method::LogMessage, &params)).await;
        }
    }

    /// Refuses unless the client can answer such questions.
    pub(crate) fn require(&self, ability: Ability, capabilities: &Value) -> Result<(), RpcError> {
        if self.forward.client.caps.set.has(ability) {
            return Ok(());
        }
        let error = RpcError::new(code::MISSING_CAPABILITY, "this tool asks something that the client cannot answer");
        Err(error.with_data(Json::of(&json!({ "requiredCapabilities": capabilities }))))
    }

    /// Returns the answer to an earlier question; an error when what came back belongs to another one.
    pub(crate) fn answer(&self, key: &str, state: &str) -> Result<Option<InputResponse>, RpcError> {
        let Some(inputs) = &self.forward.inputs else { return Ok(None) };
        let is_ours = |given: &State| matches!(given, State::Upstream(json) if json.as_text().as_deref() == Some(state));
        if !inputs.state.as_ref().is_some_and(is_ours) {
            return Err(RpcError::new(code::INVALID_PARAMS, "Invalid or expired requestState"));
        }
        Ok(inputs.responses.iter().find(|(name, _)| name == key).map(|(_, response)| response.clone()))
    }
}

fn notification(method: Method, params: &Value) -> Event {
    Event(Notification { method, params: Payload::of(params) })
}

// === impl Said ===

impl Said {
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::content(&json!({ "type": "text", "text": text.into() }))
    }

    pub(crate) fn content(block: &Value) -> Self {
        Self::Result(json!({ "content": [block] }))
    }

    /// A value for programs, with the same as text for models.
    pub(crate) fn structured(value: &Value) -> Self {
        Self::Result(json!({ "content": [{ "type": "text", "text": value.to_string() }], "structuredContent": value }))
    }

    /// The tool could not do it, and the model should know why.
    pub(crate) fn failure(why: &str) -> Self {
        Self::Result(json!({ "content": [{ "type": "text", "text": why }], "isError": true }))
    }

    fn into_outcome(self) -> Outcome {
        match self {
            Self::Result(result) => complete(result),
            Self::Questions { requests, state } => Outcome::InputRequired {
                requests: Payload::of(&requests),
                state: Some(State::Upstream(Json::of(state))),
                meta: Some(Json::of(&json!({ meta::SERVER_INFO: super::server_info() }))),
            },
        }
    }
}
