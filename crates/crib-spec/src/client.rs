//! Clients of both eras over Streamable HTTP, bare enough to misbehave.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::http::{Response, Wire, once, request};

/// The revision a modern client speaks.
pub const MODERN: &str = "2026-07-28";
/// The `_meta` key prefix of the protocol.
pub const META: &str = "io.modelcontextprotocol/";

/// A client of 2026-07-28: every request stands alone.
#[derive(Debug)]
pub struct Modern {
    /// Where requests go.
    pub address: SocketAddr,
    /// The path of the endpoint.
    pub path: String,
    /// What each request declares.
    pub capabilities: Value,
    /// Headers sent besides the standard ones.
    pub headers: Vec<(String, String)>,
    next: AtomicU64,
}

/// A client with a session.
#[derive(Debug)]
pub struct Legacy {
    /// Where requests go.
    pub address: SocketAddr,
    /// The path of the endpoint.
    pub path: String,
    /// The session, once there is one.
    pub session: String,
    /// The negotiated revision.
    pub revision: String,
    /// The result of `initialize`.
    pub server: Value,
    /// Headers sent besides the standard ones.
    pub headers: Vec<(String, String)>,
    next: AtomicU64,
}

/// Everything a full client can do for a server.
#[must_use]
pub fn full_capabilities() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

/// Returns the bearer header of a key.
#[must_use]
pub fn bearer(secret: &str) -> (String, String) {
    ("authorization".to_owned(), format!("Bearer {secret}"))
}

/// Answers a server's request as an obliging user would; `None` for what is no request.
#[must_use]
pub fn oblige(message: &Value) -> Option<Value> {
    let (id, method) = (message.get("id")?, message.get("method")?.as_str()?);
    let result = answer(method, &message["params"]);
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// Returns the answer to an elicitation, sampling or roots request.
#[must_use]
pub fn answer(method: &str, params: &Value) -> Value {
    match method {
        "elicitation/create" => {
            let mut content = serde_json::Map::new();
            for (name, schema) in params["requestedSchema"]["properties"].as_object().into_iter().flatten() {
                let value = match schema["type"].as_str() {
                    _ if schema.get("default").is_some() => schema["default"].clone(),
                    Some("boolean") => json!(true),
                    Some("integer" | "number") => json!(7),
                    Some("array") => json!([]),
                    _ => schema.get("enum").and_then(|list| list.get(0)).cloned().unwrap_or_else(|| json!("Ada")),
                };
                content.insert(name.clone(), value);
            }
            json!({ "action": "accept", "content": content })
        }
        "sampling/createMessage" => {
            json!({ "role": "assistant", "content": { "type": "text", "text": "Paris" }, "model": "test-model", "stopReason": "endTurn" })
        }
        "roots/list" => json!({ "roots": [{ "uri": "file:///work", "name": "work" }] }),
        _ => json!({}),
    }
}

/// Answers every entry of `inputRequests`.
#[must_use]
pub fn answers(result: &Value) -> Value {
    let requests = result["inputRequests"].as_object().into_iter().flatten();
    requests.map(|(key, request)| (key.clone(), answer(request["method"].as_str().unwrap_or_default(), &request["params"]))).collect()
}

/// Returns the `Mcp-Param-*` headers a tool's schema asks for.
#[must_use]
pub fn parameter_headers(tool: &Value, arguments: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, schema) in tool["inputSchema"]["properties"].as_object().into_iter().flatten() {
        let Some(suffix) = schema["x-mcp-header"].as_str() else { continue };
        let value = match &arguments[name.as_str()] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
        };
        let is_plain = value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value && !value.starts_with("=?");
        let value = if is_plain { value } else { format!("=?base64?{}?=", STANDARD.encode(value)) };
        headers.push((format!("mcp-param-{suffix}"), value));
    }
    headers
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

// === impl Modern ===

impl Modern {
    /// Returns a client that declares no capabilities.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, path: "/mcp".to_owned(), capabilities: json!({}), headers: Vec::new(), next: AtomicU64::new(1) }
    }

    /// Returns a client that declares every interaction.
    #[must_use]
    pub fn full(address: SocketAddr) -> Self {
        Self { capabilities: full_capabilities(), ..Self::new(address) }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn header(mut self, header: (String, String)) -> Self {
        self.headers.push(header);
        self
    }

    /// Declares these capabilities with every request.
    #[must_use]
    pub fn declaring(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Builds a request with `_meta`; members of `params._meta` win.
    #[must_use]
    pub fn message(&self, method: &str, mut params: Value) -> Value {
        let mut meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": { "name": "spec-client", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        });
        if let (Some(meta), Some(given)) = (meta.as_object_mut(), params["_meta"].as_object()) {
            meta.extend(given.clone());
        }
        params["_meta"] = meta;
        json!({ "jsonrpc": "2.0", "id": self.next.fetch_add(1, Ordering::Relaxed), "method": method, "params": params })
    }

    /// Returns the standard headers that belong to a message, and the client's own.
    #[must_use]
    pub fn headers_of(&self, message: &Value) -> Vec<(String, String)> {
        let params = &message["params"];
        let name = params.get("name").or_else(|| params.get("uri")).or_else(|| params.get("taskId")).and_then(Value::as_str);
        let method = message["method"].as_str().unwrap_or_default();
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
            ("mcp-protocol-version".to_owned(), MODERN.to_owned()),
            ("mcp-method".to_owned(), method.to_owned()),
        ];
        let named = ["tools/call", "prompts/get", "resources/read", "tasks/get", "tasks/update", "tasks/cancel"].contains(&method);
        if let (true, Some(name)) = (named, name) {
            headers.push(("mcp-name".to_owned(), name.to_owned()));
        }
        headers.extend(self.headers.clone());
        headers
    }

    /// Sends a message with its headers over a connection of its own.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&self, message: &Value) -> Result<Response> {
        self.send_with(message, &[]).await
    }

    /// Sends a message with its headers and more.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_with(&self, message: &Value, more: &[(&str, &str)]) -> Result<Response> {
        let own = self.headers_of(message);
        let mut headers = borrowed(&own);
        headers.extend_from_slice(more);
        once(self.address, request(Method::POST, self.address, &self.path, &headers, &message.to_string())?).await
    }

    /// Sends a message over an open connection.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_on(&self, wire: &mut Wire, message: &Value) -> Result<Response> {
        let own = self.headers_of(message);
        wire.send(request(Method::POST, self.address, &self.path, &borrowed(&own), &message.to_string())?).await
    }

    /// Sends a request and returns the final message.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not JSON.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.send(&self.message(method, params)).await?.json().await
    }

    /// Calls a tool and returns the final message.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not JSON.
    pub async fn tool(&self, name: &str, arguments: Value) -> Result<Value> {
        self.call("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    /// Calls a tool and answers every round; returns the final message and the number of rounds.
    ///
    /// # Errors
    /// When the connection breaks, or there is no end of rounds.
    pub async fn tool_obliging(&self, name: &str, arguments: Value) -> Result<(Value, usize)> {
        let mut params = json!({ "name": name, "arguments": arguments });
        for round in 0..10 {
            let reply = self.call("tools/call", params.clone()).await?;
            if reply["result"]["resultType"] != "input_required" {
                return Ok((reply, round));
            }
            params["inputResponses"] = answers(&reply["result"]);
            match reply["result"].get("requestState") {
                Some(state) => params["requestState"] = state.clone(),
                None => drop(params.as_object_mut().and_then(|params| params.remove("requestState"))),
            }
        }
        bail!("ten rounds and no end")
    }
}

// === impl Legacy ===

impl Legacy {
    /// Runs the handshake.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn connect(address: SocketAddr, revision: &str, capabilities: Value) -> Result<Self> {
        Self::connect_with(address, revision, capabilities, Vec::new()).await
    }

    /// Runs the handshake, sending these headers with every request.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn connect_with(address: SocketAddr, revision: &str, capabilities: Value, headers: Vec<(String, String)>) -> Result<Self> {
        let mut client = Self {
            address,
            path: "/mcp".to_owned(),
            session: String::new(),
            revision: String::new(),
            server: Value::Null,
            headers,
            next: AtomicU64::new(1),
        };
        let params =
            json!({ "protocolVersion": revision, "capabilities": capabilities, "clientInfo": { "name": "spec-client", "version": "1" } });
        let response = client.send(&client.message("initialize", &params)).await?;
        let status = response.status;
        if status != 200 {
            bail!("initialize: HTTP {status}: {}", response.text().await?);
        }
        response.header("mcp-session-id").clone_into(&mut client.session);
        let reply = response.json().await?;
        client.server = reply.get("result").with_context(|| format!("initialize: {reply}"))?.clone();
        client.server["protocolVersion"].as_str().context("no protocolVersion")?.clone_into(&mut client.revision);
        let response = client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        ensure!(response.status == 202, "notifications/initialized: HTTP {}", response.status);
        Ok(client)
    }

    /// Builds a request.
    #[must_use]
    pub fn message(&self, method: &str, params: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.next.fetch_add(1, Ordering::Relaxed), "method": method, "params": params })
    }

    /// Returns the headers of every request of this session.
    #[must_use]
    pub fn session_headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        if !self.session.is_empty() {
            headers.push(("mcp-session-id".to_owned(), self.session.clone()));
        }
        if !self.revision.is_empty() {
            headers.push(("mcp-protocol-version".to_owned(), self.revision.clone()));
        }
        headers.extend(self.headers.clone());
        headers
    }

    /// Posts a message over a connection of its own.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&self, message: &Value) -> Result<Response> {
        let own = self.session_headers();
        once(self.address, request(Method::POST, self.address, &self.path, &borrowed(&own), &message.to_string())?).await
    }

    /// Posts a message over an open connection.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_on(&self, wire: &mut Wire, message: &Value) -> Result<Response> {
        let own = self.session_headers();
        wire.send(request(Method::POST, self.address, &self.path, &borrowed(&own), &message.to_string())?).await
    }

    /// Opens the stream for messages of the server's own, or resumes one.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn listen(&self, last_event_id: Option<&str>) -> Result<Response> {
        let own = self.session_headers();
        let mut headers: Vec<_> = borrowed(&own).into_iter().filter(|(name, _)| *name != "content-type").collect();
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        once(self.address, request(Method::GET, self.address, &self.path, &headers, "")?).await
    }

    /// Ends the session.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn delete(&self) -> Result<Response> {
        let own = self.session_headers();
        once(self.address, request(Method::DELETE, self.address, &self.path, &borrowed(&own), "")?).await
    }

    /// Sends a request and returns the final message.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not JSON.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.send(&self.message(method, &params)).await?.json().await
    }

    /// Calls a tool and returns the final message.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not JSON.
    pub async fn tool(&self, name: &str, arguments: Value) -> Result<Value> {
        self.call("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    /// Calls a tool, answering what the server asks on the way; returns every message of the stream, the reply last.
    ///
    /// # Errors
    /// When the connection breaks or an answer is refused.
    pub async fn tool_obliging(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        let message = self.message("tools/call", &json!({ "name": name, "arguments": arguments }));
        let mut stream = self.send(&message).await?;
        let mut seen = Vec::new();
        while let Some(received) = stream.message().await? {
            if let Some(reply) = oblige(&received) {
                let accepted = self.send(&reply).await?;
                ensure!(accepted.status == 202, "an answer was refused: HTTP {}", accepted.status);
            }
            let last = received["id"] == message["id"] && received.get("method").is_none();
            seen.push(received);
            if last {
                return Ok(seen);
            }
        }
        bail!("the stream ended without a reply: {seen:?}")
    }
}
