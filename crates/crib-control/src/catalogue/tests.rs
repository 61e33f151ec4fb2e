use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{ClientCaps, Method, Payload, Revision, code};
use crib_model::{BoxFuture, Client, Entry, Fault, Forward, Health, Ledger, Outcome, Principal, Reply, Slug, Tenant, Upstream};
use crib_policy::{Keys, RuleSpec, Rules, Seal};
use crib_proxy::{Parts, Plane, Server, Setup};
use crib_registry::NameStyle;
use serde_json::{Value, json};

use super::Catalogue;
use crate::{Figure, Figures, Latency, Machine, ServerFigure};

/// A server with tools nobody calls.
struct Fake(Vec<&'static str>);

impl Upstream for Fake {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let tools: Vec<Value> = self
            .0
            .iter()
            .map(|name| json!({ "name": name, "inputSchema": { "type": "object" }, "annotations": { "readOnlyHint": true } }))
            .collect();
        let result = if forward.method == Method::Discover {
            json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } })
        } else {
            json!({ "resultType": "complete", "tools": tools, "ttlMs": 60_000, "cacheScope": "public" })
        };
        Box::pin(async move { Ok(Reply::Done(Outcome::Complete(Payload::of(&result), Revision::LATEST))) })
    }

    fn health(&self) -> Health {
        Health { state: "running", revision: Some(Revision::V2025_11_25), ..Health::default() }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

struct Quiet;

impl Ledger for Quiet {
    fn settle(&self, _: &Entry) {}
}

/// Every `read` was called twice.
struct Counted;

impl Figures for Counted {
    fn of(&self, _: &Slug, tool: &str) -> Option<Figure> {
        (tool == "read").then_some(Figure { calls: 2, failures: 1, latency_ms: Latency { mean: 1.5, p50: 1.0, p95: 2.0, p99: 2.0 } })
    }

    fn of_server(&self, _: &Slug) -> Option<ServerFigure> {
        None
    }

    fn memory(&self, groups: &[Vec<u32>]) -> Vec<Option<u64>> {
        vec![None; groups.len()]
    }
}

/// A plane with two servers and the catalogue; `guest` may only read files.
fn plane() -> (Arc<Plane>, Catalogue) {
    let catalogue = Catalogue::new(Arc::new(Counted));
    let server = |name: &str, upstream: Arc<dyn Upstream>| Server { slug: Slug::from_name(name), upstream };
    let guest = RuleSpec { allow: vec!["files.read".to_owned(), "toolcrib.*".to_owned()], deny: Vec::new() };
    let plane = Plane::new(Parts {
        setup: Setup {
            servers: vec![
                server("files", Arc::new(Fake(vec!["read", "write", "a/b"]))),
                server("secret", Arc::new(Fake(vec!["launch"]))),
                server("toolcrib", Arc::new(catalogue.clone())),
            ],
            names: NameStyle::default(),
            keys: Keys::none(),
            rules: Rules::build(&RuleSpec::default(), [("guest", &guest)]).unwrap(),
            call_timeout: Duration::from_secs(10),
            input_timeout: Duration::from_secs(600),
            page_size: 100,
            session_idle: Duration::from_secs(60),
            pins: Arc::new(crib_registry::pins::Unpinned),
        },
        ledger: Arc::new(Quiet),
        clock: Arc::new(Machine),
        seal: Seal::random(Arc::new(Machine)),
        elsewhere: None,
        entropy: Arc::new(Machine),
    });
    catalogue.attach(&plane);
    (plane, catalogue)
}

async fn ask(catalogue: &Catalogue, who: &str, method: Method, params: Value) -> Outcome {
    let forward = Forward {
        method,
        params: Payload::of(&params),
        target: None,
        param_headers: None,
        client: Arc::new(Client::new(Revision::LATEST, ClientCaps::none(), None)),
        principal: Arc::new(Principal { tenant: Tenant::local(), name: who.into() }),
        log_level: None,
        progress_token: None,
        inputs: None,
        trace: None,
        deadline: Instant::now() + Duration::from_secs(10),
    };
    match catalogue.call(Arc::new(forward)).await.unwrap() {
        Reply::Done(outcome) => outcome,
        Reply::Stream(_) => panic!("a stream"),
    }
}

fn result(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Complete(payload, _) => payload.to_json().read().unwrap(),
        other @ (Outcome::Error(..) | Outcome::InputRequired { .. } | Outcome::Task(..)) => panic!("{other:?}"),
    }
}

/// Reads a page; `None` where there is none.
async fn read(catalogue: &Catalogue, who: &str, uri: &str) -> Option<Value> {
    let outcome = ask(catalogue, who, Method::ResourcesRead, json!({ "uri": uri })).await;
    if let Outcome::Error(error, _) = outcome {
        assert_eq!((error.code, &*error.message), (code::INVALID_PARAMS, &*format!("Resource not found: {uri}")));
        return None;
    }
    let result = result(outcome);
    assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(0)));
    let contents = &result["contents"][0];
    assert_eq!((&contents["uri"], &contents["mimeType"]), (&json!(uri), &json!("application/json")));
    Some(serde_json::from_str(contents["text"].as_str().unwrap()).unwrap())
}

#[tokio::test]
async fn a_tool_is_described_with_what_was_measured() {
    let (plane, catalogue) = plane();
    let tool = read(&catalogue, "anonymous", "toolcrib://tools/files/read").await.unwrap();
    assert_eq!(
        tool,
        json!({
            "name": "files__read", "server": "files", "serverTool": "read", "revision": "2025-11-25", "era": "legacy",
            "definition": { "name": "files__read", "inputSchema": { "type": "object" }, "annotations": { "readOnlyHint": true } },
            "measured": { "calls": 2, "failures": 1, "latencyMs": { "mean": 1.5, "p50": 1.0, "p95": 2.0, "p99": 2.0 } },
        })
    );
    let odd = read(&catalogue, "anonymous", "toolcrib://tools/files/a%2Fb").await.unwrap();
    assert_eq!((&odd["serverTool"], odd.get("measured")), (&json!("a/b"), None));
    plane.close().await;
}

#[tokio::test]
async fn servers_are_listed_with_as_many_tools_as_the_caller_may_use() {
    let (plane, catalogue) = plane();
    let names = |page: &Value, list: &str| -> Vec<String> {
        page[list].as_array().unwrap().iter().map(|item| format!("{} {}", item["name"].as_str().unwrap(), item["toolCount"])).collect()
    };
    let all = read(&catalogue, "anonymous", "toolcrib://servers").await.unwrap();
    assert_eq!(names(&all, "servers"), ["files 3", "secret 1"]);
    let few = read(&catalogue, "guest", "toolcrib://servers").await.unwrap();
    assert_eq!(names(&few, "servers"), ["files 1"]);
    let one = read(&catalogue, "guest", "toolcrib://servers/files").await.unwrap();
    assert_eq!(one["tools"].as_array().unwrap().len(), 1);
    let tools = read(&catalogue, "guest", "toolcrib://tools").await.unwrap();
    assert_eq!(tools["tools"].as_array().unwrap().len(), 1);
    plane.close().await;
}

#[tokio::test]
async fn what_a_caller_may_not_use_is_not_there() {
    let (plane, catalogue) = plane();
    for uri in ["toolcrib://tools/files/write", "toolcrib://tools/secret/launch", "toolcrib://servers/secret", "toolcrib://servers/none"] {
        assert_eq!(read(&catalogue, "guest", uri).await, None, "{uri}");
    }
    assert!(read(&catalogue, "anonymous", "toolcrib://servers/secret").await.is_some());
    plane.close().await;
}

#[tokio::test]
async fn the_lists_name_no_server_and_no_tool() {
    let (plane, catalogue) = plane();
    for method in [Method::Discover, Method::ResourcesList, Method::ResourcesTemplatesList] {
        let text = result(ask(&catalogue, "anonymous", method, json!({})).await).to_string();
        assert!(!text.contains("files") && !text.contains("secret"), "{text}");
    }
    plane.close().await;
}

#[tokio::test]
async fn arguments_are_completed_with_names_the_caller_may_know() {
    let (plane, catalogue) = plane();
    let params = |name: &str, value: &str, context: Value| {
        json!({
            "ref": { "type": "ref/resource", "uri": "toolcrib://tools/{server}/{tool}" },
            "argument": { "name": name, "value": value }, "context": context,
        })
    };
    let values = |outcome| result(outcome)["completion"]["values"].clone();
    let servers = ask(&catalogue, "anonymous", Method::Complete, params("server", "", json!({}))).await;
    assert_eq!(values(servers), json!(["files", "secret"]));
    let servers = ask(&catalogue, "guest", Method::Complete, params("server", "", json!({}))).await;
    assert_eq!(values(servers), json!(["files"]));
    let tools = params("tool", "R", json!({ "arguments": { "server": "files" } }));
    assert_eq!(values(ask(&catalogue, "anonymous", Method::Complete, tools).await), json!(["read"]));
    plane.close().await;
}

#[tokio::test]
async fn a_catalogue_of_nothing_says_so() {
    let catalogue = Catalogue::new(Arc::new(Counted));
    let forward_fails = catalogue.visible(&Arc::new(Principal::anonymous()), Instant::now()).await;
    assert_eq!(forward_fails.err().map(|fault| fault.code()), Some(crib_model::Code::Internal));
}
