//! Servers of other configurations, which have none of what was granted to those of their names.

use super::{Finding, Health};
use crate::instance::package::apart;
use crate::{config, shop};

/// Looks at the configurations that something was locked for.
pub(super) fn look() -> Vec<Finding> {
    let Ok(lock) = shop::data().and_then(|data| shop::lock(&data)) else { return Vec::new() };
    let mut findings = Vec::new();
    for file in lock.files().filter(|file| file.is_file()) {
        // What is wrong with it is told where it is used; of a catalogue nothing is chosen here.
        let Ok(compiled) = config::again(&[], &[file.to_owned()]) else { continue };
        for (server, file) in compiled.servers.iter().filter_map(|server| Some((server, apart::of(server, &lock)?))) {
            findings.push(Finding::new("packages", Health::Plain, format!("{}: {}", server.name, apart::told(&file))));
        }
    }
    findings
}
