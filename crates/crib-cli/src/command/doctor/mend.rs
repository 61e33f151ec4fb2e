//! What `doctor --fix` does.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use crib_model::Fault;
use crib_package::{Build, NetGrant, Progress, unbuilt};

use super::super::{connect, pull};
use super::rights;
use crate::args::{Connect, Doctor};
use crate::asked;
use crate::failure::Failure;
use crate::output::Output;
use crate::shop::{self, Believed, Shop};
use crate::{config, runtime};

/// Packages of one server that are built.
const BUILDS_MAX: usize = 8;

/// What `--fix` does about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// Writes the entry of a client anew.
    Client(&'static str),
    /// Pulls a package again.
    Pull(Again),
    /// Runs install scripts, each with the package it is of, and pulls it again with what they made.
    Build { again: Again, scripts: Vec<(String, String)> },
    /// Installs what runs a package where it is missing, and pulls the package again for it.
    Runtime { runtime: &'static str, again: Again },
    /// Sets the rights of a file.
    #[cfg_attr(not(unix), expect(dead_code, reason = "files have no such rights"))]
    Mode { path: PathBuf, mode: u32 },
}

/// A package that is pulled again, with these further packages or requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) with: Vec<String>,
}

/// Mends what can be; returns what was.
pub(super) fn all(args: &Doctor, mends: Vec<Mend>, output: &Output) -> Vec<String> {
    let mut mended = Vec::new();
    let mut note = |what: String, done: Result<bool, Failure>| match done {
        Ok(true) => mended.push(what),
        Ok(false) => {}
        Err(failure) => output.failure(&failure),
    };
    let mut clients: Vec<&'static str> = Vec::new();
    for mend in mends {
        match mend {
            Mend::Client(id) => clients.push(id),
            Mend::Pull(again) => note(again.name.clone(), pull_or_build(args, &again, output)),
            Mend::Build { again, scripts } => note(again.name.clone(), build(args, &again, &scripts, output)),
            Mend::Runtime { runtime, again } => note(again.name.clone(), with_runtime(args, runtime, &again, output)),
            Mend::Mode { path, mode } => note(path.display().to_string(), rights::close(&path, mode).map(|()| true).map_err(Failure::from)),
        }
    }
    clients.dedup();
    if !clients.is_empty() {
        let named = clients.iter().map(|id| (*id).to_owned()).collect();
        note(clients.join(", "), connect::mend(&Connect::plain(named, args.url.clone())).map(|()| true));
    }
    mended
}

impl Again {
    /// Pulls it, says what that changed, and has the gateway start it.
    fn pull(&self, build: &Build, output: &Output) -> Result<Result<(), Fault>, Failure> {
        runtime::on_all_cores(async {
            let hosts = Vec::from(build.net.clone());
            let believed = Believed::of(&config::own()?.packages)?.building(&build.packages, &hosts)?;
            let shop = Arc::new(Shop::open(believed)?);
            let pulled = match shop.pull(&self.name, &shop::source(&self.source, &self.with)?, None, &Progress::silent()).await {
                Ok(pulled) => pulled,
                Err(fault) => return Ok(Err(fault)),
            };
            for finding in &pulled.findings {
                output.warn(&format!("{} ({})", finding.message, finding.kind));
            }
            for line in pulled
                .changes
                .iter()
                .filter(|changes| !changes.is_empty())
                .flat_map(|changes| changes.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
            {
                output.say(&format!("         {line}"));
            }
            pull::pin(&self.name, &pulled.locked, output).await.map(|_is_served| Ok(()))
        })
    }
}

/// Pulls it again; what has to be built for that is, where that is wanted.
fn pull_or_build(args: &Doctor, again: &Again, output: &Output) -> Result<bool, Failure> {
    let mut build = Build { packages: Vec::new(), net: net(args)? };
    // One package after the other turns out to have no wheel.
    loop {
        let Err(fault) = again.pull(&build, output)? else { return Ok(true) };
        let next = unbuilt(&fault).filter(|name| build.packages.len() < BUILDS_MAX && !build.packages.contains(name));
        let Some(package) = next else { return Err(fault.into()) };
        if !args.build.contains(&package) && !asked(again, &package, "", &mut build, output)? {
            return Err(fault.into());
        }
        build.packages.push(package);
    }
}

fn net(args: &Doctor) -> Result<NetGrant, Failure> {
    args.build_net.clone().try_into().map_err(|why: String| Failure::usage(format!("--build-net: {why}")))
}

/// Runs install scripts, where that is wanted.
fn build(args: &Doctor, again: &Again, scripts: &[(String, String)], output: &Output) -> Result<bool, Failure> {
    let mut build = Build { packages: Vec::new(), net: net(args)? };
    for (package, script) in scripts {
        if args.build.contains(package) || asked(again, package, script, &mut build, output)? {
            build.packages.push(package.clone());
        }
    }
    if build.packages.is_empty() {
        return Ok(false);
    }
    again.pull(&build, output)?.map(|()| true).map_err(Failure::from)
}

/// Asks whether a script may be run, and what it may reach.
fn asked(again: &Again, package: &str, script: &str, build: &mut Build, output: &Output) -> Result<bool, Failure> {
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        output.warn(&format!("`{package}` is not built without being asked for: --build {package}"));
        return Ok(false);
    }
    let name = &again.name;
    if script.is_empty() {
        output.ask(&format!("`{name}` needs `{package}`, which has no wheel for this machine.\nBuild it in a sandbox, where it sees none of your files? [y/N] "));
    } else {
        output.ask(&format!("`{name}` needs the native module of `{package}`, which its install script makes or fetches:\n    {script}\nRun it in a sandbox, where it sees none of your files? [y/N] "));
    }
    if !matches!(answer()?.to_lowercase().as_str(), "y" | "yes" | "j" | "ja" | "是" | "好") {
        return Ok(false);
    }
    output.ask("Which hosts may it reach, such as github.com? [none] ");
    let mut hosts = Vec::from(build.net.clone());
    hosts.extend(answer()?.split([' ', ',']).filter(|host| !host.is_empty() && *host != "none").map(str::to_owned));
    build.net = hosts.try_into().map_err(|why: String| Failure::usage(format!("--build-net: {why}")))?;
    Ok(true)
}

fn answer() -> Result<String, Failure> {
    Ok(asked::line()?.trim().to_owned())
}

/// Installs what runs a package, where the machine has none that does.
fn with_runtime(args: &Doctor, name: &'static str, again: &Again, output: &Output) -> Result<bool, Failure> {
    runtime::on_all_cores(async {
        let shop = Shop::open(Believed::of(&config::own()?.packages)?)?;
        let (version, findings) = shop.packages.install_runtime(name, &Progress::silent()).await?;
        for finding in &findings {
            output.warn(&format!("{} ({})", finding.message, finding.kind));
        }
        output.say(&format!("installed {name} {version} for packages, below {}", shop.data.join("runtimes").display()));
        Ok::<_, Failure>(())
    })?;
    pull_or_build(args, again, output)
}
