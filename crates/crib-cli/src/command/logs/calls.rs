//! The last calls of the running gateway: who called what, how it ended, how long it took.

use crate::amount;
use crate::args::Logs;
use crate::client::Client;
use crate::failure::Failure;
use crate::instance::Calls;
use crate::output::{Output, padded};
use crate::signals::Signals;
use crate::telemetry::Call;
use crate::tongue::{said, word};

use super::super::call::encode;
use super::{LOOK, clock, since};

/// Columns of the client and of what it called; longer ones push the rest.
const CLIENT: usize = 22;
const TARGET: usize = 28;
/// Letters of a trace's id that are shown: enough to tell it from the others that are kept.
const TRACE: usize = 8;

pub(super) async fn show(args: &Logs, mut client: Client, output: &Output) -> Result<(), Failure> {
    let since = since(args);
    let path = |tail: usize, from: u64| {
        let of = |name: &str, value: Option<&String>| value.map(|value| format!("&{name}={}", encode(value))).unwrap_or_default();
        format!("/v1/calls?tail={tail}&from={from}&since={since}{}{}", of("server", args.server.as_ref()), of("trace", args.trace.as_ref()))
    };
    if let Some(server) = &args.server {
        // A name that is none is said to be none.
        client.get(&format!("/v1/tools?server={}&limit=1", encode(server))).await?.success()?;
    }
    let page: Calls = client.get(&path(args.tail, 0)).await?.read()?;
    if !page.is_kept {
        let failure = Failure::usage("this gateway keeps no calls: only the one that serves your own configuration does");
        return Err(failure.hint("have it write them down: toolcrib serve --access-log=calls.log"));
    }
    if output.is_json && !args.follow {
        return output.document("calls", &page);
    }
    if page.calls.is_empty() && !args.follow {
        output.say("nothing was called");
    }
    let mut next = print(&page.calls, 0, output)?;
    if !args.follow {
        client.close().await;
        return Ok(());
    }
    let mut signals = Signals::new()?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = signals.stop() => return Ok(()),
        }
        client.renew(args.target.timeout);
        let page: Calls = client.get(&path(usize::MAX, next)).await?.read()?;
        next = print(&page.calls, next, output)?;
    }
}

/// Prints calls; returns the number of the next one.
fn print(calls: &[Call], next: u64, output: &Output) -> Result<u64, Failure> {
    for call in calls {
        if output.is_json {
            Output::line(&serde_json::to_string(call).unwrap_or_default())?;
        } else {
            output.data(&line(call))?;
        }
    }
    Ok(calls.last().map_or(next, |call| call.number + 1))
}

fn line(call: &Call) -> String {
    let target = match (&call.server, &call.target) {
        (Some(server), Some(target)) => format!("{server}.{target}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "-".to_owned(),
    };
    let outcome = call.outcome.replace('_', " ");
    let outcome = if call.code.is_empty() { word("outcome", &outcome) } else { &call.code };
    let trace = call.trace_id.as_deref().and_then(|id| id.get(..TRACE)).map(|id| format!("trace {id}"));
    let why = call.known_code().map(|code| said(code.short()).into_owned());
    let cells = [
        clock(call.time),
        padded(call.client.as_deref().unwrap_or("-"), CLIENT),
        padded(&target, TARGET),
        padded(outcome, 6),
        format!("{:>6}", amount::millis(call.latency_ms)),
    ];
    let rest = trace.into_iter().chain(why);
    cells.into_iter().chain(rest).collect::<Vec<_>>().join("  ").trim_end().to_owned()
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
        insta::assert_snapshot!([line(&call), line(&failed)].join("\n"), @r"
        10:02:31  claude-code/2.1.329     time.get_current_time         ok        41ms  trace 7f3ac1e0
        10:02:31  -                       time.get_current_time         TC0302    41ms  a secret that a server needs has no value
        ");
    }
}
