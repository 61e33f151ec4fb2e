//! What was measured of calls and processes, by whoever measures.

use std::time::Duration;

use crib_model::Slug;
use serde::Serialize;

/// What was measured of a tool's calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    pub calls: u64,
    /// Calls that did not end as the caller wished: refused, failed, or the tool said so.
    pub failures: u64,
    pub latency_ms: Latency,
}

/// How long calls took, in milliseconds. Percentiles are read from a histogram: they are estimates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// What was measured of a server's calls, all of them together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerFigure {
    pub figure: Figure,
    /// Since the last call ended.
    pub idle: Duration,
}

/// Who counts calls, and looks at processes.
pub trait Figures: Send + Sync + 'static {
    /// Returns what was measured of a tool since the start, by the server's own name for it; `None` before its first call.
    fn of(&self, server: &Slug, tool: &str) -> Option<Figure>;

    /// Returns what was measured of a server since the start; `None` before its first call.
    fn of_server(&self, server: &Slug) -> Option<ServerFigure>;

    /// Returns the resident memory in bytes of each group of processes, with all that they started; `None` where it is not
    /// known. It may look at many small files.
    fn memory(&self, groups: &[Vec<u32>]) -> Vec<Option<u64>>;
}
