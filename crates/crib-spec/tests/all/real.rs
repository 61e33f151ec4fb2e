//! Real servers of other people: through the gateway they are what they are directly, list by list and call by call.
//!
//! Each server has a table of calls. They run three times at once, each in a world (a folder) of its own: directly,
//! through the gateway with a legacy client, and through the gateway with a modern one. What the three hear must be the
//! same to the byte, but for the names and URIs the gateway gives and the world's own path.

mod code;
mod compare;
mod office;
mod reference;
mod web;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern, full_capabilities},
    conformance::node,
    gateway::{Config, Gateway, stdio_server},
    settings::cache_dir,
    skip,
};
use serde_json::{Value, json};

/// How a real server is started.
#[derive(Debug)]
struct Server {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

impl Server {
    /// A script of an npm package, where it is installed.
    fn npm(script: &str, args: &[&str]) -> Result<Self> {
        let script = cache_dir().join("npm/node_modules").join(script);
        ensure!(script.is_file(), "{} is not installed", script.display());
        let args = std::iter::once(script.display().to_string()).chain(args.iter().map(|&arg| arg.to_owned())).collect();
        Ok(Self { program: node()?, args, env: Vec::new() })
    }

    /// A reference server on npm.
    fn reference(package: &str, args: &[&str]) -> Result<Self> {
        Self::npm(&format!("@modelcontextprotocol/{package}/dist/index.js"), args)
    }

    /// A command of a PyPI package, where it is installed; `environment` is `py`, or `py1` for the SDK 1.x.
    fn pypi(environment: &str, command: &str, args: &[&str]) -> Result<Self> {
        let program = cache_dir().join(environment).join("bin").join(command);
        ensure!(program.is_file(), "{command} is not installed");
        Ok(Self { program, args: args.iter().map(|&arg| arg.to_owned()).collect(), env: Vec::new() })
    }

    fn config(&self) -> Value {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut config = stdio_server(&self.program, &args);
        for (name, value) in &self.env {
            config["env"][*name] = json!(value);
        }
        config
    }
}

/// Returns the server, or says that the test is skipped because it is not installed.
fn installed(test: &str, server: Result<Server>) -> Option<Server> {
    server.inspect_err(|error| skip(test, &format!("{error:#}"))).ok()
}

#[tokio::test]
async fn real_everything_lists_13_tools_to_a_bare_client_and_19_to_a_full_one() -> Result<()> {
    let Some(server) = installed("real everything", Server::reference("server-everything", &["stdio"])) else { return Ok(()) };
    let mut full = full_capabilities();
    full["tasks"] =
        json!({ "list": {}, "cancel": {}, "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } } });
    let gateway = Gateway::start(&Config::plain("real", server.config())).await?;
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
        ("everything", Server::reference("server-everything", &["stdio"])),
        ("memory", Server::reference("server-memory", &[])),
        ("time", Server::pypi("py", "mcp-server-time", &["--local-timezone=UTC"])),
    ];
    let mut config = Config::new().server("broken", stdio_server(Path::new("/no/such/program"), &[]));
    for (name, server) in servers {
        let Some(server) = installed("real servers", server) else { return Ok(()) };
        config = config.server(name, server.config());
    }
    let gateway = Gateway::start(&config).await?;
    let client = Modern::new(gateway.address);
    let reply = client.call("tools/list", json!({})).await?;
    let tools = reply["result"]["tools"].as_array().with_context(|| reply.to_string())?;
    let of = |prefix: &str| tools.iter().filter(|tool| tool["name"].as_str().unwrap_or_default().starts_with(prefix)).count();
    assert_eq!((of("everything__"), of("memory__"), of("time__"), of("broken__")), (13, 9, 2, 0), "{reply}");
    let reply = client.tool("everything__get-sum", json!({ "a": 88, "b": 22 })).await?;
    assert!(reply["result"]["content"][0]["text"].as_str().unwrap_or_default().contains("110"), "{reply}");
    let reply = client.tool("broken__anything", json!({})).await?;
    let said = reply.to_string();
    assert!(said.contains("broken") && (reply["result"]["isError"] == true || reply["error"].is_object()), "{reply}");
    gateway.stop().await?;
    Ok(())
}
