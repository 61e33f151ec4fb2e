//! Real servers of other people: through the gateway they are what they are directly, list by list and call by call.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern, full_capabilities},
    conformance::node,
    gateway::{Config, Gateway, scratch, stdio_server},
    pipe::Pipe,
    settings::cache_dir,
    skip,
};
use serde_json::{Value, json};

/// How a real server is started.
struct Server {
    program: PathBuf,
    args: Vec<String>,
}

impl Server {
    /// An npm package, where it is installed.
    fn npm(package: &str, args: &[&str]) -> Result<Self> {
        let script = cache_dir().join("npm/node_modules/@modelcontextprotocol").join(package).join("dist/index.js");
        ensure!(script.is_file(), "@modelcontextprotocol/{package} is not installed");
        let args = std::iter::once(script.display().to_string()).chain(args.iter().map(|&arg| arg.to_owned())).collect();
        Ok(Self { program: node()?, args })
    }

    /// A command of a PyPI package, where it is installed.
    fn pypi(command: &str, args: &[&str]) -> Result<Self> {
        let program = cache_dir().join("py/bin").join(command);
        ensure!(program.is_file(), "{command} is not installed");
        Ok(Self { program, args: args.iter().map(|&arg| arg.to_owned()).collect() })
    }

    fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }

    async fn direct(&self, capabilities: Value) -> Result<Pipe> {
        Pipe::connect(&self.program, &self.args(), capabilities).await
    }

    async fn gateway(&self) -> Result<Gateway> {
        Gateway::start(&Config::plain("real", stdio_server(&self.program, &self.args()))).await
    }
}

/// Returns the server, or says that the test is skipped because it is not installed.
fn installed(test: &str, server: Result<Server>) -> Option<Server> {
    server.inspect_err(|error| skip(test, &format!("{error:#}"))).ok()
}

const LISTS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
];

/// Walks a list to its end with whatever sends a request.
async fn walk(method: &str, field: &str, mut call: impl AsyncFnMut(&str, Value) -> Result<Value>) -> Result<Vec<Value>> {
    let (mut items, mut params) = (Vec::new(), json!({}));
    loop {
        let reply = call(method, params.clone()).await?;
        if reply["error"]["code"] == -32601 {
            return Ok(items);
        }
        items.extend(reply["result"][field].as_array().with_context(|| format!("{method}: {reply}"))?.iter().cloned());
        match reply["result"].get("nextCursor") {
            Some(next) => params["cursor"] = next.clone(),
            None => return Ok(items),
        }
    }
}

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(ToString::to_string);
    items
}

fn names(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = items.iter().map(|item| item["name"].to_string()).collect();
    names.sort();
    names
}

/// What the server said, without what only a modern reply carries.
fn said(reply: &Value) -> Value {
    let mut result = reply["result"].clone();
    if let Some(fields) = result.as_object_mut() {
        for field in ["resultType", "_meta", "ttlMs", "cacheScope"] {
            fields.remove(field);
        }
    }
    if reply["error"].is_object() { json!({ "error": reply["error"]["code"] }) } else { result }
}

/// Compares all lists and these calls, for a legacy and a modern client.
async fn equals_direct(test: &str, server: Result<Server>, calls: &[(&str, Value)]) -> Result<()> {
    let Some(server) = installed(test, server) else { return Ok(()) };
    let mut direct = server.direct(json!({})).await?;
    let gateway = server.gateway().await?;
    let legacy = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let modern = Modern::new(gateway.address);
    for (method, field) in LISTS {
        let wanted = walk(method, field, async |method, params| direct.call(method, params).await).await?;
        let old = walk(method, field, async |method, params| legacy.call(method, params).await).await?;
        let new = walk(method, field, async |method, params| modern.call(method, params).await).await?;
        ensure!(sorted(wanted.clone()) == sorted(old.clone()), "{method}, legacy client:\n{wanted:#?}\n{old:#?}");
        ensure!(names(&wanted) == names(&new), "{method}, modern client: {:?} and {:?}", names(&wanted), names(&new));
    }
    for (tool, arguments) in calls {
        let params = json!({ "name": tool, "arguments": arguments });
        let wanted = said(&direct.call("tools/call", params.clone()).await?);
        let old = said(&legacy.call("tools/call", params.clone()).await?);
        let new = said(&modern.call("tools/call", params).await?);
        ensure!(wanted == old, "{tool}, legacy client:\n{wanted:#}\n{old:#}");
        ensure!(wanted == new, "{tool}, modern client:\n{wanted:#}\n{new:#}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn real_everything_equals_direct() -> Result<()> {
    let calls = [
        ("echo", json!({ "message": "88 加 22" })),
        ("get-sum", json!({ "a": 88, "b": 22 })),
        ("get-tiny-image", json!({})),
        ("get-structured-content", json!({ "location": "New York" })),
        ("get-resource-links", json!({ "count": 3 })),
        ("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
    ];
    equals_direct("real everything", Server::npm("server-everything", &["stdio"]), &calls).await
}

#[tokio::test]
async fn real_filesystem_equals_direct() -> Result<()> {
    let dir = scratch("files")?;
    std::fs::write(dir.join("hello.txt"), "hello\n")?;
    let dir = dir.canonicalize()?.display().to_string();
    let calls = [
        ("list_directory", json!({ "path": dir })),
        ("read_text_file", json!({ "path": format!("{dir}/hello.txt") })),
        ("read_text_file", json!({ "path": "/etc/passwd" })),
        ("list_allowed_directories", json!({})),
    ];
    equals_direct("real filesystem", Server::npm("server-filesystem", &[&dir]), &calls).await
}

#[tokio::test]
async fn real_memory_equals_direct() -> Result<()> {
    equals_direct("real memory", Server::npm("server-memory", &[]), &[("read_graph", json!({})), ("search_nodes", json!({ "query": "x" }))])
        .await
}

#[tokio::test]
async fn real_time_equals_direct() -> Result<()> {
    let calls = [
        ("convert_time", json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Shanghai" })),
        ("convert_time", json!({ "source_timezone": "Nowhere", "time": "12:00", "target_timezone": "UTC" })),
    ];
    equals_direct("real time", Server::pypi("mcp-server-time", &["--local-timezone=UTC"]), &calls).await
}

fn repository() -> Result<String> {
    let dir = scratch("repository")?;
    let git = |args: &[&str]| -> Result<()> {
        let status = std::process::Command::new("git").args(args).current_dir(&dir).stdout(std::process::Stdio::null()).status()?;
        ensure!(status.success(), "git {args:?}: {status}");
        Ok(())
    };
    git(&["init", "-q"])?;
    std::fs::write(dir.join("a.txt"), "a\n")?;
    git(&["add", "."])?;
    git(&["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "first"])?;
    Ok(Path::new(&dir).canonicalize()?.display().to_string())
}

#[tokio::test]
async fn real_git_equals_direct() -> Result<()> {
    let dir = repository()?;
    let calls = [("git_status", json!({ "repo_path": dir })), ("git_log", json!({ "repo_path": dir, "max_count": 1 }))];
    equals_direct("real git", Server::pypi("mcp-server-git", &["--repository", &dir]), &calls).await
}

#[tokio::test]
async fn real_everything_lists_13_tools_to_a_bare_client_and_19_to_a_full_one() -> Result<()> {
    let Some(server) = installed("real everything", Server::npm("server-everything", &["stdio"])) else { return Ok(()) };
    let mut full = full_capabilities();
    full["tasks"] =
        json!({ "list": {}, "cancel": {}, "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } } });
    let gateway = server.gateway().await?;
    let bare = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let rich = Legacy::connect(gateway.address, "2025-11-25", full).await?;
    for _ in 0..2 {
        let (few, many) = tokio::join!(bare.call("tools/list", json!({})), rich.call("tools/list", json!({})));
        let count = |reply: &Value| reply["result"]["tools"].as_array().map_or(0, Vec::len);
        assert_eq!((count(&few?), count(&many?)), (13, 19));
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn real_many_servers_at_once_and_one_that_does_not_start() -> Result<()> {
    let servers = [
        ("everything", Server::npm("server-everything", &["stdio"])),
        ("memory", Server::npm("server-memory", &[])),
        ("time", Server::pypi("mcp-server-time", &["--local-timezone=UTC"])),
    ];
    let mut config = Config::new().server("broken", stdio_server(Path::new("/no/such/program"), &[]));
    for (name, server) in servers {
        let Some(server) = installed("real servers", server) else { return Ok(()) };
        config = config.server(name, stdio_server(&server.program, &server.args()));
    }
    let gateway = Gateway::start(&config).await?;
    let client = Modern::new(gateway.address);
    let tools = walk("tools/list", "tools", async |method, params| client.call(method, params).await).await?;
    let of = |prefix: &str| tools.iter().filter(|tool| tool["name"].as_str().unwrap_or_default().starts_with(prefix)).count();
    assert_eq!((of("everything__"), of("memory__"), of("time__"), of("broken__")), (13, 9, 2, 0), "{:?}", names(&tools));
    let reply = client.tool("everything__get-sum", json!({ "a": 88, "b": 22 })).await?;
    assert!(reply["result"]["content"][0]["text"].as_str().unwrap_or_default().contains("110"), "{reply}");
    let reply = client.tool("broken__anything", json!({})).await?;
    let said = reply.to_string();
    assert!(said.contains("broken") && (reply["result"]["isError"] == true || reply["error"].is_object()), "{reply}");
    gateway.stop().await?;
    Ok(())
}
