//! `toolcrib rm`: servers out of the configuration and the lockfile, and their packages off the disk.

use serde::Serialize;

use super::run::config::Configuration;
use super::run::slug;
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
        let is_known = |name: &str| lock.servers.contains_key(name) || servers.iter().any(|(known, _)| known == name);
        // A server may be served under another name than the file has.
        let served = |name: &str| servers.iter().find(|(known, _)| slug(known).as_str() == name).map(|(known, _)| known.clone());
        let named = |name: &String| if is_known(name) { name.clone() } else { served(name).unwrap_or_else(|| name.clone()) };
        let names: Vec<String> = args.names.iter().map(named).collect();
        if let Some(name) = names.iter().find(|name| !is_known(name)) {
            let locked = lock.servers.keys().filter(|name| servers.iter().all(|(known, _)| known != *name));
            let names: Vec<&str> = servers.iter().map(|(name, _)| name).chain(locked).map(String::as_str).collect();
            let failure = Failure::usage(format!("there is no server called `{name}`"));
            return Err(match crib_control::nearest(name, names.iter().copied()) {
                Some(near) => failure.hint(format!("did you mean `toolcrib rm {near}`?")),
                None if names.is_empty() => failure.hint("no server is configured; toolcrib run NAME adds one"),
                None => failure.hint(format!("servers: {}", names.join(", "))),
            });
        }
        for name in &names {
            configuration.remove(name)?;
        }
        let gateway = background::find();
        if let Some(gateway) = &gateway {
            background::reload(gateway).await?;
        }
        shop.change(|lock| {
            names.iter().for_each(|name| drop(lock.servers.remove(name)));
            lock.forget_gone();
        })?;
        let packages = shop.packages.sweep(|| shop.needed())?;
        if output.is_json {
            return output.document("rm", &Document { removed: &names, packages });
        }
        let note = match packages {
            0 => String::new(),
            1 => "   and 1 package that nothing needs any more".to_owned(),
            more => format!("   and {more} packages that nothing needs any more"),
        };
        output.say(&format!("removed  {}{note}", names.join(", ")));
        Ok(())
    })
}
