//! `toolcrib logs`: what a server wrote to standard error, and calls.

mod calls;

use std::time::Duration;

use crib_model::Clock as _;
use serde::de::DeserializeOwned;
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

/// Rows in the order in which they came, as the gateway answers them.
trait Page: DeserializeOwned + Serialize {
    /// The kind of the document for programs.
    const KIND: &'static str;
    /// Said where there is nothing.
    const NOTHING: &'static str;
    type Row: Serialize;

    fn rows(&self) -> &[Self::Row];

    /// Counts the rows.
    fn number(row: &Self::Row) -> u64;

    /// Says a row in one line.
    fn told(row: &Self::Row) -> String;

    /// Leaves out what the gateway does not leave out, and says what is wrong with the rest.
    fn check(&mut self, args: &Logs, output: &Output) -> Result<(), Failure>;
}

#[derive(Debug, Deserialize, Serialize)]
struct Lines {
    server: String,
    lines: Vec<Line>,
}

impl Page for Lines {
    const KIND: &'static str = "logs";
    const NOTHING: &'static str = "nothing was written";
    type Row = Line;

    fn rows(&self) -> &[Line] {
        &self.lines
    }

    fn number(row: &Line) -> u64 {
        row.number
    }

    fn told(row: &Line) -> String {
        format!("{}  {}", clock(row.time), row.text)
    }

    fn check(&mut self, args: &Logs, _: &Output) -> Result<(), Failure> {
        let since = since(args);
        self.lines.retain(|line| line.time >= since);
        Ok(())
    }
}

pub(super) fn run(args: &Logs, output: &Output) -> Result<(), Failure> {
    let server = args.server.as_ref().filter(|_| !args.calls && args.trace.is_none());
    runtime::on_all_cores(async {
        let client = match Client::running_only(&args.target).await {
            Ok(client) => client,
            Err(failure) if server.is_none() => return calls::of_the_last(args, failure, output),
            Err(failure) => return Err(failure),
        };
        let result = match server {
            Some(server) => {
                let path = |tail: usize, from: u64| format!("/v1/servers/{}/logs?tail={tail}&from={from}", encode(server));
                show::<Lines>(args, client, path, output).await
            }
            None => calls::show(args, client, output).await,
        };
        if matches!(&result, Err(failure) if args.follow && failure.exit() == Exit::Interrupted) { Ok(()) } else { result }
    })
}

/// Shows what there is; `path` asks for so many of the last rows, from a number on.
async fn show<P: Page>(args: &Logs, mut client: Client, path: impl Fn(usize, u64) -> String, output: &Output) -> Result<(), Failure> {
    // Listened to from here on, so that none is lost between two looks.
    let mut signals = Signals::new()?;
    let mut page: P = client.get(&path(args.tail, 0)).await?.read()?;
    page.check(args, output)?;
    if !args.follow {
        client.close().await;
        return whole(&page, output);
    }
    let mut next = print(&page, 0, output)?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = signals.stop() => return Ok(()),
        }
        client.renew(args.target.timeout);
        let page: P = client.get(&path(usize::MAX, next)).await?.read()?;
        next = print(&page, next, output)?;
    }
}

/// Shows a page that nothing follows.
fn whole<P: Page>(page: &P, output: &Output) -> Result<(), Failure> {
    if output.is_json {
        return output.document(P::KIND, page);
    }
    if page.rows().is_empty() {
        output.say(P::NOTHING);
    }
    print(page, 0, output).map(drop)
}

/// Prints rows; returns the number of the next one.
fn print<P: Page>(page: &P, next: u64, output: &Output) -> Result<u64, Failure> {
    for row in page.rows() {
        if output.is_json {
            Output::line(&serde_json::to_string(row).unwrap_or_default())?;
        } else {
            output.data(&P::told(row))?;
        }
    }
    Ok(page.rows().last().map_or(next, |row| P::number(row) + 1))
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
