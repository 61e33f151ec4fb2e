//! `toolcrib registry`: where servers are looked for.

use crib_market::{OFFICIAL, OFFICIAL_URL, Registry as Kept};
use serde::Serialize;

use crate::args::{Registry, RegistryAdd, RegistryCommand};
use crate::failure::Failure;
use crate::market::book;
use crate::output::{Output, table};

#[derive(Serialize)]
struct Rows {
    registries: Vec<Kept>,
}

pub(super) fn run(args: &Registry, output: &Output) -> Result<(), Failure> {
    match &args.command {
        RegistryCommand::Add(args) => add(args, output),
        RegistryCommand::Ls => list(output),
        RegistryCommand::Rm(args) => {
            let gone = book()?.remove(&args.name)?;
            if output.is_json {
                return output.document("registry", &gone);
            }
            output.say(&format!("removed  {}   {}", gone.name, gone.url));
            Ok(())
        }
    }
}

fn add(args: &RegistryAdd, output: &Output) -> Result<(), Failure> {
    let url = match args.url.as_deref() {
        Some(url) => url,
        None if args.name == OFFICIAL => OFFICIAL_URL,
        None => return Err(Failure::usage("a registry has an address").hint(format!("toolcrib registry add {} https://…", args.name))),
    };
    let registry = Kept::new(&args.name, url, &args.header)?;
    if registry.is_in_the_clear() {
        output.warn(&format!("everybody on the way can change what {} answers: it is not https://", registry.url));
    }
    let is_new = book()?.add(registry.clone())?;
    if output.is_json {
        return output.document("registry", &registry);
    }
    output.say(&format!("{}  {}   {}", if is_new { "added  " } else { "changed" }, registry.name, registry.url));
    output.say(&format!("search   toolcrib search --registry {}", registry.name));
    Ok(())
}

fn list(output: &Output) -> Result<(), Failure> {
    let registries = book()?.list()?;
    if output.is_json {
        return output.document("registries", &Rows { registries });
    }
    if registries.is_empty() {
        output.say("no registries   toolcrib registry add official");
        return Ok(());
    }
    let headers = |registry: &Kept| registry.headers.keys().cloned().collect::<Vec<_>>().join(", ");
    let rows: Vec<Vec<String>> =
        registries.iter().map(|registry| vec![registry.name.clone(), registry.url.clone(), headers(registry)]).collect();
    output.data(&table(&["NAME", "URL", "HEADERS"], &rows))
}
