//! Plain HTTP is what its own OpenAPI document says: every operation is asked, and every answer held against it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    gateway::{Config, Gateway, stdio_server},
    http::{once, request},
    settings::fixture_binary,
};
use http::Method;
use serde_json::{Value, json};

const KEY: &str = "a3f90c417be2d85566f1";
const NARROW: &str = "7d02e9b8c1546af3ee90";

/// Who asks.
#[derive(Clone, Copy, PartialEq)]
enum As {
    Nobody,
    Alice,
    /// May use one tool.
    Bob,
}

use As::{Alice, Bob, Nobody};

/// Method, path of the document, path that is asked, who asks, body, status.
type Row = (&'static str, &'static str, &'static str, As, &'static str, u16);

const ROWS: &[Row] = &[
    ("get", "/openapi.json", "/openapi.json", Nobody, "", 200),
    ("get", "/healthz", "/healthz", Nobody, "", 200),
    ("get", "/readyz", "/readyz", Nobody, "", 200),
    ("get", "/readyz", "/readyz", Alice, "", 200),
    ("get", "/metrics", "/metrics", Alice, "", 200),
    ("get", "/metrics", "/metrics", Nobody, "", 401),
    ("get", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp", Nobody, "", 200),
    ("get", "/v1/servers", "/v1/servers", Alice, "", 200),
    ("get", "/v1/servers", "/v1/servers", Nobody, "", 401),
    ("get", "/v1/servers/{name}/logs", "/v1/servers/real/logs?tail=3", Alice, "", 200),
    ("get", "/v1/servers/{name}/logs", "/v1/servers/none/logs", Alice, "", 404),
    ("get", "/v1/servers/{name}/logs", "/v1/servers/real/logs", Nobody, "", 401),
    ("get", "/v1/calls", "/v1/calls", Alice, "", 200),
    ("get", "/v1/calls", "/v1/calls", Nobody, "", 401),
    ("get", "/v1/tools", "/v1/tools?q=sum&limit=2", Alice, "", 200),
    ("get", "/v1/tools", "/v1/tools?limit=many", Alice, "", 400),
    ("get", "/v1/tools", "/v1/tools?server=none", Alice, "", 404),
    ("get", "/v1/tools", "/v1/tools", Nobody, "", 401),
    ("get", "/v1/tools/{name}", "/v1/tools/demo.add", Alice, "", 200),
    ("get", "/v1/tools/{name}", "/v1/tools/demo__nothing", Alice, "", 404),
    ("get", "/v1/tools/{name}", "/v1/tools/demo__echo", Bob, "", 404),
    ("get", "/v1/tools/{name}", "/v1/tools/broken.x", Alice, "", 502),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__add", Bob, r#"{"a":88,"b":22}"#, 200),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__add", Alice, r#"{"a":88}"#, 422),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__add", Alice, "[1]", 400),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__add", Nobody, "{}", 401),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__ask_name", Alice, "{}", 409),
    ("post", "/v1/tools/{name}", "/v1/tools/real__test_error_handling", Alice, "{}", 422),
    ("post", "/v1/tools/{name}", "/v1/tools/broken.x", Alice, "{}", 502),
    ("post", "/v1/tools/{name}", "/v1/tools/new__test_tool_with_task", Alice, "{}", 409),
    ("post", "/v1/list-tools", "/v1/list-tools", Alice, r#"{"server":"demo"}"#, 200),
    ("post", "/v1/list-tools", "/v1/list-tools", Nobody, "{}", 401),
    ("post", "/v1/call-tool", "/v1/call-tool", Alice, r#"{"name":"demo__add","arguments":{"a":1,"b":2}}"#, 200),
    ("post", "/v1/call-tool", "/v1/call-tool", Alice, r#"{"server":"demo","name":"nothing"}"#, 404),
    ("post", "/v1/servers/{name}/stop", "/v1/servers/demo/stop", Bob, "", 403),
    ("post", "/v1/servers/{name}/stop", "/v1/servers/demo/stop", Nobody, "", 401),
    ("post", "/v1/servers/{name}/stop", "/v1/servers/none/stop", Alice, "", 404),
    ("post", "/v1/servers/{name}/stop", "/v1/servers/demo/stop", Alice, "", 200),
    ("post", "/v1/tools/{name}", "/v1/tools/demo__add", Alice, r#"{"a":1,"b":2}"#, 409),
    ("post", "/v1/servers/{name}/start", "/v1/servers/demo/start", Alice, "", 200),
    ("post", "/v1/servers/{name}/start", "/v1/servers/none/start", Alice, "", 404),
    // Another method is nobody's operation and an error like the others.
    ("get", "/v1/tools/{name}", "/v1/servers/demo/stop", Alice, "", 405),
];

async fn served() -> Result<Gateway> {
    let real = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", "legacy"]);
    let new = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", "modern"]);
    let config = Config::new()
        .server("new", new)
        .server("demo", json!({ "builtin": "demo" }))
        .server("real", real)
        .server("broken", json!({ "command": "/no/such/program" }))
        .key("alice", KEY)
        .key_with(json!({ "name": "bob", "secret": NARROW, "allow": ["demo.add"] }));
    Gateway::start(&config).await
}

/// Asks and returns the status, the type and the body.
async fn ask(gateway: &Gateway, method: &str, path: &str, who: As, body: &str) -> Result<(u16, String, String)> {
    let key = match who {
        Nobody => None,
        Alice => Some(format!("Bearer {KEY}")),
        Bob => Some(format!("Bearer {NARROW}")),
    };
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.as_deref().map(|key| ("authorization", key)));
    let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
    let response = once(gateway.address, request(method, gateway.address, path, &headers, body)?).await?;
    let (status, kind) = (response.status, response.header("content-type").to_owned());
    Ok((status, kind, response.text().await?))
}

/// Returns the schema of one answer, with the components it refers to.
fn schema(document: &Value, operation: &Value, status: u16, kind: &str) -> Result<Value> {
    let responses = &operation["responses"];
    let response = responses.get(status.to_string()).or_else(|| responses.get("default"));
    let response = response.with_context(|| format!("{status} is not described"))?;
    let kind = kind.split(';').next().unwrap_or_default();
    let mut schema = response["content"].get(kind).with_context(|| format!("{kind} is not described for {status}"))?["schema"].clone();
    schema["components"] = document["components"].clone();
    Ok(schema)
}

#[tokio::test]
async fn every_answer_is_what_the_document_says() -> Result<()> {
    let gateway = served().await?;
    let document: Value = serde_json::from_str(&ask(&gateway, "get", "/openapi.json", Nobody, "").await?.2)?;
    ensure!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    for &(method, described, path, who, body, wanted) in ROWS {
        let what = format!("{method} {path}");
        let operation = &document["paths"][described][method];
        ensure!(operation.is_object(), "{what} is not described");
        let (status, kind, text) = ask(&gateway, method, path, who, body).await?;
        ensure!(status == wanted, "{what}: {status} instead of {wanted}: {text}");
        let schema = schema(&document, operation, status, &kind).with_context(|| what.clone())?;
        let answer = if kind.starts_with("application/json") { serde_json::from_str(&text)? } else { json!(text) };
        let validator = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&schema)?;
        let wrong: Vec<String> = validator.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
        ensure!(wrong.is_empty(), "{what}: {status}: {wrong:?} in {text}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_operation_is_asked_and_has_a_name_of_its_own() -> Result<()> {
    let gateway = served().await?;
    let document: Value = serde_json::from_str(&ask(&gateway, "get", "/openapi.json", Nobody, "").await?.2)?;
    let asked: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| (row.0, row.1)).collect();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().context("no paths")? {
        for method in ["get", "post", "put", "delete", "patch"] {
            let Some(operation) = operations.get(method) else { continue };
            ensure!(asked.contains(&(method, path.as_str())), "no row asks {method} {path}");
            let name = operation["operationId"].as_str().context("no operationId")?;
            ensure!(names.insert(name), "{name} is the name of two operations");
        }
    }
    gateway.stop().await?;
    Ok(())
}
