//! Protocol: what it answers to what is wrong, and whether its lists and its era hold what they promise.

use std::time::{Duration, Instant};

use crib_mcp::{Method, code};
use crib_model::{Code, Fault};
use serde_json::{Value, json};

use super::{Part, Subject};
use crate::client::{Client, LISTS, List, Reply};
use crate::probe;

/// Longest wait for the answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// A name nobody gives.
const NOBODY: &str = "toolcrib_no_such_thing";

pub(super) async fn measure(subject: &Subject<'_>) -> Result<Part, Fault> {
    let mut part = Part::new("Protocol", 25.0);
    let client = subject.client;
    unknown_method(client, &mut part).await?;
    unknown_tool(client, &mut part).await?;
    bad_arguments(subject, &mut part).await?;
    unknown_resource(client, &mut part).await?;
    lists(subject, &mut part).await?;
    ping(client, &mut part).await?;
    era(subject, &mut part).await?;
    cancel(client, &mut part).await?;
    Ok(part)
}

/// Notes whether a command kept its output to the protocol; known when all is over.
pub(super) fn stdout(parts: &mut [Part], transport: &str, noise: usize) {
    let Some(part) = parts.iter_mut().find(|part| part.name == "Protocol") else { return };
    match (transport, noise) {
        ("stdio", 0) => part.earned(2.0, 1.0, "clean output", "nothing but messages"),
        ("stdio", count) => part.earned(2.0, 0.0, "clean output", format!("{count} lines that are no messages")),
        (_, 0) => part.unknown(2.0, "clean output", "only commands have one"),
        (_, count) => part.earned(2.0, 0.0, "clean output", format!("{count} answers that are no messages")),
    }
}

/// Sends a probe. A server that does not answer one is told of and not given up; one that is gone is.
async fn probe(client: &Client, method: &str, params: Value) -> Result<Option<Reply>, Fault> {
    let params = client.with_meta(params);
    match client.send(method, &params, Instant::now() + PROBE_TIMEOUT).await {
        Ok(reply) => Ok(Some(reply)),
        Err(fault) if matches!(fault.code(), Code::DeadlineExceeded | Code::UpstreamStatus | Code::ProtocolBroken) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn told(reply: &Reply) -> String {
    let status = reply.status.filter(|status| *status != 200).map(|status| format!(", HTTP {status}")).unwrap_or_default();
    match &reply.outcome {
        Err(error) => format!("error {}{status}: {}", error.code, crate::overview::cut(&error.message, 80)),
        Ok(_) if reply.is_tool_error() => format!("a result with isError{status}"),
        Ok(_) => format!("a result{status}"),
    }
}

const SILENT: &str = "no answer that can be used";

async fn unknown_method(client: &Client, part: &mut Part) -> Result<(), Fault> {
    let Some(reply) = probe(client, "toolcrib/no-such-method", json!({})).await? else {
        part.earned(4.0, 0.0, "unknown method", SILENT);
        return Ok(());
    };
    let is_modern_http = client.hello().revision.is_modern() && client.hello().transport == "http";
    let share = match reply.error_code() {
        Some(code::METHOD_NOT_FOUND) if is_modern_http && reply.status != Some(404) => 0.75,
        Some(code::METHOD_NOT_FOUND) => 1.0,
        Some(_) => 0.5,
        None => 0.0,
    };
    part.earned(4.0, share, "unknown method", told(&reply));
    Ok(())
}

async fn unknown_tool(client: &Client, part: &mut Part) -> Result<(), Fault> {
    if !client.hello().offers("tools") {
        part.unknown(4.0, "unknown tool", "it has no tools");
        return Ok(());
    }
    let Some(reply) = probe(client, Method::ToolsCall.as_str(), json!({ "name": NOBODY, "arguments": {} })).await? else {
        part.earned(4.0, 0.0, "unknown tool", SILENT);
        return Ok(());
    };
    let share = match (reply.error_code(), reply.is_tool_error()) {
        (Some(code::INVALID_PARAMS), _) => 1.0,
        (Some(_), _) => 0.75,
        (None, true) => 0.5,
        (None, false) => 0.0,
    };
    part.earned(4.0, share, "unknown tool", told(&reply));
    Ok(())
}

/// Only where nothing can happen: a tool that says it changes nothing, without what it requires.
async fn bad_arguments(subject: &Subject<'_>, part: &mut Part) -> Result<(), Fault> {
    let is_fit = |tool: &&Value| probe::is_read_only(tool) && !probe::required(tool).is_empty();
    let Some(name) = subject.overview.tools.iter().find(is_fit).and_then(probe::name) else {
        part.unknown(4.0, "bad arguments", "no read-only tool that requires any");
        return Ok(());
    };
    let Some(reply) = probe(subject.client, Method::ToolsCall.as_str(), json!({ "name": name, "arguments": {} })).await? else {
        part.earned(4.0, 0.0, "bad arguments", SILENT);
        return Ok(());
    };
    let share = match (reply.error_code(), reply.is_tool_error()) {
        (Some(code::INVALID_PARAMS), _) | (None, true) => 1.0,
        (Some(_), _) => 0.5,
        (None, false) => 0.0,
    };
    part.earned(4.0, share, "bad arguments", format!("{name}: {}", told(&reply)));
    Ok(())
}

async fn unknown_resource(client: &Client, part: &mut Part) -> Result<(), Fault> {
    if !client.hello().offers("resources") {
        part.unknown(2.0, "unknown resource", "it has no resources");
        return Ok(());
    }
    let Some(reply) = probe(client, Method::ResourcesRead.as_str(), json!({ "uri": format!("toolcrib://{NOBODY}") })).await? else {
        part.earned(2.0, 0.0, "unknown resource", SILENT);
        return Ok(());
    };
    let is_modern = client.hello().revision.is_modern();
    let share = match reply.error_code() {
        Some(code::INVALID_PARAMS) => 1.0,
        Some(code::RESOURCE_NOT_FOUND) if !is_modern => 1.0,
        Some(_) => 0.5,
        None => 0.0,
    };
    part.earned(2.0, share, "unknown resource", told(&reply));
    Ok(())
}

async fn lists(subject: &Subject<'_>, part: &mut Part) -> Result<(), Fault> {
    let client = subject.client;
    match subject.overview.problems.as_slice() {
        [] => part.earned(3.0, 1.0, "lists", "every list that is promised can be read to its end"),
        [first, ..] => part.earned(3.0, 0.0, "lists", first.clone()),
    }
    let Some(list) = LISTS.into_iter().find(|list| client.hello().offers(list.capability())) else {
        part.unknown(2.0, "wrong cursor", "it has no lists");
        return Ok(());
    };
    let Some(reply) = probe(client, list.method().as_str(), json!({ "cursor": NOBODY })).await? else {
        part.earned(2.0, 0.0, "wrong cursor", SILENT);
        return Ok(());
    };
    let share = match reply.error_code() {
        Some(code::INVALID_PARAMS) => 1.0,
        Some(_) => 0.75,
        // A server with one page may never look at the cursor.
        None => 0.5,
    };
    part.earned(2.0, share, "wrong cursor", told(&reply));
    Ok(())
}

async fn ping(client: &Client, part: &mut Part) -> Result<(), Fault> {
    if client.hello().revision.is_modern() {
        part.unknown(2.0, "ping", "there is none since 2026-07-28");
        return Ok(());
    }
    match probe(client, Method::Ping.as_str(), json!({})).await? {
        Some(reply) if reply.outcome.is_ok() => part.earned(2.0, 1.0, "ping", "answered"),
        Some(reply) => part.earned(2.0, 0.0, "ping", told(&reply)),
        None => part.earned(2.0, 0.0, "ping", SILENT),
    }
    Ok(())
}

/// A modern result says what it is and how long it may be kept; a legacy server names itself.
async fn era(subject: &Subject<'_>, part: &mut Part) -> Result<(), Fault> {
    let client = subject.client;
    let hello = client.hello();
    if !hello.revision.is_modern() {
        let missing: Vec<&str> =
            ["serverInfo", "capabilities"].into_iter().filter(|member| !hello.result.get(*member).is_some_and(Value::is_object)).collect();
        let found =
            if missing.is_empty() { format!("speaks {}", hello.revision) } else { format!("its greeting lacks {}", missing.join(", ")) };
        part.earned(3.0, if missing.is_empty() { 1.0 } else { 0.0 }, "era", found);
        return Ok(());
    }
    let mut missing: Vec<String> = lacking("server/discover", &hello.result);
    if hello.offers("tools")
        && let Some(Reply { outcome: Ok(result), .. }) = probe(client, List::Tools.method().as_str(), json!({})).await?
    {
        missing.extend(lacking("tools/list", &result));
    }
    let found = if missing.is_empty() { format!("speaks {}", hello.revision) } else { format!("lacks {}", missing.join(", ")) };
    let share = if missing.is_empty() { 1.0 } else { 0.5 };
    part.earned(3.0, share, "era", found);
    Ok(())
}

fn lacking(method: &str, result: &Value) -> Vec<String> {
    let members = ["resultType", "ttlMs", "cacheScope"].into_iter();
    members.filter(|member| result.get(*member).is_none()).map(|member| format!("{member} in {method}")).collect()
}

/// A request that is given up must not take anything with it.
async fn cancel(client: &Client, part: &mut Part) -> Result<(), Fault> {
    let list = LISTS.into_iter().find(|list| client.hello().offers(list.capability()));
    let method = list.map_or(Method::Discover, List::method);
    let params = client.with_meta(json!({}));
    // Dropped at once: the answer, if one comes, is for nobody.
    let asking = client.send(method.as_str(), &params, Instant::now() + PROBE_TIMEOUT);
    let dropped = tokio::time::timeout(Duration::from_micros(1), asking).await;
    drop(dropped);
    let check = if client.hello().revision.is_modern() { Method::Discover } else { Method::Ping };
    match probe(client, check.as_str(), json!({})).await? {
        Some(_) => part.earned(3.0, 1.0, "cancellation", "goes on after a request was given up"),
        None => part.earned(3.0, 0.0, "cancellation", "answers nothing after a request was given up"),
    }
    Ok(())
}
