//! Clients on the official SDKs of TypeScript, Python and Rust, in both eras and over every transport they have: through
//! the gateway they find what they find directly, whichever era the server behind it is of.

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    conformance::node,
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, stdio_server, url_server},
    journal::Journal,
    sdk::{Carrier, Sdk},
    settings::{cache_dir, gateway_binary},
    wait::SOON,
};
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

/// How a client reaches the gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Http,
    Sse,
    Socket,
    Stdio,
}

const EVERYTHING: &str = "every";

/// The reference server asks for roots when nobody calls anything. Behind the gateway one process of it serves many
/// clients, so there is nobody it could ask: it hears of no roots, and this one result is another.
const ROOTS: &str = "roots asked outside of a call";

/// What a client does with one of our fixtures.
fn steps() -> Vec<Value> {
    let complete = json!({
        "ref": { "type": "ref/prompt", "name": "test_prompt_with_arguments" },
        "argument": { "name": "arg1", "value": "pa" },
    });
    vec![
        json!({ "as": "plain", "do": "call", "name": "test_simple_text" }),
        json!({ "as": "structured", "do": "call", "name": "echo", "arguments": { "a": [1, "88 加 22", null] } }),
        json!({ "as": "failed", "do": "call", "name": "test_error_handling" }),
        json!({ "as": "unknown", "do": "call", "name": "no_such_tool" }),
        json!({ "as": "content", "do": "call", "name": "test_multiple_content_types" }),
        json!({ "as": "progress", "do": "call", "name": "test_tool_with_progress", "progress": true }),
        json!({ "as": "headers", "do": "call", "name": "search", "arguments": { "query": "x", "region": "Zürich", "limit": 5 } }),
        json!({ "as": "elicitation", "do": "call", "name": "test_elicitation", "arguments": { "message": "hello" } }),
        json!({ "as": "two rounds", "do": "call", "name": "elicit_twice" }),
        json!({ "as": "sampling", "do": "call", "name": "test_sampling", "arguments": { "prompt": "hello" } }),
        json!({ "as": "roots", "do": "call", "name": "test_input_required_result_list_roots" }),
        json!({ "as": "everything", "do": "call", "name": "test_input_required_result_multiple_inputs" }),
        json!({ "as": "text", "do": "read", "uri": "test://static-text" }),
        json!({ "as": "blob", "do": "read", "uri": "test://static-binary" }),
        json!({ "as": "template", "do": "read", "uri": "test://template/5/data" }),
        json!({ "as": "nothing", "do": "read", "uri": "test://none" }),
        json!({ "as": "prompt", "do": "prompt", "name": "test_prompt_with_arguments", "arguments": { "arg1": "x", "arg2": "y" } }),
        json!({ "as": "complete", "do": "complete", "params": complete }),
        json!({ "as": "updated", "do": "watch", "uri": "test://a", "name": "touch", "arguments": { "uri": "test://a" } }),
        json!({ "as": "list changed", "do": "watch", "name": "test_trigger_tool_change" }),
        json!({ "as": "cancel", "do": "cancel", "name": "slow", "arguments": { "ms": 60_000, "steps": 1 } }),
    ]
}

/// What a client does with the reference server.
fn steps_with_everything() -> Vec<Value> {
    vec![
        json!({ "as": "echo", "do": "call", "name": "echo", "arguments": { "message": "88 加 22" } }),
        json!({ "as": "sum", "do": "call", "name": "get-sum", "arguments": { "a": 88, "b": 22 } }),
        json!({ "as": "structured", "do": "call", "name": "get-structured-content", "arguments": { "location": "Chicago" } }),
        json!({ "as": "sampling", "do": "call", "name": "trigger-sampling-request", "arguments": { "prompt": "hello", "maxTokens": 9 } }),
        json!({ "as": "elicitation", "do": "call", "name": "trigger-elicitation-request" }),
        json!({ "as": ROOTS, "do": "call", "name": "get-roots-list" }),
        json!({ "as": "prompt", "do": "prompt", "name": "simple-prompt" }),
    ]
}

/// The steps with the names and URIs they have behind the gateway.
fn behind(server: &str, steps: &[Value]) -> Vec<Value> {
    let mut steps = steps.to_vec();
    for step in &mut steps {
        for (place, between) in [("/name", "__"), ("/params/ref/name", "__"), ("/uri", "+"), ("/as", "/")] {
            if let Some(Value::String(text)) = step.pointer_mut(place) {
                text.insert_str(0, &format!("{server}{between}"));
            }
        }
    }
    steps
}

/// What of a report through the gateway is of one server, under that server's own names.
fn own(server: &str, report: &Value) -> Result<Value> {
    let mut lists = Map::new();
    for (field, items) in report["lists"].as_object().context("no lists")? {
        let is_own = |item: &&Value| {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            text("name").starts_with(&format!("{server}__")) || (text("uri") + &text("uriTemplate")).starts_with(&format!("{server}+"))
        };
        let items: Vec<&Value> = items.as_array().into_iter().flatten().filter(is_own).collect();
        lists.insert(field.clone(), json!(items));
    }
    let results: Map<String, Value> = report["results"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, result)| Some((name.strip_prefix(&format!("{server}/"))?.to_owned(), result.clone())))
        .collect();
    let text = json!({ "lists": lists, "results": results }).to_string();
    Ok(serde_json::from_str(&text.replace(&format!("{server}__"), "").replace(&format!("{server}+"), ""))?)
}

/// A report without what only the reply of one era, or of one hop, carries.
fn bare(report: &Value) -> Value {
    let mut report = json!({ "lists": report["lists"], "results": report["results"] });
    for items in report["lists"].as_object_mut().into_iter().flat_map(|lists| lists.values_mut()) {
        if let Some(items) = items.as_array_mut() {
            items.sort_by_key(|item| item["name"].to_string());
        }
    }
    for result in report["results"].as_object_mut().into_iter().flat_map(|results| results.values_mut()) {
        // A call with progress holds its result inside.
        let result = if result.get("progress").is_some() { &mut result["result"] } else { result };
        if let Some(fields) = result.as_object_mut() {
            for field in ["resultType", "_meta", "ttlMs", "cacheScope"] {
                fields.remove(field);
            }
        }
        if result["error"] == -32002 {
            result["error"] = json!(-32602);
        }
    }
    report
}

fn forget_execution(report: &mut Value) {
    for tool in report["lists"]["tools"].as_array_mut().into_iter().flatten() {
        tool.as_object_mut().and_then(|tool| tool.remove("execution"));
    }
}

/// Fails with what differs, a line each.
fn same(what: &str, direct: &Value, through: &Value) -> Result<()> {
    let (direct, through) = (bare(direct), bare(through));
    let mut differences = Vec::new();
    for part in ["lists", "results"] {
        let empty = Map::new();
        let (left, right) = (direct[part].as_object().unwrap_or(&empty), through[part].as_object().unwrap_or(&empty));
        for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
            if direct[part][key] != through[part][key] {
                differences.push(format!("{part}, {key}:\n  directly {}\n  through  {}", direct[part][key], through[part][key]));
            }
        }
    }
    ensure!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
    Ok(())
}

async fn cancelled(journal: &Journal, times: usize) -> Result<()> {
    let all = |entries: &[Value]| (entries.iter().filter(|entry| entry["what"] == "cancelled").count() >= times).then_some(());
    // Other requests are taken back, too: a closed subscription, for one.
    journal.until(SOON, "the server hears that calls were taken back", all).await
}

/// The reference server, where it is installed.
fn everything() -> Option<Carrier> {
    let script = cache_dir().join("npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let args = vec![script.display().to_string(), "stdio".to_owned()];
    Some(Carrier::Stdio(node().ok().filter(|_| script.is_file())?, args))
}

/// Runs a client directly and through the gateway, over every way given at once.
async fn finds_the_same(sdk: Sdk, era: Era, ways: &[Way]) -> Result<()> {
    if !sdk.is_installed(&format!("sdk {sdk:?} {era}")) {
        return Ok(());
    }
    let (legacy, modern) = (Fixture::of(Era::Legacy).await?, Fixture::of(Era::Modern).await?);
    let reference = everything();
    let mut config = Config::new().server("legacy", url_server(&legacy.url())).server("modern", url_server(&modern.url()));
    let mut all = [behind("legacy", &steps()), behind("modern", &steps())].concat();
    if let Some(Carrier::Stdio(program, args)) = &reference {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        config = config.server(EVERYTHING, stdio_server(program, &args));
        all.extend(behind(EVERYTHING, &steps_with_everything()));
    }
    let gateway = Gateway::start(&config.clone().gateway("webSocket", json!({ "listen": "127.0.0.1:0" }))).await?;
    let socket = format!("ws://{}/mcp", gateway.socket().await?);
    let file = config.write("127.0.0.1:0".parse()?)?.display().to_string();

    let own_era = if era == Era::Legacy { &legacy } else { &modern };
    let direct = sdk.run(&Carrier::Http(own_era.url()), era, &steps()).await?;
    let runs = ways.iter().map(|way| {
        let carrier = match way {
            Way::Http => Carrier::Http(gateway.url()),
            Way::Sse => Carrier::Sse(gateway.url()),
            Way::Socket => Carrier::Socket(socket.clone()),
            Way::Stdio => Carrier::Stdio(gateway_binary(), ["serve", "-c", &file, "--stdio"].map(str::to_owned).to_vec()),
        };
        let all = &all;
        async move { sdk.run(&carrier, era, all).await.with_context(|| format!("{way:?}")) }
    });
    let reports = try_join_all(runs).await?;
    for (way, report) in ways.iter().zip(&reports) {
        for server in ["legacy", "modern"] {
            same(&format!("{sdk:?}, {era}, {way:?}, {server}"), &direct, &own(server, report)?)?;
        }
    }
    if let Some(reference) = &reference {
        // The reference server is of the legacy era, so is a client that meets it directly.
        let wanted = if sdk == Sdk::Python2 { Sdk::Python1 } else { sdk };
        let mut direct = wanted.run(reference, Era::Legacy, &steps_with_everything()).await?;
        direct["results"].as_object_mut().and_then(|results| results.remove(ROOTS));
        for (way, report) in ways.iter().zip(&reports) {
            let mut through = own(EVERYTHING, report)?;
            let roots = through["results"].as_object_mut().and_then(|results| results.remove(ROOTS)).unwrap_or_default();
            ensure!(roots["content"].is_array() && roots["isError"] != true, "{roots}");
            if era == Era::Modern {
                // What only the legacy era knows of tools, some SDKs leave out and some do not.
                forget_execution(&mut direct);
                forget_execution(&mut through);
            }
            same(&format!("{sdk:?}, {era}, {way:?}, everything"), &direct, &through)?;
        }
    }
    cancelled(&legacy.journal, ways.len()).await?;
    cancelled(&modern.journal, ways.len()).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn sdk_of_typescript_1_finds_the_same_through_the_gateway() -> Result<()> {
    finds_the_same(Sdk::TypeScript1, Era::Legacy, &[Way::Http, Way::Sse, Way::Socket, Way::Stdio]).await
}

#[tokio::test]
async fn sdk_of_typescript_2_finds_the_same_in_the_legacy_era() -> Result<()> {
    finds_the_same(Sdk::TypeScript2, Era::Legacy, &[Way::Http]).await
}

#[tokio::test]
async fn sdk_of_typescript_2_finds_the_same_in_the_modern_era() -> Result<()> {
    finds_the_same(Sdk::TypeScript2, Era::Modern, &[Way::Http, Way::Stdio]).await
}

#[tokio::test]
async fn sdk_of_python_1_finds_the_same_through_the_gateway() -> Result<()> {
    finds_the_same(Sdk::Python1, Era::Legacy, &[Way::Http, Way::Sse, Way::Stdio]).await
}

#[tokio::test]
async fn sdk_of_python_2_finds_the_same_in_the_modern_era() -> Result<()> {
    finds_the_same(Sdk::Python2, Era::Modern, &[Way::Http, Way::Stdio]).await
}

#[tokio::test]
async fn sdk_of_rust_finds_the_same_in_the_legacy_era() -> Result<()> {
    finds_the_same(Sdk::Rust, Era::Legacy, &[Way::Http, Way::Stdio]).await
}

#[tokio::test]
async fn sdk_of_rust_finds_the_same_in_the_modern_era() -> Result<()> {
    finds_the_same(Sdk::Rust, Era::Modern, &[Way::Http, Way::Stdio]).await
}
