//! `toolcrib` alone: how things are and what to do next; short help where nobody looks.

use std::io::IsTerminal as _;

use crib_control::ServerRow;
use serde::Serialize;

use super::connect::{self, Standing, State, Task};
use crate::args::{self, Connect};
use crate::failure::Failure;
use crate::gateway::{self, Running};
use crate::output::{Output, table};
use crate::tongue::{said, word};
use crate::{config, runtime, world};

/// What programs are told.
#[derive(Serialize)]
struct Card<'a> {
    gateway: Gateway<'a>,
    clients: Vec<Client>,
    next: &'a [Step],
}

#[derive(Serialize)]
struct Gateway<'a> {
    url: &'a str,
    #[serde(rename = "isRunning")]
    is_running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<&'a [ServerRow]>,
}

#[derive(Serialize)]
struct Client {
    client: &'static str,
    #[serde(rename = "isConnected")]
    is_connected: bool,
}

/// Something worth doing now.
#[derive(Debug, Serialize)]
struct Step {
    command: String,
    why: String,
}

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() && !output.is_json {
        return output.data(&args::help());
    }
    let connect = Connect::plain(Vec::new(), world::variable("TOOLCRIB_URL"));
    // Without a home directory there is nothing to tell.
    let Ok(task) = Task::new(&connect) else { return output.data(&args::help()) };
    let standing = connect::standing(&task)?;
    let key = world::variable("TOOLCRIB_KEY");
    let running = runtime::on_all_cores(async { Ok(gateway::look(&task.endpoint, key.as_deref()).await) })?;
    let steps = steps(running.as_ref(), &standing);
    if output.is_json {
        let servers = running.as_ref().and_then(|running| running.servers.as_deref());
        let gateway = Gateway { url: task.endpoint.trim_end_matches("/mcp"), is_running: running.is_some(), servers };
        let client = |standing: &Standing| Client { client: standing.client.id, is_connected: standing.is_connected() };
        return output.document("status", &Card { gateway, clients: standing.iter().map(client).collect(), next: &steps });
    }
    output.folded(&said(&card(&task, running.as_ref(), &standing, &steps)))
}

fn card(task: &Task<'_>, running: Option<&Running>, standing: &[Standing], steps: &[Step]) -> String {
    let mut out = match running {
        Some(_) => format!("gateway   {}\n", task.endpoint),
        None => "gateway   not running\n".to_owned(),
    };
    let names = |connected: bool| {
        let names: Vec<&str> =
            standing.iter().filter(|client| client.is_connected() == connected).map(|client| client.client.name).collect();
        names.join(", ")
    };
    for (title, names) in [("connected", names(true)), ("found    ", names(false))] {
        if !names.is_empty() {
            out.push_str(&[title, " ", &names, "\n"].concat());
        }
    }
    if let Some(Running { servers: Some(servers) }) = running {
        let tools = |server: &ServerRow| server.tools.map_or_else(|| "-".to_owned(), |tools| tools.to_string());
        let note = |server: &ServerRow| server.error.as_ref().map(|why| format!("{} {}", why.code, said(&why.message))).unwrap_or_default();
        let rows: Vec<Vec<String>> = servers
            .iter()
            .map(|server| vec![server.name.clone(), word("state", &server.state).to_owned(), tools(server), note(server)])
            .collect();
        out.push('\n');
        out.push_str(&table(&["NAME", "STATE", "TOOLS", ""], &rows));
    }
    out.push('\n');
    let width = steps.iter().map(|step| step.command.chars().count()).max().unwrap_or(0);
    for step in steps {
        let line = format!("  {:width$}   {}\n", step.command, step.why);
        out.push_str(&line);
    }
    out
}

/// The next steps, the most useful first.
fn steps(running: Option<&Running>, standing: &[Standing]) -> Vec<Step> {
    let step = |command: &str, why: String| Step { command: command.to_owned(), why };
    let mut steps = Vec::new();
    match running {
        None if config::is_own() => steps.push(step("toolcrib serve", "run the gateway with your servers".to_owned())),
        None => steps.push(step("toolcrib serve", "run the gateway, with a built-in server to try".to_owned())),
        Some(Running { servers: None }) => steps.push(step("export TOOLCRIB_KEY=…", "the gateway asks for a key".to_owned())),
        Some(Running { servers: Some(servers) }) => {
            if let Some(server) = servers.iter().find(|server| server.error.is_none()) {
                steps.push(step(&format!("toolcrib show {}", server.name), "its tools, and how to call them".to_owned()));
            }
            if servers.iter().any(|server| server.error.is_some()) {
                steps.push(step("toolcrib doctor", "why a server does not work".to_owned()));
            }
        }
    }
    let waiting: Vec<&str> =
        standing.iter().filter(|client| matches!(client.state, State::Apart)).map(|client| client.client.name).collect();
    if !waiting.is_empty() {
        steps.push(step("toolcrib connect", format!("add it to {}", waiting.join(", "))));
    }
    if standing.iter().any(|client| !matches!(client.state, State::Apart) && !client.is_connected()) {
        steps.push(step("toolcrib doctor", "the file of a client needs a look".to_owned()));
    }
    if !config::is_own() && !standing.is_empty() {
        steps.push(step("toolcrib connect --import", "bring the servers of your clients here".to_owned()));
    }
    steps.dedup_by(|a, b| a.command == b.command);
    steps.push(step("toolcrib --help", "everything else".to_owned()));
    steps
}
