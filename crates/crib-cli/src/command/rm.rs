//! `toolcrib rm`: servers out of the configuration and the lockfile, and their packages off the disk.

use serde::Serialize;

use super::run::config::Configuration;
use crate::args::Remove;
use crate::background;
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime;
use crate::shop::{Believed, Shop};

#[derive(Serialize)]
struct Document<'a> {
    removed: &'a [String],
    packages: usize,
}

pub(super) fn run(args: &Remove, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        let shop = Shop::open(Believed::default())?;
        let mut configuration = Configuration::read()?;
        let (servers, lock) = (configuration.servers()?, shop.lock()?);
        let is_known = |name: &String| lock.servers.contains_key(name) || servers.iter().any(|(known, _)| known == name);
        if let Some(name) = args.names.iter().find(|name| !is_known(name)) {
            let names: Vec<&str> = servers.iter().map(|(name, _)| name.as_str()).collect();
            let failure = Failure::usage(format!("there is no server called `{name}`"));
            return Err(match crib_control::nearest(name, names.iter().copied()) {
                Some(near) => failure.hint(format!("did you mean `toolcrib rm {near}`?")),
                None => failure.hint(format!("servers: {}", names.join(", "))),
            });
        }
        for name in &args.names {
            configuration.remove(name)?;
        }
        let gateway = background::find();
        if let Some(gateway) = &gateway {
            background::reload(gateway).await?;
        }
        let lock = shop.change(|lock| {
            args.names.iter().for_each(|name| drop(lock.servers.remove(name)));
            lock.clone()
        })?;
        let packages = shop.packages.sweep(&lock)?;
        if output.is_json {
            return output.document("rm", &Document { removed: &args.names, packages });
        }
        let note = if packages == 0 { String::new() } else { format!("   and {packages} packages that nothing needs any more") };
        output.say(&format!("removed  {}{note}", args.names.join(", ")));
        Ok(())
    })
}
