//! One server alone: `serve URL` and `serve -- COMMAND`, over HTTP and over standard input and output, in every direction.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern},
    conformance::node,
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, free_port, scratch, stdio_server},
    pipe::Pipe,
    settings::{cache_dir, fixture_binary, gateway_binary},
    skip,
    wait::{SOON, eventually, within},
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// Returns `toolcrib serve`, alone in a folder of its own.
fn serve(words: &[&str]) -> Result<Command> {
    let dir = scratch("alone")?;
    let mut command = Command::new(gateway_binary());
    command.arg("serve").args(words).current_dir(&dir).env("TOOLCRIB_HOME", &dir).env_remove("TOOLCRIB_CONFIG").kill_on_drop(true);
    Ok(command)
}

/// Returns `toolcrib serve --listen …` where it listens; dropping the child ends it.
async fn on_http(words: &[&str]) -> Result<(SocketAddr, Child)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let listen = address.to_string();
    let words = [&["--listen", listen.as_str()], words].concat();
    let mut command = serve(&words)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    eventually(SOON, "it listens", || async { tokio::net::TcpStream::connect(address).await.ok() }).await?;
    Ok((address, child))
}

/// Returns the modern way to ask on a line.
fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "lines", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// Calls `echo` over standard input and output in both eras: tools have no prefix.
async fn speaks_on_stdio(words: &[&str]) -> Result<()> {
    let mut old = Pipe::of(serve(words)?)?;
    old.initialize(json!({})).await?;
    let listed = old.call("tools/list", json!({})).await?;
    ensure!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "echo")), "{listed}");
    let said = old.call("tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } })).await?;
    ensure!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");

    let mut new = Pipe::of(serve(words)?)?;
    new.send(&modern("tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } }))).await?;
    let said = new.receive().await?;
    ensure!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");
    Ok(())
}

/// Calls `echo` over HTTP in both eras: tools have no prefix.
async fn speaks_on_http(words: &[&str]) -> Result<()> {
    let (address, _child) = on_http(words).await?;
    let old = Legacy::connect(address, "2025-06-18", json!({})).await?;
    let new = Modern::new(address);
    let arguments = json!({ "message": "hi" });
    let said = old.call("tools/call", json!({ "name": "echo", "arguments": arguments })).await?;
    ensure!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");
    let said = new.tool("echo", arguments).await?;
    ensure!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_remote_server_of_any_era_is_a_program_or_another_address() -> Result<()> {
    for era in [Era::Legacy, Era::Modern, Era::Dual] {
        let server = Fixture::of(era).await?;
        speaks_on_stdio(&["--stdio", &server.url()]).await.with_context(|| format!("{era:?}, stdio"))?;
        speaks_on_http(&[&server.url()]).await.with_context(|| format!("{era:?}, HTTP"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_of_2024_is_reached_by_its_stream() -> Result<()> {
    let server = Fixture::of(Era::Legacy).await?;
    let url = server.url().replace("/mcp", "/sse");
    speaks_on_stdio(&["--stdio", &url]).await?;
    speaks_on_http(&[&url]).await
}

#[tokio::test]
async fn a_command_of_any_era_is_an_address_or_a_program_of_another_era() -> Result<()> {
    let fixture = fixture_binary("fixture-everything").display().to_string();
    for era in ["legacy", "modern", "dual"] {
        let command = ["--", fixture.as_str(), "--stdio", "--era", era];
        speaks_on_http(&command).await.with_context(|| format!("{era}, HTTP"))?;
        speaks_on_stdio(&[&["--stdio"], &command[..]].concat()).await.with_context(|| format!("{era}, stdio"))?;
    }
    Ok(())
}

#[tokio::test]
async fn headers_go_along_and_variables_in_them_are_taken_from_the_environment() -> Result<()> {
    let fixture = stdio_server(&fixture_binary("fixture-everything"), &["--stdio"]);
    let gateway = Gateway::start(&Config::plain("real", fixture).key("alice", "open-sesame-open-sesame")).await?;
    let url = format!("http://{}/mcp", gateway.address);
    let words = ["--stdio", &url, "-H", "Authorization: Bearer ${env:SESAME}"];
    let mut command = serve(&words)?;
    command.env("SESAME", "open-sesame-open-sesame");
    let mut pipe = Pipe::of(command)?;
    pipe.initialize(json!({})).await?;
    let said = pipe.call("tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } })).await?;
    assert!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_command_gets_its_variables_and_its_arguments_as_they_are() -> Result<()> {
    let fixture = fixture_binary("fixture-everything").display().to_string();
    let script = r#"test "$GREETING" = 'a b' && test "$OWN" = mine && test "$1" = '${env:HOME}' && exec "$0" --stdio"#;
    let words = ["--stdio", "-e", "GREETING=a b", "-e", "OWN", "--name", "greeter", "--", "/bin/sh", "-c", script, &fixture, "${env:HOME}"];
    let mut command = serve(&words)?;
    command.env("OWN", "mine");
    let mut pipe = Pipe::of(command)?;
    pipe.initialize(json!({})).await?;
    let said = pipe.call("tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } })).await?;
    assert!(said["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("hi")), "{said}");
    Ok(())
}

/// Returns real servers that are installed: their commands, and a tool of each.
fn real_servers() -> Vec<(PathBuf, Vec<String>, &'static str, Value)> {
    let mut found = Vec::new();
    let everything = cache_dir().join("npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    match node() {
        Ok(node) if everything.is_file() => {
            found.push((node, vec![everything.display().to_string(), "stdio".to_owned()], "get-sum", json!({ "a": 88, "b": 22 })));
        }
        _ => skip("serve -- server-everything", "it is not installed (cargo xtask setup)"),
    }
    let time = cache_dir().join("py/bin/mcp-server-time");
    if time.is_file() {
        let arguments = json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC" });
        found.push((time, Vec::new(), "convert_time", arguments));
    } else {
        skip("serve -- mcp-server-time", "it is not installed (cargo xtask setup)");
    }
    found
}

#[tokio::test]
async fn real_servers_go_from_stdio_to_http_to_stdio() -> Result<()> {
    for (program, args, tool, arguments) in real_servers() {
        let program = program.display().to_string();
        let command: Vec<&str> = ["--", program.as_str()].into_iter().chain(args.iter().map(String::as_str)).collect();
        let (address, _child) = on_http(&command).await?;
        let said = Modern::new(address).tool(tool, arguments.clone()).await?;
        ensure!(said["result"]["content"].is_array() && said["result"]["isError"] != true, "{program}: {said}");
        let mut pipe = Pipe::of(serve(&["--stdio", &format!("http://{address}/mcp")])?)?;
        pipe.initialize(json!({})).await?;
        let again = pipe.call("tools/call", json!({ "name": tool, "arguments": arguments })).await?;
        ensure!(again["result"]["content"] == said["result"]["content"], "{program}: {again}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_no_address_is_refused_with_the_ways_there_are() -> Result<()> {
    let refused = async |words: &[&str]| {
        let done = within(SOON, "the end of the command", serve(words)?.kill_on_drop(true).output()).await??;
        anyhow::Ok((done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned()))
    };
    for (words, part) in [
        (&["filesystem"][..], "toolcrib serve --server filesystem"),
        (&["ftp://example.com"], "is not an http:// or https:// address"),
        (&["http://"], "is not an http:// or https:// address"),
        (&["http://169.254.169.254/mcp"], "169.254.169.254"),
        (&["http://127.0.0.1:1/mcp", "-H", "hunter2"], "`hun…` is not a header"),
        (&["http://127.0.0.1:1/mcp", "-e", "A=b"], "--env goes with a command"),
        (&["-H", "A: b", "--", "true"], "--header goes with a URL"),
        (&["http://127.0.0.1:1/mcp", "-H", "A: ${env:NOBODY_HAS_SET_THIS}"], "NOBODY_HAS_SET_THIS"),
    ] {
        let (status, said) = refused(words).await?;
        assert!(status == Some(2) && said.contains(part) && !said.contains("command line.yaml"), "{words:?}: {status:?} {said}");
    }
    let broken = Path::new("/no/such/program").display().to_string();
    let (address, _child) = on_http(&["--", &broken]).await?;
    let said = Modern::new(address).tool("echo", json!({})).await?;
    assert!(said.to_string().contains("TC0202"), "{said}");
    Ok(())
}
