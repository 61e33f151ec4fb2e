//! Speed and weight: a cheap request again and again, and the memory after it.

use std::time::{Duration, Instant};

use crib_model::Fault;
use serde_json::Value;

use super::{Part, Subject, megabytes, steps};
use crate::load::{cheapest, latencies};

const CALLS: usize = 50;
const TIME_MAX: Duration = Duration::from_secs(5);

pub(super) async fn measure(subject: &Subject<'_>) -> Result<Part, Fault> {
    let mut part = Part::new("Speed", 10.0);
    let client = subject.client;
    let shot = cheapest(client, &subject.overview.tools);
    let params = client.with_meta(shot.params.clone());
    let begin = Instant::now();
    let mut micros = Vec::with_capacity(CALLS);
    while micros.len() < CALLS && begin.elapsed() < TIME_MAX {
        let reply = client.send(shot.method.as_str(), &params, begin + TIME_MAX * 2).await?;
        micros.push(u64::try_from(reply.elapsed.as_micros()).unwrap_or(u64::MAX));
    }
    let count = micros.len();
    let found = latencies(micros);
    let about = shot.params.get("name").and_then(Value::as_str).map_or_else(|| shot.method.to_string(), str::to_owned);
    part.earned(6.0, steps(found.p50, [5.0, 20.0, 100.0, 500.0]), "p50", format!("{:.1} ms, {count} × {about}", found.p50));
    part.earned(4.0, steps(found.p99, [20.0, 100.0, 500.0, 2000.0]), "p99", format!("{:.1} ms", found.p99));
    match client.pid().and_then(megabytes) {
        Some(megabytes) => {
            part.earned(5.0, steps(megabytes, [100.0, 200.0, 400.0, 800.0]), "memory", format!("{megabytes:.0} MB after the calls"));
        }
        None => part.unknown(5.0, "memory", "it is no process of this inspector"),
    }
    Ok(part)
}
