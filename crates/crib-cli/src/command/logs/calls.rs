//! The last calls of the gateway: who called what, how it ended, how long it took.

use crib_words::width;

use super::super::call::encode;
use super::{Page, clock, since};
use crate::args::{Level, Logs};
use crate::client::Client;
use crate::failure::Failure;
use crate::instance::Calls;
use crate::output::{Output, padded};
use crate::table::{columns, cut};
use crate::telemetry::{Book, Call, Wanted};
use crate::tongue::{said, word};
use crate::{amount, config};

/// Columns of the client and of what it called; longer ones push the rest.
const CLIENT: usize = 22;
const TARGET: usize = 28;
/// Columns of the time, the outcome and the latency, with what stands between them and the others.
const OTHERS: usize = 8 + 2 + 2 + 2 + 6 + 2 + 6;
/// Columns that are left for the trace.
const REST: usize = 2 + "trace ".len() + TRACE;
/// A column is still read when it has so many.
const LEAST: usize = 8;
/// Letters of a trace's id that are shown: enough to tell it from the others that are kept.
const TRACE: usize = 8;

impl Page for Calls {
    const KIND: &'static str = "calls";
    const ROW: &'static str = "call";
    const NOTHING: &'static str = "nothing was called";
    type Row = Call;

    fn rows(&self) -> &[Call] {
        &self.calls
    }

    fn retain(&mut self, is_wanted: impl FnMut(&Call) -> bool) {
        self.calls.retain(is_wanted);
    }

    fn number(row: &Call) -> u64 {
        row.number
    }

    fn level(row: &Call) -> Option<Level> {
        Some(level(row))
    }

    fn told(row: &Call) -> String {
        line(row, columns())
    }

    fn check(&mut self, _: &Logs, output: &Output) -> Result<(), Failure> {
        if !self.is_kept {
            let failure = Failure::usage("this gateway keeps no calls: only the one that serves your own configuration does");
            return Err(failure.hint("have it write them down: toolcrib serve --access-log=calls.log"));
        }
        if let Some(dropped) = self.dropped {
            output.warn(&format!("{dropped} calls came faster than they could be kept"));
        }
        Ok(())
    }
}

pub(super) async fn show(args: &Logs, client: Client, output: &Output) -> Result<(), Failure> {
    let since = since(args);
    let path = |tail: usize, from: u64| {
        let of = |name: &str, value: Option<&String>| value.map(|value| format!("&{name}={}", encode(value))).unwrap_or_default();
        format!("/v1/calls?tail={tail}&from={from}&since={since}{}{}", of("server", args.server.as_ref()), of("trace", args.trace.as_ref()))
    };
    if let Some(server) = &args.server {
        // A name that is none is said to be none.
        client.get(&format!("/v1/tools?server={}&limit=1", encode(server))).await?.success()?;
    }
    super::show::<Calls>(args, client, path, output).await
}

/// Shows the calls of a gateway that is gone, where it wrote any down; `none` says that there is no other.
pub(super) fn of_the_last(args: &Logs, none: Failure, output: &Output) -> Result<(), Failure> {
    if args.follow || args.target.url.is_some() {
        return Err(none);
    }
    let mut compiled = config::own()?;
    let told = Book::of(&compiled).read();
    if told.is_empty() {
        return Err(none);
    }
    if let Some(server) = &args.server {
        compiled.keep_only(server)?;
    }
    let tail = if args.level.is_some() { usize::MAX } else { args.tail };
    let wanted = Wanted { server: args.server.clone(), trace: args.trace.clone(), since: since(args), from: 0, tail };
    output.say("no gateway is running; these are the calls of the last one");
    let mut calls = wanted.of(told.iter().map(|told| &told.call));
    calls.retain(|call| args.level.is_none_or(|least| level(call) >= least));
    calls.drain(..calls.len().saturating_sub(args.tail));
    super::whole(&Calls { is_kept: true, dropped: None, calls }, args, output)
}

/// What a tool itself calls a failure, or its caller gave up, is a warning; what did not come to an end is an error.
fn level(call: &Call) -> Level {
    match call.outcome.as_str() {
        "ok" | "input_required" | "task" => Level::Info,
        "tool_error" | "abandoned" => Level::Warn,
        _ => Level::Error,
    }
}

/// A call in one line, no wider than so many columns: then the client and what it called give way, and the end goes.
fn line(call: &Call, columns: Option<usize>) -> String {
    let target = match (&call.server, &call.target) {
        (Some(server), Some(target)) => format!("{server}.{target}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "-".to_owned(),
    };
    let outcome = call.outcome.replace('_', " ");
    let outcome = if call.code.is_empty() { word("outcome", &outcome) } else { &call.code };
    let trace = call.trace_id.as_deref().and_then(|id| id.get(..TRACE)).map(|id| format!("trace {id}"));
    let why = call.known_code().map(|code| said(code.short()).into_owned());
    let client = call.client.as_deref().unwrap_or("-");
    let (time, latency) = (clock(call.time), format!("{:>6}", amount::millis(call.latency_ms)));
    let written = |client: &str, target: &str| {
        let cells = [time.as_str(), client, target, &padded(outcome, 6), &latency];
        let rest = [&trace, &why].into_iter().flatten().map(String::as_str);
        cells.into_iter().chain(rest).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let natural = written(&padded(client, CLIENT), &padded(&target, TARGET));
    let Some(columns) = columns else { return natural };
    let room = columns.saturating_sub(OTHERS + REST);
    if room >= CLIENT + TARGET && width(&natural) <= columns {
        return natural;
    }
    // The same for every row, so that the columns stay columns.
    let room = room.clamp(2 * LEAST, CLIENT + TARGET);
    let (of_client, of_target) = (room * CLIENT / (CLIENT + TARGET), room - room * CLIENT / (CLIENT + TARGET));
    let fitted = written(&padded(&cut(client, of_client), of_client), &padded(&cut(&target, of_target), of_target));
    cut(&fitted, columns).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_line() {
        let call = Call {
            number: 0,
            time: 36_151_000,
            client: Some("claude-code/2.1.329".to_owned()),
            method: "tools/call".to_owned(),
            server: Some("time".to_owned()),
            target: Some("get_current_time".to_owned()),
            outcome: "ok".to_owned(),
            code: String::new(),
            latency_ms: 41.2,
            trace_id: Some("7f3ac1e0000000000000000000000001".to_owned()),
        };
        let failed = Call { outcome: "failed".to_owned(), code: "TC0302".to_owned(), trace_id: None, client: None, ..call.clone() };
        insta::assert_snapshot!([line(&call, None), line(&failed, None)].join("\n"), @r"
        10:02:31  claude-code/2.1.329     time.get_current_time         ok        41ms  trace 7f3ac1e0
        10:02:31  -                       time.get_current_time         TC0302    41ms  a secret that a server needs has no value
        ");
        let long = Call { target: Some("get_current_time_of_everywhere".to_owned()), ..call.clone() };
        for columns in [40, 60, 80, 94, 120, 200] {
            for call in [&call, &failed, &long] {
                let line = line(call, Some(columns));
                assert!(width(&line) <= columns && line.contains("10:02:31"), "{columns}: {line}");
            }
        }
        let narrow = [&call, &failed, &long].map(|call| line(call, Some(80))).join("\n");
        insta::assert_snapshot!(narrow, @r"
        10:02:31  claude-code/2.…  time.get_current_time  ok        41ms  trace 7f3ac1e0
        10:02:31  -                time.get_current_time  TC0302    41ms  a secret that…
        10:02:31  claude-code/2.…  time.get_current_tim…  ok        41ms  trace 7f3ac1e0
        ");
    }
}
