//! A load test with a hard bound: a closed loop of one call, on one or several connections.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crib_mcp::Method;
use crib_model::{Code, Fault};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Decline, List};
use crate::probe;
use crate::tap::{Tap, millis};
use crate::target::{Abilities, Options, Target};
use crate::words::{Speak, label, plainly};

/// Longest load test.
pub const DURATION_MAX: Duration = Duration::from_secs(60);
/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// Most calls of one test.
const CALLS_MAX: u64 = 1_000_000;
/// Kinds of errors that are told apart.
const ERRORS_MAX: usize = 20;

/// What is called, how long, and on how many connections.
#[derive(Clone, Debug)]
pub struct Plan {
    pub duration: Duration,
    pub connections: usize,
    /// A tool that somebody named, with its arguments; else a read-only one, or ping.
    pub tool: Option<(String, Value)>,
}

/// How long calls took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latencies {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// What a load test came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub server: String,
    /// What was called, `tools/call echo`.
    pub called: String,
    pub seconds: f64,
    pub connections: usize,
    pub calls: usize,
    pub calls_per_second: f64,
    pub latency_ms: Latencies,
    /// How often what went wrong.
    pub errors: BTreeMap<String, u64>,
}

/// The request that is sent again and again.
#[derive(Clone)]
pub(crate) struct Shot {
    pub(crate) method: Method,
    pub(crate) params: Value,
}

#[derive(Default)]
struct Tally {
    micros: Vec<u64>,
    errors: BTreeMap<String, u64>,
}

/// Runs a load test.
///
/// # Errors
/// TC0464 for a plan beyond the bounds or without anything that may be called; the server cannot be reached.
pub async fn load(target: &Target, options: &Options, plan: &Plan) -> Result<Report, Fault> {
    check(plan)?;
    let mut options = options.clone();
    if options.abilities == Abilities::Full {
        // What is measured is the call, not the beginning of a task.
        options.abilities = Abilities::AtOnce;
    }
    let mut clients = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        // Messages are not kept: thousands of a second are no log.
        clients.push(Client::connect(target, &options, &Tap::new(Vec::new()), Arc::new(Decline)).await?);
    }
    let result = run(&clients, plan).await;
    for client in &clients {
        client.close().await;
    }
    let (shot, tallies, elapsed) = result?;
    Ok(report(target, &shot, tallies, elapsed))
}

fn check(plan: &Plan) -> Result<(), Fault> {
    let refused = |what: String| Err(Fault::new(Code::LoadRefused, what));
    if plan.duration > DURATION_MAX || plan.duration.is_zero() {
        return refused(format!("a load test lasts at most {}s", DURATION_MAX.as_secs()));
    }
    if plan.connections == 0 || plan.connections > CONNECTIONS_MAX {
        return refused(format!("a load test has 1 to {CONNECTIONS_MAX} connections"));
    }
    Ok(())
}

async fn run(clients: &[Client], plan: &Plan) -> Result<(Shot, Vec<Tally>, Duration), Fault> {
    let first = clients.first().ok_or_else(|| Fault::new(Code::Internal, "no connection"))?;
    let shot = aim(first, plan).await?;
    for client in clients.iter().skip(1).filter(|_| shot.method == Method::ToolsCall) {
        client.list(List::Tools).await?;
    }
    let begin = Instant::now();
    let until = begin + plan.duration;
    let left = Arc::new(AtomicU64::new(CALLS_MAX));
    let mut loops = JoinSet::new();
    for client in clients {
        loops.spawn(fire(client.clone(), shot.clone(), until, Arc::clone(&left)));
    }
    let mut tallies = Vec::new();
    while let Some(done) = loops.join_next().await {
        tallies.extend(done.ok());
    }
    Ok((shot, tallies, begin.elapsed()))
}

/// Finds out what may be called.
async fn aim(client: &Client, plan: &Plan) -> Result<Shot, Fault> {
    let tools = if client.hello().offers("tools") { client.list(List::Tools).await?.unwrap_or_default().items } else { Vec::new() };
    if let Some((name, arguments)) = &plan.tool {
        if !tools.iter().any(|tool| probe::name(tool) == Some(name)) {
            return Err(Fault::new(Code::LoadRefused, format!("`{}` has no tool `{name}`", client.name())));
        }
        return Ok(Shot { method: Method::ToolsCall, params: json!({ "name": name, "arguments": arguments }) });
    }
    Ok(cheapest(client, &tools))
}

/// Returns the cheapest request that changes nothing.
pub(crate) fn cheapest(client: &Client, tools: &[Value]) -> Shot {
    if let Some((name, arguments)) = probe::cheap_read(tools) {
        return Shot { method: Method::ToolsCall, params: json!({ "name": name, "arguments": arguments }) };
    }
    let method = if client.hello().revision.is_modern() { Method::Discover } else { Method::Ping };
    Shot { method, params: json!({}) }
}

async fn fire(client: Client, shot: Shot, until: Instant, left: Arc<AtomicU64>) -> Tally {
    let mut tally = Tally::default();
    let params = client.with_meta(shot.params);
    let take = |left: u64| left.checked_sub(1);
    while Instant::now() < until && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let deadline = until.max(Instant::now() + Duration::from_secs(1)).min(until + Duration::from_secs(5));
        let wrong = match client.send(shot.method.as_str(), &params, deadline).await {
            Ok(reply) => {
                tally.micros.push(u64::try_from(reply.elapsed.as_micros()).unwrap_or(u64::MAX));
                match (&reply.outcome, reply.is_tool_error()) {
                    (Err(error), _) => Some(format!("error {}", error.code)),
                    (Ok(_), true) => Some("tool error".to_owned()),
                    (Ok(_), false) => None,
                }
            }
            Err(fault) => Some(fault.code().to_string()),
        };
        let Some(wrong) = wrong else { continue };
        let is_over = wrong.starts_with("TC");
        if tally.errors.len() < ERRORS_MAX || tally.errors.contains_key(&wrong) {
            *tally.errors.entry(wrong).or_default() += 1;
        }
        if is_over {
            break;
        }
    }
    tally
}

fn report(target: &Target, shot: &Shot, tallies: Vec<Tally>, elapsed: Duration) -> Report {
    let connections = tallies.len();
    let mut micros = Vec::new();
    let mut errors = BTreeMap::new();
    for tally in tallies {
        micros.extend(tally.micros);
        for (what, count) in tally.errors {
            *errors.entry(what).or_default() += count;
        }
    }
    let seconds = millis(elapsed) / 1000.0;
    let about = shot.params.get("name").and_then(Value::as_str).map(|name| format!(" {name}")).unwrap_or_default();
    let rate = u32::try_from(micros.len()).map_or(f64::MAX, f64::from) / seconds.max(0.001);
    Report {
        server: target.name.clone(),
        called: format!("{}{about}", shot.method),
        seconds,
        connections,
        calls: micros.len(),
        calls_per_second: (rate * 10.0).round() / 10.0,
        latency_ms: latencies(micros),
        errors,
    }
}

/// Sorts and reads the percentiles.
pub(crate) fn latencies(mut micros: Vec<u64>) -> Latencies {
    micros.sort_unstable();
    let at = |percent: usize| {
        let place = (micros.len() * percent).div_ceil(100).saturating_sub(1);
        micros.get(place).copied().map_or(0.0, |micros| millis(Duration::from_micros(micros)))
    };
    Latencies { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
}

impl Report {
    /// Returns whether no call ended well.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let wrong: u64 = self.errors.values().sum();
        wrong > 0 && usize::try_from(wrong).is_ok_and(|wrong| wrong >= self.calls)
    }

    /// Writes the report for people.
    #[must_use]
    pub fn told(&self, speak: Speak) -> String {
        let Latencies { p50, p90, p99, max } = self.latency_ms;
        let told: Vec<String> = self.errors.iter().map(|(what, count)| format!("{count} × {what}")).collect();
        let lasted = match self.connections {
            1 => format!("{:.1} s on 1 connection", self.seconds),
            more => format!("{:.1} s on {more} connections", self.seconds),
        };
        let rows = [
            ("called", crib_registry::pins::visible(&self.called)),
            ("for", speak(&lasted).into_owned()),
            ("calls", speak(&format!("{} ({} per second)", self.calls, self.calls_per_second)).into_owned()),
            ("latency", format!("p50 {p50:.2} ms   p90 {p90:.2} ms   p99 {p99:.2} ms   max {max:.2} ms")),
            ("errors", if told.is_empty() { speak("none").into_owned() } else { told.join(", ") }),
        ];
        rows.iter().map(|(name, value)| format!("{} {value}\n", label(speak, name, 12))).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(plainly))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_calls() {
        let found = latencies((1..=100).rev().map(|n| n * 1000).collect());
        assert_eq!((found.p50, found.p90, found.p99, found.max), (50.0, 90.0, 99.0, 100.0));
        assert_eq!(latencies(Vec::new()), Latencies::default());
    }

    #[test]
    fn a_plan_beyond_the_bounds_is_refused() {
        let plan = |seconds, connections| Plan { duration: Duration::from_secs(seconds), connections, tool: None };
        assert!(check(&plan(60, 64)).is_ok());
        for wrong in [plan(61, 1), plan(0, 1), plan(1, 0), plan(1, 65)] {
            assert_eq!(check(&wrong).unwrap_err().code(), Code::LoadRefused);
        }
    }
}
