//! A thousand tools over ten upstreams: listing them, and the memory of the gateway that holds them.

use anyhow::Result;

use crate::machine;
use crate::measure::{Load, MODERN};
use crate::peers::{Bench, KEY, LIST_BACKENDS, NGINX_STATIC, TOOLCRIB};
use crate::process::Process;
use crate::record::Records;
use crate::scene::config;

const FILE: &str = "tools.json";

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    // Three tools that do something and 97 that look like real ones make a hundred.
    let start = |i: u16| bench.backend(LIST_BACKENDS + i, &["--tools", "97"]);
    let backends: Vec<Process> = (0..10).map(start).collect::<Result<_>>()?;
    let toolcrib = bench.toolcrib(&bench.gateway_core(), "list", &config::ten())?;
    let load = |more: &[&str]| {
        let key = format!("Authorization: Bearer {KEY}");
        let mut arguments = vec!["--list", "--expect-tools", "1000", "--header", &key];
        arguments.extend(more);
        Load {
            cell: "tools/list, 1,000 tools".to_owned(),
            peer: "toolcrib",
            url: format!("http://127.0.0.1:{TOOLCRIB}/mcp"),
            version: MODERN,
            conns: 4,
            more: arguments.into_iter().map(str::to_owned).collect(),
        }
    };
    let file = bench.work.join("static").join(FILE);
    std::fs::create_dir_all(bench.work.join("static"))?;
    bench.load.ask(&load(&["--save", &file.to_string_lossy()]))?;
    records.add_value("MiB idle, 10 upstreams", "toolcrib", machine::memory_kib(&[toolcrib.pid()]) as f64 / 1024.0)?;
    match bench.nginx() {
        Err(error) => records.note(format!("{error:#}")),
        Ok(nginx) => {
            let url = format!("http://127.0.0.1:{NGINX_STATIC}/{FILE}");
            let more = vec!["--get".to_owned()];
            let load = Load { peer: "nginx", url, more, ..load(&[]) };
            records.add(bench.load.measure(&load, Some(&nginx), &backends)?)?;
        }
    }
    records.add(bench.load.measure(&load(&[]), Some(&toolcrib), &backends)?)
}
