//! What becomes of the entries of calls: metrics, the access log, traces.
//!
//! Invariants
//! - Settling never blocks: what a slow disk or collector cannot take is counted and dropped.
//! - Settling a call of a tool that was called before takes no lock and allocates nothing, unless it is logged or traced.

mod access;
mod exporter;
mod exposition;
mod figures;
mod outcome;
mod recent;
mod series;
mod spans;

use std::sync::Arc;

use crib_control::audit::AuditLog;
use crib_model::{Entry, Ledger};

pub(crate) use access::AccessLog;
pub(crate) use exporter::Exporter;
pub(crate) use exposition::{Gauges, expose};
pub(crate) use recent::{Book, Call, Recent, Wanted};
pub(crate) use series::Meter;
pub(crate) use spans::Spans;

/// Everything that wants to know about calls.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) meter: Meter,
    pub(crate) recent: Recent,
    pub(crate) access: Option<AccessLog>,
    pub(crate) audit: Option<AuditLog>,
    pub(crate) spans: Option<Spans>,
}

impl Telemetry {
    pub(crate) fn new(access: Option<AccessLog>, audit: Option<AuditLog>, spans: Option<Spans>) -> Arc<Self> {
        Arc::new(Self { meter: Meter::new(), recent: Recent::default(), access, audit, spans })
    }

    /// Writes what is still waiting.
    pub(crate) fn close(&self) {
        self.recent.close();
        if let Some(access) = &self.access {
            access.close();
        }
        if let Some(audit) = &self.audit {
            audit.close();
        }
    }
}

impl Ledger for Telemetry {
    fn settle(&self, entry: &Entry) {
        self.meter.count(entry);
        self.recent.add(entry);
        if let Some(access) = &self.access {
            access.write(entry);
        }
        if let Some(audit) = &self.audit {
            audit.settle(entry);
        }
        if let Some(spans) = &self.spans {
            spans.record(entry);
        }
    }

    fn traces(&self) -> bool {
        self.spans.is_some()
    }

    fn names_traces(&self) -> bool {
        self.spans.is_some() || self.recent.is_kept()
    }

    fn samples(&self, trace_id: u128) -> bool {
        self.spans.as_ref().is_some_and(|spans| spans.samples(trace_id))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crib_mcp::{Method, Revision};
    use crib_model::{Code, Ending, Health, Principal, Slug};

    use super::*;

    pub(super) fn entry(server: &str, tool: &str, ending: Ending) -> Entry {
        Entry {
            principal: Arc::new(Principal::anonymous()),
            client: Revision::V2026_07_28,
            client_name: Some("tester".into()),
            method: Method::ToolsCall,
            upstream: Slug::parse(server),
            target: Some(tool.into()),
            ending,
            latency: Duration::from_micros(1500),
            ended: Instant::now(),
            request_bytes: 10,
            reply_bytes: 20,
            trace: None,
            parent_span: None,
        }
    }

    #[test]
    fn calls_are_counted_by_what_they_were_and_how_they_ended() {
        let telemetry = Telemetry::new(None, None, None);
        let add = entry("demo", "add", Ending::Ok);
        telemetry.settle(&add);
        telemetry.settle(&add);
        telemetry.settle(&entry("demo", "add", Ending::Ok));
        telemetry.settle(&entry("demo", "add", Ending::Failed(Code::DeadlineExceeded)));
        telemetry.settle(&Entry {
            method: Method::Other("free/text".into()),
            upstream: None,
            target: None,
            ..entry("demo", "x", Ending::Ok)
        });
        telemetry.settle(&Entry { method: Method::ResourcesRead, ..entry("demo", "file:///any/where", Ending::UpstreamError(-32002)) });
        let health = Health { state: "running", processes: 1, ..Health::default() };
        let gauges = Gauges { servers: vec![(Slug::from_name("demo"), health)], sessions: 3, ..Gauges::default() };
        let text = expose(&telemetry, gauges);
        let short: String =
            text.lines().filter(|line| !line.contains("_bucket") || line.contains("+Inf")).map(|line| format!("{line}\n")).collect();
        insta::assert_snapshot!(short);
    }

    #[test]
    fn labels_are_bounded() {
        let telemetry = Telemetry::new(None, None, None);
        for n in 0..5000 {
            telemetry.settle(&entry("demo", &format!("tool-{n}"), Ending::Ok));
        }
        let totals = telemetry.meter.totals();
        assert!(totals.len() <= 4097, "{} series", totals.len());
        let counted: u64 = totals.iter().map(|(_, totals)| totals.endings.iter().sum::<u64>()).sum();
        assert_eq!(counted, 5000);
    }

    #[test]
    fn settling_costs_little() {
        let telemetry = Telemetry::new(None, None, None);
        let entries: Vec<Entry> = (0..64).map(|n| entry("demo", &format!("tool-{n}"), Ending::Ok)).collect();
        let begin = Instant::now();
        for n in 0..64_000 {
            telemetry.settle(&entries[n % 64]);
        }
        let each = begin.elapsed() / 64_000;
        // Generous, for slow machines and builds that are not optimised; optimised it is far below 200 ns.
        assert!(each < Duration::from_micros(20), "{each:?} per call");
        println!("{each:?} per call");
    }
}
