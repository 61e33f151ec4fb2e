//! `toolcrib list`: the servers and how they are.

use crib_model::Code;
use serde::{Deserialize, Serialize};

use super::serve;
use crate::args::{List, Target};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Output, table};
use crate::{config, runtime};

/// A server as the gateway describes it.
#[derive(Debug, Deserialize, Serialize)]
struct Server {
    name: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    processes: usize,
    parked: usize,
    /// Where it comes from, for the servers of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Why>,
    #[serde(default, rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<crib_control::LeftOutRow>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Why {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cause: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Servers {
    servers: Vec<Server>,
}

impl Servers {
    /// Says what clients do not see, or should look at twice; of one server or all.
    pub(super) fn say_left_out(&self, name: Option<&str>, output: &Output) {
        for server in self.servers.iter().filter(|server| name.is_none_or(|name| server.name == name)) {
            super::approve::say_left_out(&server.name, &server.left_out, output);
        }
    }

    /// Says where the servers come from, where the files that name them are here.
    fn find_sources(&mut self, target: &Target, output: &Output) {
        if target.url.is_some() {
            return;
        }
        let Ok(compiled) = config::load(&target.config, output) else { return };
        for server in &mut self.servers {
            let known = compiled.servers.iter().find(|known| known.slug.as_str() == server.name);
            server.source = known.map(|known| serve::describe(&known.source));
        }
    }

    /// Says why a server has nothing to offer.
    pub(super) fn check(&self, name: &str) -> Result<(), Failure> {
        match self.servers.iter().find(|server| server.name == name).and_then(|server| server.error.as_ref()) {
            Some(why) => Err(why.failure().server(name)),
            None => Ok(()),
        }
    }
}

impl Why {
    fn failure(&self) -> Failure {
        let mut failure = match Code::ALL.iter().find(|code| code.as_str() == self.code) {
            Some(code) => Failure::coded(*code, self.message.clone()),
            None => Failure::new(Exit::Unreachable, "server_failed", self.message.clone()),
        };
        for cause in &self.cause {
            failure = failure.because(cause);
        }
        match &self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

pub(super) fn run(args: &List, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        let client = Client::connect(&args.target, None, output).await?;
        let servers = servers(&client).await;
        client.close().await;
        let mut servers = servers?;
        servers.find_sources(&args.target, output);
        show(&servers, output)
    })
}

pub(super) async fn servers(client: &Client) -> Result<Servers, Failure> {
    // Asking for a tool makes sure that every server was asked once.
    client.get("/v1/tools?limit=1").await?.success()?;
    client.get("/v1/servers").await?.read()
}

pub(super) fn show(servers: &Servers, output: &Output) -> Result<(), Failure> {
    if output.is_json {
        return output.document("servers", servers);
    }
    let dash = || "-".to_owned();
    let row = |server: &Server| {
        let note = server.error.as_ref().map(|why| format!("{} {}", why.code, why.message)).unwrap_or_default();
        let tools = server.tools.map_or_else(dash, |tools| tools.to_string());
        let pid = server.pid.map_or_else(dash, |pid| pid.to_string());
        let source = server.source.clone().unwrap_or_else(dash);
        vec![server.name.clone(), server.state.clone(), server.revision.clone().unwrap_or_else(dash), tools, pid, source, note]
    };
    let rows: Vec<Vec<String>> = servers.servers.iter().map(row).collect();
    output.data(&table(&["NAME", "STATE", "ERA", "TOOLS", "PID", "SOURCE", ""], &rows))?;
    servers.say_left_out(None, output);
    Ok(())
}
