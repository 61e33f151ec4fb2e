//! From the start of the process to the first call it answers, with the built-in server.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::machine;
use crate::measure::{Load, MODERN};
use crate::peers::{Bench, KEY, TOOLCRIB};
use crate::process::Process;
use crate::record::Records;
use crate::scene::config;

const STARTS: usize = 5;

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let key = format!("Authorization: Bearer {KEY}");
    let more = ["--first-call", "--duration", "20", "--tool", "demo__echo", "--header", &key];
    let load = Load {
        cell: "start".to_owned(),
        peer: "toolcrib",
        url: format!("http://127.0.0.1:{TOOLCRIB}/mcp"),
        version: MODERN,
        conns: 1,
        more: more.iter().map(|argument| (*argument).to_owned()).collect(),
    };
    for _ in 0..STARTS {
        // The client is there first and tries all the time.
        let mut client = bench.load.start(&load)?;
        std::thread::sleep(Duration::from_millis(100));
        let mut command = bench.toolcrib_command(&bench.gateway_core(), 0, "start", &config::demo())?;
        let begin = clock_gettime(ClockId::Monotonic);
        let toolcrib = Process::start(&mut command, "toolcrib-start", &bench.work)?;
        let mut text = String::new();
        client.stdout.take().context("no stdout")?.read_to_string(&mut text)?;
        client.wait()?;
        let answer: Value = serde_json::from_str(text.trim())?;
        let end = answer["first_call_ns"].as_i64().with_context(|| format!("no call was answered: {answer}"))?;
        let begin = begin.tv_sec * 1_000_000_000 + begin.tv_nsec;
        records.add_value("ms to the first call", "toolcrib", (end - begin) as f64 / 1e6)?;
        records.add_value("MiB idle, built-in server", "toolcrib", machine::memory_kib(&[toolcrib.pid()]) as f64 / 1024.0)?;
    }
    Ok(())
}
