//! The main cells with everything written down: access log, audit entry, traces sampled at 1 %.

use anyhow::Result;

use crate::peers::{Bench, Era, TRACE_SINK};
use crate::record::Records;
use crate::scene::config;
use crate::scene::http::{Cell, Size, Stage};

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let _sink = bench.backend(TRACE_SINK, &[])?;
    // The log is appended to: every round begins with an empty one.
    let _ = std::fs::remove_file(bench.work.join("access.jsonl"));
    let stage = Stage::build(bench, records, "observed", &config::observed(TRACE_SINK))?;
    for era in Era::BOTH {
        let cell = Cell { prefix: "observed, ", ..Cell::new(era, era, Size::Small, 16) };
        stage.measure(bench, records, cell)?;
    }
    Ok(())
}
