//! The package that a server names, and whether it could be fetched: known when the configuration is read.

use crib_control::{Misnamed, Package};
use crib_model::Fault;
use crib_package::{NetGrant, Source};

/// What `run` takes.
const KINDS: &str = "write `npm:PACKAGE`, `pypi:PACKAGE`, `cargo:CRATE`, `oci:IMAGE`, a folder that begins with `./`, or an `.mcpb` file; a program goes into `command`";

/// Reads the source of a package with its further requirements.
pub(crate) fn source(package: &Package) -> Result<Source, Fault> {
    let mut source = Source::parse(&package.run)?;
    if let Source::Npm { more, .. } | Source::Pypi { more, .. } = &mut source {
        more.with.extend(package.with.iter().cloned());
    }
    Ok(source)
}

/// Returns what is wrong with how a server names its package, or the hosts it may reach.
pub(crate) fn misnamed(package: &Package) -> Option<Misnamed> {
    let wrong = |path: &[&str], message: String, hint: String| {
        Some(Misnamed { path: path.iter().map(|&part| part.to_owned()).collect(), message, hint })
    };
    match source(package) {
        Err(fault) => {
            let why = fault.causes().first().cloned().unwrap_or_else(|| fault.message().to_owned());
            return wrong(&["run"], why, KINDS.to_owned());
        }
        Ok(Source::Registry { name, .. }) => {
            let message = "this is a name in a registry of servers, and not the package it stands for".to_owned();
            return wrong(&["run"], message, format!("look it up and add it: toolcrib run {name}\n{KINDS}"));
        }
        Ok(_) => {}
    }
    let hosts = package.sandbox.iter().flat_map(|sandbox| &sandbox.net).enumerate();
    let is_all = package.sandbox.as_ref().is_some_and(|sandbox| sandbox.net == ["*"]);
    let (at, why) = hosts.filter(|_| !is_all).find_map(|(at, host)| Some((at, NetGrant::try_from(vec![host.clone()]).err()?)))?;
    wrong(&["sandbox", "net", &at.to_string()], why, "write a host, `*.example.com`, or `[\"*\"]` for every host".to_owned())
}
