//! The comparison: direct, nginx as a plain reverse proxy, the floor, and toolcrib, in one run on one machine.
//!
//! The gateway is pinned to one core, the load generator and the backends to another. CPU time per call, read from
//! /proc between two marks of the load generator, is the figure to trust on a shared machine; throughput and latency
//! need an idle one. Peers take turns inside a round, and ratios are taken inside a round, so that a noisy minute
//! falls on all of them.
//!
//! How to add a measurement: a cell in one of `scene/*.rs`, and a row in `targets.rs`.

mod machine;
mod measure;
mod peers;
mod process;
mod record;
mod report;
mod scene;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::measure::Window;
use crate::peers::Bench;
use crate::record::Records;

const HELP: &str = "usage: cargo xtask bench [--quick] [--rounds N] [--seconds S] [--record] [SCENE ...]

  --quick      one short round: about two minutes
  --rounds N   median of N rounds (5)
  --seconds S  length of one measurement (3)
  --record     write the tables into docs/guide/performance.md and its 简体中文 page
  SCENE        only these:";

struct Options {
    rounds: usize,
    window: Window,
    is_quick: bool,
    records: bool,
    scenes: Vec<String>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options =
            Self { rounds: 5, window: Window { warmup: 1.0, seconds: 3.0 }, is_quick: false, records: false, scenes: Vec::new() };
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => {
                    options.is_quick = true;
                    options.rounds = 1;
                    options.window = Window { warmup: 0.5, seconds: 1.5 };
                }
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.window.seconds = value()?.parse()?,
                "--record" => options.records = true,
                "--help" | "-h" => return Ok(None),
                name if scene::ALL.iter().any(|(known, ..)| *known == name) => options.scenes.push(arg),
                _ => bail!("unknown argument or scene `{arg}`"),
            }
        }
        Ok(Some(options))
    }

    fn wants(&self, scene: &str) -> bool {
        self.scenes.is_empty() || self.scenes.iter().any(|wanted| wanted == scene)
    }
}

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{HELP}");
        for (name, about, _) in scene::ALL {
            println!("    {name:<9}{about}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    let bench = Bench::prepare(options.window, options.is_quick)?;
    let mut records = Records::create(&bench.root)?;
    for round in 0..options.rounds {
        records.round = round;
        for (name, _, run) in scene::ALL.iter().filter(|(name, ..)| options.wants(name)) {
            eprintln!("round {}: {name}", round + 1);
            if let Err(error) = run(&bench, &mut records) {
                records.note(format!("{name}: {error:#}"));
            }
        }
    }
    let report = report::Report::new(&records, &bench.machine, &command_line());
    println!("{}", report.markdown());
    if options.records {
        for page in ["docs/guide/performance.md", "docs/guide/zh-CN/performance.md"] {
            report.write_into(&bench.root.join(page))?;
        }
    }
    println!("{}", report.last_line());
    // Wrong answers and scenes that could not run are failures; a missed target is a figure.
    let is_good = records.notes.is_empty() && records.all.iter().all(|record| record.errors == 0);
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command_line() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask bench {}", args.join(" ")).trim().to_owned()
}

/// Returns a path given in the environment by `cargo xtask bench`.
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
