//! A person who answers what a server asks.

use std::sync::Arc;

use crib_mcp::Method;
use crib_model::BoxFuture;
use crib_registry::pins::visible;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::arguments::by_schema;
use crate::client::Asker;
use crate::words::{Speak, plainly};

/// Fields of one form that are asked for.
const FIELDS_MAX: usize = 50;

/// Where lines of a person come from, and what it is shown.
pub trait Lines: Send + Sync {
    /// Waits for a line; `None` when there will be none.
    fn read(&self, prompt: &str) -> BoxFuture<'static, Option<String>>;
    fn show(&self, text: &str);
}

/// Asks the person at the prompt.
#[derive(Clone)]
pub struct Person {
    lines: Arc<dyn Lines>,
    speak: Speak,
    /// One question at a time.
    turn: Arc<Semaphore>,
}

// === impl Person ===

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").finish_non_exhaustive()
    }
}

impl Person {
    #[must_use]
    pub fn new(lines: Arc<dyn Lines>) -> Self {
        Self { lines, speak: plainly, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Says its own words like this.
    #[must_use]
    pub fn speaking(self, speak: Speak) -> Self {
        Self { speak, ..self }
    }

    async fn decide(self, method: Method, params: Value) -> Option<Value> {
        let _turn = self.turn.acquire().await.ok()?;
        if method == Method::SamplingCreate {
            return self.sample(&params).await;
        }
        if method == Method::RootsList {
            return Some(self.roots().await);
        }
        if method == Method::ElicitationCreate { Some(self.elicit(&params).await) } else { None }
    }

    async fn elicit(&self, params: &Value) -> Value {
        let message = params.get("message").and_then(Value::as_str).unwrap_or_default();
        self.lines.show(&format!("{}{}\n", (self.speak)("the server asks: "), visible(message)));
        if let Some(url) = params.get("url").and_then(Value::as_str) {
            self.lines.show(&format!("{}{}\n", (self.speak)("it wants you to open "), visible(url)));
        }
        let choice = self.lines.read(&(self.speak)("answer, decline or cancel? [a/d/c] ")).await;
        match choice.as_deref().map(str::trim) {
            Some("a" | "answer" | "y" | "yes") => {}
            Some("d" | "decline" | "n" | "no") => return json!({ "action": "decline" }),
            Some(_) | None => return json!({ "action": "cancel" }),
        }
        let properties = params.get("requestedSchema").and_then(|schema| schema.get("properties")?.as_object());
        let mut content = Map::new();
        for (name, schema) in properties.into_iter().flatten().take(FIELDS_MAX) {
            let Some(text) = self.lines.read(&field(name, schema)).await else { return json!({ "action": "cancel" }) };
            let text = text.trim();
            match schema.get("default") {
                _ if !text.is_empty() => drop(content.insert(name.clone(), by_schema(text, Some(schema)))),
                Some(default) => drop(content.insert(name.clone(), default.clone())),
                None => {}
            }
        }
        json!({ "action": "accept", "content": content })
    }

    async fn sample(&self, params: &Value) -> Option<Value> {
        self.lines.show(&(self.speak)("the server asks a model:\n"));
        for message in params.get("messages").and_then(Value::as_array).into_iter().flatten() {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let text = message
                .get("content")
                .map(|content| content.get("text").and_then(Value::as_str).map_or_else(|| content.to_string(), str::to_owned));
            self.lines.show(&format!("  {}: {}\n", visible(role), visible(&text.unwrap_or_default())));
        }
        let text =
            self.lines.read(&(self.speak)("what the model says (nothing declines): ")).await.filter(|text| !text.trim().is_empty())?;
        Some(json!({ "role": "assistant", "content": { "type": "text", "text": text }, "model": "a person", "stopReason": "endTurn" }))
    }

    async fn roots(&self) -> Value {
        let text = self
            .lines
            .read(&(self.speak)("the server asks for your folders (paths, with commas between them): "))
            .await
            .unwrap_or_default();
        let root = |path: &str| json!({ "uri": format!("file://{}", path.replace(' ', "%20")), "name": path });
        let roots: Vec<Value> = text.split(',').map(str::trim).filter(|path| !path.is_empty()).map(root).collect();
        json!({ "roots": roots })
    }
}

impl Asker for Person {
    fn answer(&self, method: &str, params: &Value) -> BoxFuture<'static, Option<Value>> {
        let (person, method, params) = (self.clone(), Method::parse(method), params.clone());
        Box::pin(async move { person.decide(method, params).await })
    }
}

fn field(name: &str, schema: &Value) -> String {
    let title = schema.get("title").or_else(|| schema.get("description")).and_then(Value::as_str).unwrap_or_default();
    let choices: Vec<String> = schema.get("enum").and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect();
    let choices = if choices.is_empty() { crate::overview::kind(schema) } else { choices.join("|") };
    let default = schema.get("default").map(|value| format!(" [{value}]")).unwrap_or_default();
    visible(&format!("  {name} ({choices}) {title}{default}: ")).replace('\n', " ")
}
