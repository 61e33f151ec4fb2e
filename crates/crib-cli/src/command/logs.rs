//! `toolcrib logs`: what a server wrote to standard error, and calls.

mod calls;

use std::time::Duration;

use crib_model::Clock as _;
use serde::{Deserialize, Serialize};

use super::call::encode;
use crate::args::Logs;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::logs::Line;
use crate::machine::Machine;
use crate::output::Output;
use crate::runtime;
use crate::signals::Signals;

/// How often it is asked whether there is more.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Debug, Deserialize, Serialize)]
struct Page {
    server: String,
    lines: Vec<Line>,
}

pub(super) fn run(args: &Logs, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        let client = Client::running_only(&args.target).await?;
        let result = match &args.server {
            Some(server) if !args.calls && args.trace.is_none() => show(args, server, client, output).await,
            Some(_) | None => calls::show(args, client, output).await,
        };
        if matches!(&result, Err(failure) if args.follow && failure.exit() == Exit::Interrupted) { Ok(()) } else { result }
    })
}

async fn show(args: &Logs, server: &str, mut client: Client, output: &Output) -> Result<(), Failure> {
    let path = |tail: usize, from: u64| format!("/v1/servers/{}/logs?tail={tail}&from={from}", encode(server));
    let mut page: Page = client.get(&path(args.tail, 0)).await?.read()?;
    let since = since(args);
    page.lines.retain(|line| line.time >= since);
    if output.is_json && !args.follow {
        return output.document("logs", &page);
    }
    if page.lines.is_empty() && !args.follow {
        output.say("nothing was written");
    }
    let mut next = print(&page.lines, 0, output)?;
    if !args.follow {
        return Ok(());
    }
    let mut signals = Signals::new()?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = signals.stop() => return Ok(()),
        }
        client.renew(args.target.timeout);
        let page: Page = client.get(&path(usize::MAX, next)).await?.read()?;
        next = print(&page.lines, next, output)?;
    }
}

/// Prints lines; returns the number of the next one.
fn print(lines: &[Line], next: u64, output: &Output) -> Result<u64, Failure> {
    for line in lines {
        if output.is_json {
            output.data(&serde_json::to_string(line).unwrap_or_default())?;
        } else {
            output.data(&format!("{}  {}", clock(line.time), line.text))?;
        }
    }
    Ok(lines.last().map_or(next, |line| line.number + 1))
}

/// Returns the first moment that is wanted, in milliseconds of Unix time.
fn since(args: &Logs) -> u64 {
    let now = Machine.unix();
    args.since.map_or(0, |since| u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(0))
}

/// Writes a time of day (UTC).
fn clock(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
