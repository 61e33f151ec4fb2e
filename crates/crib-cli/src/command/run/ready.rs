//! A server that is there: its tools, and what to do with them.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use crib_control::{ServerRow, Servers};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::connect::{self, Task};
use super::super::pull::is_watched;
use super::super::show;
use super::super::stop::servers::change;
use super::{Wanted, slug, target};
use crate::args::{Connect, Run};
use crate::background::Gateway;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::tongue::said;
use crate::tool::Tool;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Tools {
    tools: Vec<Value>,
}

#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    source: &'a str,
    gateway: &'a str,
    server: Option<&'a ServerRow>,
    tools: &'a [Value],
}

/// Waits until the server lists its tools, and shows them.
pub(super) async fn show(wanted: &Wanted, args: &Run, gateway: &Gateway, output: &Output) -> Result<(), Failure> {
    let client = Client::connect(&target(args, gateway), None, output).await?;
    let looked = watched(&wanted.name, Box::pin(look(wanted, &client)), output).await;
    client.close().await;
    let (row, tools, was_there) = looked?;
    // Whoever wants a result wants nothing else.
    if !args.call.is_empty() {
        return Ok(());
    }
    if output.is_json {
        let document = Document { name: &wanted.name, source: &wanted.origin, gateway: &gateway.url, server: row.as_ref(), tools: &tools };
        return output.document("run", &document);
    }
    let tools: Vec<Tool> = tools.into_iter().filter_map(|tool| serde_json::from_value(tool).ok()).collect();
    output.prose(&text(wanted, row.as_ref(), &tools, was_there))?;
    if was_there {
        output.say(&format!("again    toolcrib stop {name} && toolcrib run {name}", name = wanted.name));
    }
    if let Some(tool) = tools.first() {
        output.say(&["try      toolcrib call ", &tool.path(), &show::example(&tool.parameters())].concat());
    }
    if row.is_some_and(|row| row.left_out.iter().any(|left_out| left_out.state == "held")) {
        output.say(&format!("review   toolcrib approve {} --diff", wanted.name));
    }
    output.say(&["connect  toolcrib connect", &found()].concat());
    Ok(())
}

/// Shows at a terminal that something is waited for, and for how long it has been.
async fn watched<T>(name: &str, work: impl Future<Output = T>, output: &Output) -> T {
    if !is_watched(output) {
        return work.await;
    }
    let (mut work, begin) = (pin!(work), Instant::now());
    let _line = Line;
    loop {
        match tokio::time::timeout(SECOND, &mut work).await {
            Ok(done) => return done,
            Err(_still) => note(&format!("\r\x1b[2K{}", said(&format!("starting {name}   {}s", begin.elapsed().as_secs())))),
        }
    }
}

/// The line that changes; it goes when what was waited for is there, or is waited for no more.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        note("\r\x1b[2K");
    }
}

/// Returns how the server is, its tools, and whether it ran before.
async fn look(wanted: &Wanted, client: &Client) -> Result<(Option<ServerRow>, Vec<Value>, bool), Failure> {
    let slug = slug(&wanted.name);
    let row = |Servers { servers }| servers.into_iter().find(|row: &ServerRow| row.name == slug.as_str());
    let before = row(client.get("/v1/servers").await?.read()?).and_then(|row| row.pid);
    // One that sleeps or was stopped is there already, and does not run. Who may not start it sees how it is.
    drop(change(client, slug.as_str(), "start").await);
    let answer = client.get(&format!("/v1/tools?server={slug}")).await?;
    let Tools { tools } = answer.read().map_err(|failure: Failure| failure.server(slug.as_str()))?;
    let row = row(client.get("/v1/servers").await?.read()?);
    let was_there = before.is_some() && row.as_ref().and_then(|row| row.pid) == before;
    Ok((row, tools, was_there))
}

fn text(wanted: &Wanted, row: Option<&ServerRow>, tools: &[Tool], was_there: bool) -> String {
    let count = if tools.len() == 1 { "1 tool".to_owned() } else { format!("{} tools", tools.len()) };
    // It may have been started for this command, or run with what it was made of before.
    let is = if was_there { "running  " } else { "started  " };
    let mut head = vec![[is, wanted.name.as_str()].concat(), said(&count).into_owned()];
    let held = row.map_or(0, |row| row.left_out.iter().filter(|left_out| left_out.state == "held").count());
    head.extend((held > 0).then(|| format!("{held} {}", said("held back"))));
    head.extend(row.and_then(|row| row.revision.as_ref()).map(|revision| format!("MCP {revision}")));
    head.extend(row.and_then(|row| row.pid).map(|pid| format!("pid {pid}")));
    let mut out = format!("{}\n", head.join(" · "));
    if !tools.is_empty() {
        out.push('\n');
        out.extend(tools.iter().map(|tool| format!("  {}\n", tool.signature())));
    }
    out
}

/// Names the clients that could be connected.
fn found() -> String {
    let connect = Connect::plain(Vec::new(), None);
    let Ok(task) = Task::new(&connect) else { return String::new() };
    let standing = connect::standing(&task).unwrap_or_default();
    let names: Vec<&str> = standing.iter().filter(|client| !client.is_connected()).map(|client| client.client.name).collect();
    if names.is_empty() { String::new() } else { format!("            (found: {})", names.join(", ")) }
}
