//! A client for the conformance suite's client scenarios: `fixture-client URL` starts the gateway in front of the
//! suite's server and does through it what a client does, so that the gateway's connector is what is tested.

#![expect(clippy::indexing_slicing, reason = "reading a `serde_json::Value` by key answers null, and this is test support")]

use anyhow::{Context as _, Result};
use crib_spec::{
    client::{Legacy, MODERN, Modern, answers, full_capabilities},
    gateway::{Config, Gateway, url_server},
    settings::variable,
};
use serde_json::{Map, Value, json};

const LISTS: [(&str, &str); 3] = [("tools/list", "tools"), ("resources/list", "resources"), ("prompts/list", "prompts")];

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).context("fixture-client URL")?;
    let gateway = Gateway::start(&Config::plain("suite", url_server(&url))).await?;
    let revision = variable("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or_else(|| MODERN.to_owned());
    let context: Value = variable("MCP_CONFORMANCE_CONTEXT").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if revision.as_str() < MODERN {
        legacy(&gateway, &revision).await?;
    } else {
        modern(&gateway, &context).await?;
    }
    gateway.stop().await?;
    Ok(())
}

/// Arguments a schema accepts.
fn arguments(tool: &Value) -> Value {
    let schema = &tool["inputSchema"];
    let mut arguments = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let value = match property["type"].as_str() {
            Some("number" | "integer") => json!(5),
            Some("boolean") => json!(true),
            Some("string") => json!("text"),
            _ => continue,
        };
        arguments.insert(name.clone(), value);
    }
    Value::Object(arguments)
}

async fn legacy(gateway: &Gateway, revision: &str) -> Result<()> {
    let client = Legacy::connect(gateway.address, revision, full_capabilities()).await?;
    let tools = client.call("tools/list", json!({})).await?;
    for tool in tools["result"]["tools"].as_array().into_iter().flatten() {
        client.tool_obliging(tool["name"].as_str().unwrap_or_default(), arguments(tool)).await?;
    }
    Ok(())
}

async fn modern(gateway: &Gateway, context: &Value) -> Result<()> {
    let client = Modern::full(gateway.address);
    let mut lists = Map::new();
    for (method, field) in LISTS {
        let reply = client.call(method, json!({})).await?;
        lists.insert(field.to_owned(), reply["result"][field].clone());
    }
    let listed = |field: &str| lists.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let tools = listed("tools");
    let calls: Vec<Value> = match context["toolCalls"].as_array() {
        Some(calls) => calls.clone(),
        None => tools.iter().map(|tool| json!({ "name": tool["name"], "arguments": arguments(tool) })).collect(),
    };
    // Every call is under way before the first one is answered: rounds of one must not leak into another.
    let mut waiting = Vec::new();
    for call in calls {
        let tool = tools.iter().find(|tool| tool["name"] == call["name"]).cloned().unwrap_or_default();
        let reply = send(&client, &tool, call.clone()).await?;
        if reply["result"]["resultType"] == "input_required" {
            waiting.push((tool, call, reply));
        }
    }
    for (tool, mut call, mut reply) in waiting {
        while reply["result"]["resultType"] == "input_required" {
            call["inputResponses"] = answers(&reply["result"]);
            call["requestState"] = reply["result"]["requestState"].clone();
            if let (true, Some(call)) = (call["requestState"].is_null(), call.as_object_mut()) {
                call.remove("requestState");
            }
            reply = send(&client, &tool, call.clone()).await?;
        }
    }
    for resource in listed("resources") {
        client.call("resources/read", json!({ "uri": resource["uri"] })).await?;
    }
    for prompt in listed("prompts") {
        client.call("prompts/get", json!({ "name": prompt["name"] })).await?;
    }
    Ok(())
}

/// Calls a tool with the headers its schema asks for.
async fn send(client: &Modern, tool: &Value, params: Value) -> Result<Value> {
    let headers = crib_spec::client::parameter_headers(tool, &params["arguments"]);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    client.send_with(&client.message("tools/call", params), &headers).await?.json().await
}
