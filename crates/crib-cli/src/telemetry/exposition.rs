//! The metrics as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crib_control::audit::AuditLog;
use crib_model::{Health, Slug};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::outcome::{self, Outcome};
use super::series::{BOUNDS, Labels, Totals};
use super::{AccessLog, Spans, Telemetry};

/// What is measured by looking, at the moment somebody asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) servers: Vec<(Slug, Health)>,
    pub(crate) sessions: usize,
    /// Tools that are not shown, or should be looked at, by server and state.
    pub(crate) left_out: BTreeMap<(Slug, &'static str), usize>,
}

/// Writes all metrics as OpenMetrics text.
pub(crate) fn expose(telemetry: &Arc<Telemetry>, gauges: Gauges) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Calls(Arc::clone(telemetry))));
    registry.register_collector(Box::new(Instance(Arc::clone(telemetry), gauges)));
    let mut out = String::new();
    match prometheus_client::encoding::text::encode(&mut out, &registry) {
        Ok(()) => out,
        // Writing to a string cannot fail.
        Err(fmt::Error) => String::new(),
    }
}

#[derive(Debug)]
struct Calls(Arc<Telemetry>);

#[derive(Debug)]
struct Instance(Arc<Telemetry>, Gauges);

type Pairs<'a, const N: usize> = [(&'static str, &'a str); N];

impl Labels {
    fn pairs(&self) -> Pairs<'_, 3> {
        [("method", &self.method), ("server", &self.server), ("tool", &self.tool)]
    }

    fn pairs_of<'a>(&'a self, outcome: &'a Outcome) -> Pairs<'a, 6> {
        let [method, server, tool] = self.pairs();
        [method, server, tool, ("outcome", outcome.name), ("code", &outcome.code), ("side", outcome.side)]
    }
}

impl Collector for Calls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.0.meter.totals();
        calls(&mut encoder, &all)?;
        durations(&mut encoder, &all)?;
        bytes(&mut encoder, "toolcrib_request", "Bytes of parameters", &all, |totals| totals.request_bytes)?;
        bytes(&mut encoder, "toolcrib_reply", "Bytes of results", &all, |totals| totals.reply_bytes)
    }
}

fn calls(encoder: &mut DescriptorEncoder<'_>, all: &[(Labels, Totals)]) -> fmt::Result {
    let mut family = encoder.encode_descriptor("toolcrib_calls", "Calls settled", None, MetricType::Counter)?;
    for (labels, totals) in all {
        for (at, count) in totals.endings.iter().enumerate().filter(|(_, count)| **count > 0) {
            let outcome = outcome::describe(at);
            let pairs = labels.pairs_of(&outcome);
            family.encode_family(&pairs)?.encode_counter::<NoLabelSet, u64, u64>(count, None)?;
        }
    }
    Ok(())
}

fn durations(encoder: &mut DescriptorEncoder<'_>, all: &[(Labels, Totals)]) -> fmt::Result {
    let help = "Time from receiving a call to settling it";
    let mut family = encoder.encode_descriptor("toolcrib_call_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    let bounds: Vec<f64> = BOUNDS.iter().map(|ns| std::time::Duration::from_nanos(*ns).as_secs_f64()).chain([f64::INFINITY]).collect();
    for (labels, totals) in all {
        let buckets: Vec<(f64, u64)> = bounds.iter().copied().zip(totals.buckets).collect();
        let count = totals.buckets.iter().sum();
        family.encode_family(&labels.pairs())?.encode_histogram::<NoLabelSet>(totals.seconds, count, &buckets, None)?;
    }
    Ok(())
}

fn bytes(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    all: &[(Labels, Totals)],
    value: impl Fn(&Totals) -> u64,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Counter)?;
    for (labels, totals) in all {
        family.encode_family(&labels.pairs())?.encode_counter::<NoLabelSet, u64, u64>(&value(totals), None)?;
    }
    Ok(())
}

impl Collector for Instance {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self(telemetry, gauges) = self;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        gauge(&mut encoder, ("toolcrib_build", "The program"), [(version, 1)])?;
        gauge(&mut encoder, ("toolcrib_sessions", "Sessions of legacy clients"), [(NO_LABELS, gauges.sessions)])?;
        let each =
            |value: fn(&Health) -> usize| gauges.servers.iter().map(move |(slug, health)| ([("server", slug.as_str())], value(health)));
        let is_up = |health: &Health| usize::from(health.state != "failed");
        gauge(&mut encoder, ("toolcrib_upstream_up", "1 unless the last start or probe failed"), each(is_up))?;
        gauge(&mut encoder, ("toolcrib_children", "Processes of stdio servers"), each(|health| health.processes))?;
        gauge(&mut encoder, ("toolcrib_parked_calls", "Calls that wait for a person"), each(|health| health.parked))?;
        let left_out = gauges.left_out.iter().map(|((slug, state), count)| ([("server", slug.as_str()), ("state", *state)], *count));
        gauge(&mut encoder, ("toolcrib_left_out", "Tools that are held back, left out, or odd"), left_out)?;
        let dropped = telemetry.access.as_ref().map(AccessLog::dropped);
        counter(&mut encoder, ("toolcrib_access_log_dropped", "Lines the access log could not take"), dropped)?;
        let audit = telemetry.audit.as_ref();
        counter(&mut encoder, ("toolcrib_audit_lines", "Lines written to the audit log"), audit.map(AuditLog::written))?;
        counter(&mut encoder, ("toolcrib_audit_lost", "Calls the audit log could not take"), audit.map(AuditLog::lost))?;
        let dropped = telemetry.spans.as_ref().map(Spans::dropped);
        counter(&mut encoder, ("toolcrib_spans_dropped", "Spans the exporter could not take"), dropped)
    }
}

const NO_LABELS: [(&str, &str); 0] = [];

fn gauge<S: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (S, usize)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        family.encode_family(&labels)?.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))?;
    }
    Ok(())
}

fn counter(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), value: Option<u64>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<NoLabelSet, u64, u64>(&value, None)
}
