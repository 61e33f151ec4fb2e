//! Servers of a few lines, in this process.

use std::sync::Arc;
use std::time::Duration;

use crate::{OpenPipe, Options, Origin, Target, Way};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_util::task::TaskTracker;

/// A result, an error, or nothing at all.
pub(crate) type Outcome = Option<Result<Value, (i64, String)>>;

/// What a server answers to a request.
pub(crate) type Answer = Arc<dyn Fn(&str, &Value) -> Outcome + Send + Sync>;

pub(crate) const NOT_FOUND: (i64, &str) = (-32601, "Method not found");

pub(crate) fn not_found() -> Result<Value, (i64, String)> {
    Err((NOT_FOUND.0, NOT_FOUND.1.to_owned()))
}

/// A legacy server that lists these tools and does what every server does.
pub(crate) fn legacy(tools: Value) -> Answer {
    Arc::new(move |method, params| match method {
        "initialize" => Some(Ok(json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "fixture", "version": "1" },
        }))),
        "ping" => Some(Ok(json!({}))),
        "tools/list" if params.get("cursor").is_some() => Some(Err((-32602, "no such cursor".to_owned()))),
        "tools/list" => Some(Ok(json!({ "tools": tools }))),
        "tools/call" => {
            let mut result = json!({ "content": [{ "type": "text", "text": "done" }] });
            if tools[0].get("outputSchema").is_some() {
                result["structuredContent"] = json!({});
            }
            Some(Ok(result))
        }
        _ => Some(not_found()),
    })
}

/// A server inside this process.
pub(crate) fn target(answer: Answer) -> Target {
    let tracker = TaskTracker::new();
    let open: OpenPipe = Arc::new(move || {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let answer = Arc::clone(&answer);
        tracker.spawn(async move {
            let (input, mut output) = tokio::io::split(theirs);
            let mut lines = BufReader::new(input).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                let (Some(id), Some(method)) = (message.get("id"), message.get("method").and_then(Value::as_str)) else { continue };
                let params = message.get("params").cloned().unwrap_or_default();
                let reply = match answer(method, &params) {
                    None => continue,
                    Some(Ok(result)) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                    Some(Err((code, message))) => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }),
                };
                if output.write_all(format!("{reply}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        ours
    });
    let origin = Origin::default();
    Target { name: "fixture".to_owned(), way: Way::Here(open), origin }
}

pub(crate) fn options() -> Options {
    Options { timeout: Duration::from_secs(10), start_timeout: Duration::from_secs(10), ..Options::default() }
}

/// A tool without a fault.
pub(crate) fn good_tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": "Says how much is left of something, in percent.",
        "inputSchema": {
            "type": "object",
            "properties": { "of": { "type": "string", "description": "What is asked for" } },
            "required": ["of"],
            "additionalProperties": false,
        },
        "outputSchema": { "type": "object" },
        "annotations": { "readOnlyHint": true },
    })
}
