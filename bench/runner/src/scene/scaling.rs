//! One gateway core and two: how the cost of a call changes when threads share the work.
//!
//! On a machine of two cores the load must share them, so throughput says little. The cost does: calls per second of
//! a gateway that has its cores to itself are cores divided by the cost of a call. It is asked of a gateway that has
//! always something to do, as one at its limit has: the gateway gives way to the load (`nice`), so that calls queue in
//! front of it. With the load giving way to the gateway, every call would find it asleep, and the figure would be the
//! price of waking it. nginx, with one worker and with two, is measured the same way.

use anyhow::{Result, bail};

use crate::measure::Generator;
use crate::peers::{Bench, Era, KEY, NGINX_MODERN, TOOLCRIB};
use crate::record::Records;
use crate::scene::config;
use crate::scene::http::{Cell, Size};

/// How far the gateway gives way. Enough to go behind the load, and not so much that it starves.
const NICE: u8 = 10;

pub(crate) fn run(bench: &Bench, records: &mut Records) -> Result<()> {
    if !bench.machine.has_two_cores() {
        bail!("there is only one core");
    }
    let both = format!("{},{}", bench.machine.gateway_core, bench.machine.load_core);
    let backends = bench.backends_on(&both)?;
    let generator = Generator { binary: bench.load.binary.clone(), cores: both.clone(), window: bench.load.window };
    for (cores, workers, name) in [(bench.gateway_core(), 1, "one core, "), (both.clone(), 2, "two cores, ")] {
        let cell = Cell { prefix: name, ..Cell::new(Era::Modern, Era::Modern, Size::Small, 64) };
        match bench.nginx_on(&cores, workers, NICE) {
            Ok(nginx) => records.add(generator.measure(&cell.load("nginx", NGINX_MODERN), Some(&nginx), &backends)?)?,
            Err(error) => records.note(format!("{error:#}")),
        }
        let toolcrib = bench.toolcrib_behind(&cores, NICE, "scaling", &config::both_eras())?;
        let mut load = cell.load("toolcrib", TOOLCRIB);
        load.more.extend(["--header".to_owned(), format!("Authorization: Bearer {KEY}")]);
        records.add(generator.measure(&load, Some(&toolcrib), &backends)?)?;
    }
    Ok(())
}
