//! HTTP upstreams: the table's main rows.

use anyhow::Result;

use crate::measure::Load;
use crate::peers::{Bench, Era, FLOOR_LEGACY, FLOOR_MODERN, KEY, LEGACY_BACKEND, MODERN_BACKEND, NGINX_LEGACY, NGINX_MODERN, TOOLCRIB};
use crate::process::Process;
use crate::record::Records;
use crate::scene::config;

/// What one cell sends: small calls, a large result, a large argument.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Size {
    Small,
    Result64k,
    Argument64k,
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Result64k => "64 KB result",
            Self::Argument64k => "64 KB argument",
        }
    }

    fn arguments(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Small => ("echo", &[]),
            Self::Result64k => ("blob", &["--blob", "65536"]),
            Self::Argument64k => ("echo", &["--payload", "65536"]),
        }
    }
}

/// A running set of peers that proxy the same two backends.
pub(crate) struct Stage {
    pub(crate) backends: Vec<Process>,
    pub(crate) nginx: Option<Process>,
    pub(crate) floors: Vec<Process>,
    pub(crate) toolcrib: Option<Process>,
}

impl Stage {
    /// Starts what can be started; a peer that does not start is noted and left out.
    pub(crate) fn build(bench: &Bench, records: &mut Records, name: &str, config: &str) -> Result<Self> {
        let backends = bench.backends()?;
        let mut attempt = |peer: Result<Process>| peer.map_err(|error| records.note(format!("{error:#}"))).ok();
        let nginx = attempt(bench.nginx());
        let toolcrib = attempt(bench.toolcrib(&bench.gateway_core(), name, config));
        Ok(Self { backends, nginx, floors: Vec::new(), toolcrib })
    }

    /// Measures one cell on every peer that can play it.
    pub(crate) fn measure(&self, bench: &Bench, records: &mut Records, cell: Cell) -> Result<()> {
        let is_same = cell.client == cell.upstream;
        let (direct, nginx, floor, index) = match cell.client {
            Era::Legacy => (LEGACY_BACKEND, NGINX_LEGACY, FLOOR_LEGACY, 0),
            Era::Modern => (MODERN_BACKEND, NGINX_MODERN, FLOOR_MODERN, 1),
        };
        if is_same {
            records.add(bench.load.measure(&cell.load("direct", direct), None, &self.backends)?)?;
            if let Some(process) = self.floors.get(index) {
                records.add(bench.load.measure(&cell.load("floor", floor), Some(process), &self.backends)?)?;
            }
        }
        // Across eras there is no proxy but ours: nginx in the client's own era is the yardstick, in the same minute.
        if let Some(process) = &self.nginx {
            records.add(bench.load.measure(&cell.load("nginx", nginx), Some(process), &self.backends)?)?;
        }
        if let Some(process) = &self.toolcrib {
            let mut load = cell.load("toolcrib", TOOLCRIB);
            load.more.extend(["--header".to_owned(), format!("Authorization: Bearer {KEY}")]);
            records.add(bench.load.measure(&load, Some(process), &self.backends)?)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) client: Era,
    pub(crate) upstream: Era,
    pub(crate) size: Size,
    pub(crate) conns: usize,
    /// Before the name, where the same cell is measured under other conditions.
    pub(crate) prefix: &'static str,
}

impl Cell {
    pub(crate) fn new(client: Era, upstream: Era, size: Size, conns: usize) -> Self {
        Self { client, upstream, size, conns, prefix: "" }
    }

    pub(crate) fn name(&self) -> String {
        let eras = if self.client == self.upstream {
            self.client.name().to_owned()
        } else {
            format!("{} to {}", self.client.name(), self.upstream.name())
        };
        format!("{}{}, {eras}", self.prefix, self.size.name())
    }

    pub(crate) fn load(&self, peer: &'static str, port: u16) -> Load {
        let (tool, more) = self.size.arguments();
        let tool = if peer == "toolcrib" { format!("{}__{tool}", self.upstream.name()) } else { tool.to_owned() };
        let mut arguments = vec!["--tool".to_owned(), tool];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let url = format!("http://127.0.0.1:{port}/mcp");
        Load { cell: self.name(), peer, url, version: self.client.version(), conns: self.conns, more: arguments }
    }
}

fn cells(is_quick: bool) -> Vec<Cell> {
    let conns: &[usize] = if is_quick { &[1, 16, 256] } else { &[1, 16, 64, 256] };
    let mut cells = Vec::new();
    for era in Era::BOTH {
        cells.extend(conns.iter().map(|conns| Cell::new(era, era, Size::Small, *conns)));
    }
    for (client, upstream) in [(Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy)] {
        cells.push(Cell::new(client, upstream, Size::Small, 16));
    }
    for size in [Size::Result64k, Size::Argument64k] {
        let eras: &[Era] = if is_quick { &[Era::Modern] } else { &Era::BOTH };
        cells.extend(eras.iter().map(|era| Cell::new(*era, *era, size, 16)));
    }
    cells
}

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    let mut stage = Stage::build(bench, records, "http", &config::both_eras())?;
    if !bench.is_quick {
        stage.floors = vec![bench.floor(FLOOR_LEGACY, LEGACY_BACKEND)?, bench.floor(FLOOR_MODERN, MODERN_BACKEND)?];
    }
    for cell in cells(bench.is_quick) {
        stage.measure(bench, records, cell)?;
    }
    Ok(())
}
