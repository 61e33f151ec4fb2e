//! Sessions of legacy clients that stay: how much memory each takes.

use std::time::Duration;

use anyhow::Result;

use crate::machine;
use crate::peers::{Bench, Era, KEY, TOOLCRIB};
use crate::record::Records;
use crate::scene::config;
use crate::scene::http::{Cell, Size};

const SESSIONS: usize = 8_000;

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let _backends = bench.backends()?;
    // A gateway that has done nothing else: what a load leaves in its allocator would hide the sessions.
    let toolcrib = bench.toolcrib(&bench.gateway_core(), "sessions", &config::both_eras())?;
    let open = |count: usize| {
        let mut load = Cell::new(Era::Legacy, Era::Legacy, Size::Small, 1).load("toolcrib", TOOLCRIB);
        let key = format!("Authorization: Bearer {KEY}");
        load.more.extend(["--open-sessions".to_owned(), count.to_string(), "--header".to_owned(), key]);
        bench.load.ask(&load)
    };
    let memory = || {
        std::thread::sleep(Duration::from_millis(300));
        machine::memory_kib(&[toolcrib.pid()]) as f64
    };
    // The first few pay for tables and pools that are there once.
    open(SESSIONS / 10)?;
    let before = memory();
    let opened = open(SESSIONS)?;
    let after = memory();
    let count = opened["sessions_ok"].as_f64().unwrap_or(0.0).max(1.0);
    records.add_value("KiB per legacy session", "toolcrib", (after - before) / count)
}
