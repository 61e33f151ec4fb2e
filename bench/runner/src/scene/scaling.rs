//! One gateway core and two: how the cost of a call changes when threads share the work.
//!
//! On a machine of two cores the load must share them, so throughput says little. The cost does: calls per second of
//! a gateway that has its cores to itself are cores divided by the cost of a call.

use anyhow::{Result, bail};

use crate::measure::Generator;
use crate::peers::{Bench, Era, KEY, TOOLCRIB};
use crate::record::Records;
use crate::scene::config;
use crate::scene::http::{Cell, Size};

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    if !bench.machine.has_two_cores() {
        bail!("there is only one core");
    }
    let backends = bench.backends()?;
    let both = format!("{},{}", bench.machine.gateway_core, bench.machine.load_core);
    for (cores, name) in [(bench.gateway_core(), "one core, "), (both.clone(), "two cores, ")] {
        let toolcrib = bench.toolcrib(&cores, "scaling", &config::both_eras())?;
        let generator = Generator { binary: bench.load.binary.clone(), cores: both.clone(), nice: 19, window: bench.load.window };
        let cell = Cell { prefix: name, ..Cell::new(Era::Modern, Era::Modern, Size::Small, 64) };
        let mut load = cell.load("toolcrib", TOOLCRIB);
        load.more.extend(["--header".to_owned(), format!("Authorization: Bearer {KEY}")]);
        records.add(generator.measure(&load, Some(&toolcrib), &backends)?)?;
    }
    Ok(())
}
