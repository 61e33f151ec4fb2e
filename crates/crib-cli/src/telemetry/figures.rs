//! What was measured of tools and servers, for the catalogue and for lists of servers.

use crib_control::{Figure, Figures, Latency, ServerFigure};
use crib_model::{Ending, Slug};
use crib_transport::Processes;

use super::Telemetry;
use super::outcome;
use super::series::{BOUNDS, Totals};

impl Figures for Telemetry {
    fn of(&self, server: &Slug, tool: &str) -> Option<Figure> {
        self.meter.totals_of(server, tool).map(|totals| figure(&totals))
    }

    fn of_server(&self, server: &Slug) -> Option<ServerFigure> {
        self.meter.totals_of_server(server).map(|(totals, idle)| ServerFigure { figure: figure(&totals), idle })
    }

    fn memory(&self, groups: &[Vec<u32>]) -> Vec<Option<u64>> {
        let processes = Processes::look();
        groups.iter().map(|pids| processes.bytes_of(pids)).collect()
    }
}

fn figure(totals: &Totals) -> Figure {
    let calls: u64 = totals.buckets.iter().sum();
    let went_well = [Ending::Ok, Ending::InputRequired, Ending::Task].map(|ending| outcome::index(&ending));
    let went_well: u64 = went_well.iter().filter_map(|at| totals.endings.get(*at)).sum();
    let mean = if calls == 0 { 0.0 } else { totals.seconds * 1000.0 / calls as f64 };
    // A bucket is wider than what fell into it.
    let longest = totals.longest as f64 / 1e6;
    let at = |share| round(percentile(&totals.buckets, calls, share).min(longest));
    let latency_ms = Latency { mean: round(mean), p50: at(0.5), p95: at(0.95), p99: at(0.99) };
    Figure { calls, failures: calls.saturating_sub(went_well), latency_ms }
}

/// Reads a percentile from the histogram, in milliseconds: calls lie evenly inside their bucket, and those beyond the
/// last bound took as long as that.
fn percentile(buckets: &[u64], calls: u64, share: f64) -> f64 {
    let wanted = calls as f64 * share;
    let (mut below, mut from) = (0.0, 0.0);
    for (at, count) in buckets.iter().enumerate() {
        let to = BOUNDS.get(at).map_or(from, |bound| *bound as f64 / 1e6);
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            return from + (to - from) * (wanted - below) / count;
        }
        (below, from) = (below + count, to);
    }
    0.0
}

/// Microseconds are what a clock is good for.
fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crib_model::{Code, Entry, Ledger as _};

    use super::super::tests::entry;
    use super::*;

    #[test]
    fn percentiles_are_read_from_the_histogram() {
        let mut buckets = [0; BOUNDS.len() + 1];
        (buckets[2], buckets[3]) = (90, 10);
        let at = |share| round(percentile(&buckets, 100, share));
        assert_eq!([at(0.45), at(0.9), at(0.95), at(1.0)], [0.75, 1.0, 1.75, 2.5]);
        assert_eq!(percentile(&[0; BOUNDS.len() + 1], 0, 0.5), 0.0);
        let mut slow = [0; BOUNDS.len() + 1];
        slow[BOUNDS.len()] = 1;
        assert_eq!(percentile(&slow, 1, 0.5), 120_000.0);
    }

    #[test]
    fn a_tool_has_figures_from_its_first_call_on() {
        let telemetry = Telemetry::new(None, None, None);
        let slug = Slug::from_name("demo");
        assert_eq!(telemetry.of(&slug, "add"), None);
        telemetry.settle(&Entry { latency: Duration::from_millis(2), ..entry("demo", "add", Ending::Ok) });
        telemetry.settle(&Entry { latency: Duration::from_millis(4), ..entry("demo", "add", Ending::Failed(Code::DeadlineExceeded)) });
        let figure = telemetry.of(&slug, "add").unwrap();
        assert_eq!((figure.calls, figure.failures, figure.latency_ms.mean), (2, 1, 3.0));
        assert_eq!(figure.latency_ms, Latency { mean: 3.0, p50: 2.5, p95: 4.0, p99: 4.0 });
        assert_eq!(telemetry.of(&slug, "subtract"), None);
        telemetry.settle(&entry("demo", "echo", Ending::Ok));
        let ServerFigure { figure, idle } = telemetry.of_server(&slug).unwrap();
        assert_eq!((figure.calls, figure.failures), (3, 1));
        assert!(idle < Duration::from_secs(60), "{idle:?}");
        assert_eq!(telemetry.of_server(&Slug::from_name("other")), None);
    }
}
