//! An upstream behind stdin and stdout, beside nginx in front of the same server behind HTTP.

use anyhow::Result;

use crate::measure::{Load, MODERN};
use crate::peers::{Bench, KEY, NGINX_MODERN, TOOLCRIB};
use crate::record::Records;
use crate::scene::config;

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let config = config::stdio(&bench.echo_binary(), &["--modern-only"]);
    let stage = super::http::Stage::build(bench, records, "stdio", &config)?;
    let conns: &[usize] = if bench.is_quick { &[16] } else { &[1, 16] };
    for conns in conns {
        let load = |peer, port: u16, more: &[&str]| Load {
            cell: "stdio".to_owned(),
            peer,
            url: format!("http://127.0.0.1:{port}/mcp"),
            version: MODERN,
            conns: *conns,
            more: more.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        if let Some(nginx) = &stage.nginx {
            records.add(bench.load.measure(&load("nginx", NGINX_MODERN, &[]), Some(nginx), &stage.backends)?)?;
        }
        if let Some(toolcrib) = &stage.toolcrib {
            let key = format!("Authorization: Bearer {KEY}");
            let load = load("toolcrib", TOOLCRIB, &["--tool", "pipe__echo", "--header", &key]);
            records.add(bench.load.measure(&load, Some(toolcrib), &stage.backends)?)?;
        }
    }
    Ok(())
}
