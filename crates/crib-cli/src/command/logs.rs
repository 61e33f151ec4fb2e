//! `toolcrib logs`: what a server wrote to standard error, and calls.

mod calls;
mod level;

use std::time::Duration;

use crib_model::Clock as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::encode;
use crate::args::{Level, Logs};
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
    /// The kind of the document for programs, and of one row where rows go on coming.
    const KIND: &'static str;
    const ROW: &'static str;
    /// Said where there is nothing.
    const NOTHING: &'static str;
    type Row: Serialize;

    fn rows(&self) -> &[Self::Row];

    /// Leaves rows out.
    fn retain(&mut self, is_wanted: impl FnMut(&Self::Row) -> bool);

    /// Counts the rows.
    fn number(row: &Self::Row) -> u64;

    /// Returns how grave a row is; none where it goes with the one before.
    fn level(row: &Self::Row) -> Option<Level>;

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
    const ROW: &'static str = "log";
    const NOTHING: &'static str = "nothing was written";
    type Row = Line;

    fn rows(&self) -> &[Line] {
        &self.lines
    }

    fn retain(&mut self, is_wanted: impl FnMut(&Line) -> bool) {
        self.lines.retain(is_wanted);
    }

    fn number(row: &Line) -> u64 {
        row.number
    }

    fn level(row: &Line) -> Option<Level> {
        level::of(&row.text)
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
    let mut sieve = Sieve { least: args.level, last: Level::Info };
    // What is left out is not counted.
    let asked = if args.level.is_some() { usize::MAX } else { args.tail };
    let mut page: P = client.get(&path(asked, 0)).await?.read()?;
    page.check(args, output)?;
    let mut next = sieve.sift(&mut page, 0);
    let mut spare = page.rows().len().saturating_sub(args.tail);
    page.retain(|_| {
        let is_spare = spare > 0;
        spare = spare.saturating_sub(1);
        !is_spare
    });
    if !args.follow {
        client.close().await;
        return whole(&page, args, output);
    }
    rows(&page, output)?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = signals.stop() => return Ok(()),
        }
        client.renew(args.target.timeout);
        let mut page: P = client.get(&path(usize::MAX, next)).await?.read()?;
        next = sieve.sift(&mut page, next);
        rows(&page, output)?;
    }
}

/// Leaves out what is not grave enough.
struct Sieve {
    least: Option<Level>,
    /// How grave the last row was: what says nothing goes with the one before.
    last: Level,
}

impl Sieve {
    /// Returns the number of the row that comes next.
    fn sift<P: Page>(&mut self, page: &mut P, next: u64) -> u64 {
        let next = page.rows().last().map_or(next, |row| P::number(row) + 1);
        page.retain(|row| {
            self.last = P::level(row).unwrap_or(self.last);
            self.least.is_none_or(|least| self.last >= least)
        });
        next
    }
}

/// Shows a page that nothing follows.
fn whole<P: Page>(page: &P, args: &Logs, output: &Output) -> Result<(), Failure> {
    if output.is_json {
        return output.document(P::KIND, page);
    }
    if page.rows().is_empty() {
        output.say(if args.level.is_some() { "nothing is that grave" } else { P::NOTHING });
    }
    rows(page, output)
}

/// Prints rows, each for itself.
fn rows<P: Page>(page: &P, output: &Output) -> Result<(), Failure> {
    for row in page.rows() {
        if output.is_json {
            Output::row(P::ROW, row)?;
        } else {
            output.data(&P::told(row))?;
        }
    }
    Ok(())
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
