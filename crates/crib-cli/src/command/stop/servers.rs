//! Single servers of the running gateway.

use bytes::Bytes;
use crib_control::{ServerRow, Servers};
use http::Method;
use serde::Serialize;

use super::super::call::encode;
use crate::args::Stop;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Document<'a> {
    servers: &'a [ServerRow],
}

/// Stops them one after the other; one that cannot be stopped does not keep the others running.
pub(super) async fn stop(args: &Stop, output: &Output) -> Result<(), Failure> {
    let client = Client::running_only(&args.target).await?;
    let names = if args.all { all(&client).await? } else { args.servers.clone() };
    let (mut stopped, mut failures) = (Vec::new(), Vec::new());
    for name in &names {
        match change(&client, name, "stop").await {
            Ok(rows) => stopped.extend(rows),
            Err(failure) if failure.exit() == Exit::Interrupted => return Err(failure),
            Err(failure) => failures.push(failure),
        }
    }
    client.close().await;
    if output.is_json {
        output.document("stop", &Document { servers: &stopped })?;
    }
    for row in &stopped {
        output.say(&format!("stopped  {}   (toolcrib run {})", row.name, row.name));
    }
    if names.is_empty() {
        output.say("there are no servers");
    }
    let is_partial = !stopped.is_empty();
    let Some(last) = failures.pop() else { return Ok(()) };
    failures.iter().for_each(|failure| output.failure(failure));
    Err(if is_partial { last.with_exit(Exit::Partial) } else { last })
}

async fn all(client: &Client) -> Result<Vec<String>, Failure> {
    let Servers { servers } = client.get("/v1/servers").await?.read()?;
    Ok(servers.into_iter().filter(|server| server.state != "stopped").map(|server| server.name).collect())
}

/// Has the gateway stop or start a server; returns how it is then.
pub(in super::super) async fn change(client: &Client, name: &str, deed: &str) -> Result<Vec<ServerRow>, Failure> {
    let answer = client.ask(Method::POST, &format!("/v1/servers/{}/{deed}", encode(name)), Bytes::new()).await?;
    let Servers { servers } = answer.read()?;
    Ok(servers)
}
