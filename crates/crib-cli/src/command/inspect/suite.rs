//! The official conformance suite: pulled like any package, and run in the sandbox, with the server it tests as the only
//! place that it reaches.

mod way;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_inspect::{Suite, SuiteBegun, SuiteErrand, SuiteStarter};
use crib_model::{Code, Fault};
use crib_package::{Locked, More, Progress, Source, Start};
use crib_sandbox::{Net, Promise};
use crib_transport::CommandLine;

use crate::config;
use crate::failure::Failure;
use crate::output::Output;
use crate::shop::{self, Believed, Shop};
use way::{Place, Ways};

const PACKAGE: &str = "@modelcontextprotocol/conformance";
const VERSION: &str = "0.2.0-alpha.12";
/// What its registry gave for that version; other bytes under its name are not run.
const INTEGRITY: &str = "sha512-eXtZFgmtZiU5SsvXty+RGXGnyIqEVm3GLU/HZmg1wMjtKOocPZZgD9HQKd30oJhio5UB0wFJmsc6r8u48Q+EYA==";
/// The oldest Node.js that runs it.
const NODE_MIN: u32 = 22;
/// Its name in the lockfile of our own tools.
const NAME: &str = "conformance";
/// Without these it is not started.
const PROMISES: [Promise; 4] = [Promise::Network, Promise::Files, Promise::Environment, Promise::Privilege];
/// Has every connection take the one way out, whatever it is meant for, and adds the user's own headers.
const PRELUDE: &str = include_str!("suite/prelude.mjs");
/// The variable that carries the headers to the prelude.
const HEADERS: &str = "TOOLCRIB_SUITE_HEADERS";

/// The suite, ready to be started.
pub(super) struct Official {
    starter: Arc<Sandboxed>,
}

struct Sandboxed {
    start: Start,
    locked: Locked,
    launcher: PathBuf,
    ways: Ways,
}

// === impl Official ===

impl Official {
    /// Gets the suite where it is not here yet, and checks its bytes.
    pub(super) async fn ready(output: &Output) -> Result<Self, Failure> {
        if !cfg!(unix) {
            let fault = Fault::new(Code::SandboxFailed, "the conformance suite is run in a sandbox, and there is none for this system yet");
            return Err(fault.hint("run toolcrib in WSL, or on Linux or macOS").into());
        }
        let shop = Arc::new(Shop::open(Believed::of(&config::own()?.packages)?)?);
        let (locked, start) = match here(&shop).await {
            Some(found) => found,
            None => pulled(&shop, output).await?,
        };
        let launcher = std::env::current_exe()?;
        confined(&start, &locked, &launcher).await?;
        output.say(&format!("testing  with {PACKAGE} {VERSION}"));
        let starter = Sandboxed { start, locked, launcher, ways: Ways::new(shop.data.clone()) };
        Ok(Self { starter: Arc::new(starter) })
    }

    pub(super) fn suite(&self) -> Suite {
        let starter = Arc::clone(&self.starter) as Arc<dyn SuiteStarter>;
        Suite { name: PACKAGE.to_owned(), version: VERSION.to_owned(), starter }
    }

    /// Waits for what was opened for it.
    pub(super) async fn close(self) {
        self.starter.ways.close().await;
    }
}

fn source() -> Source {
    Source::Npm { name: PACKAGE.to_owned(), version: Some(VERSION.to_owned()), more: More::default() }
}

/// Returns what was pulled earlier, where it is of any use still.
async fn here(shop: &Arc<Shop>) -> Option<(Locked, Start)> {
    let locked = shop.tool(NAME).ok()??;
    if !shop::is_of(&locked, &source()) || fits(&locked).is_err() {
        return None;
    }
    let start = checked(shop, &locked).await.ok()?;
    Some((locked, start))
}

async fn pulled(shop: &Arc<Shop>, output: &Output) -> Result<(Locked, Start), Fault> {
    output.say(&format!("pulling  npm:{PACKAGE}@{VERSION}"));
    // Nobody takes it for what no server needs before it is locked.
    let _busy = shop.packages.busy();
    let pulled = Box::pin(shop.packages.pull(&source(), None, &Progress::silent())).await?;
    for finding in &pulled.findings {
        output.warn(&format!("{} ({})", finding.message, finding.kind));
    }
    fits(&pulled.locked)?;
    shop.keep_tool(NAME, pulled.locked.clone())?;
    let start = checked(shop, &pulled.locked).await?;
    Ok((pulled.locked, start))
}

async fn checked(shop: &Arc<Shop>, locked: &Locked) -> Result<Start, Fault> {
    let (shop, locked) = (Arc::clone(shop), locked.clone());
    let ended = |error: tokio::task::JoinError| Fault::new(Code::Internal, "the package cannot be checked").because(error);
    tokio::task::spawn_blocking(move || shop.start(&locked)).await.map_err(ended)?
}

/// Refuses other bytes than those that are meant, and a Node.js that does not run them.
fn fits(locked: &Locked) -> Result<(), Fault> {
    if locked.provenance.integrity.as_deref() != Some(INTEGRITY) {
        let given = locked.provenance.integrity.as_deref().unwrap_or("nothing");
        return Err(Fault::new(Code::PackageUnverified, format!("`npm:{PACKAGE}@{VERSION}` is not the package that is meant"))
            .because(format!("its registry gives {given}, and not {INTEGRITY}"))
            .hint("nothing of it was run; ask whoever runs that registry"));
    }
    let found = locked.runtime.as_ref().map(|runtime| (runtime.version.as_str(), runtime.path.display().to_string()));
    let (version, path) = found.unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0_u32);
    if major >= NODE_MIN {
        return Ok(());
    }
    Err(Fault::new(Code::RuntimeMissing, format!("the conformance suite needs Node.js {NODE_MIN} or newer"))
        .because(format!("`{path}` is Node.js {version}"))
        .hint("install a newer Node.js and put it first in PATH: https://nodejs.org"))
}

/// Tries its sandbox out: where it does not hold, nothing is run.
async fn confined(start: &Start, locked: &Locked, launcher: &Path) -> Result<(), Fault> {
    let failed = || Fault::new(Code::SandboxFailed, "the conformance suite cannot be confined");
    let (spec, launcher) = (start.confine(locked, Vec::new(), None)?, launcher.to_owned());
    let measured = tokio::task::spawn_blocking(move || crib_sandbox::measure(&launcher, &spec)).await;
    let report = measured.map_err(|error| failed().because(error))??;
    let Some(promise) = report.missing(&PROMISES) else { return Ok(()) };
    let why = report.holds(promise).map(ToString::to_string).unwrap_or_default();
    Err(failed().because(format!("{}: {why}", promise.as_str())).hint("grade without it: leave out --suite"))
}

// === impl Sandboxed ===

impl SuiteStarter for Sandboxed {
    fn start(&self, errand: &SuiteErrand<'_>) -> Result<SuiteBegun, Fault> {
        let failed = |error: std::io::Error| Fault::new(Code::SandboxFailed, "the conformance suite cannot be confined").because(error);
        let way = self.ways.open(Place::of(errand.url)?).map_err(failed)?;
        // It is asked to leave out the proxy that the sandbox tells of: what is behind it is no proxy.
        let mut env: Vec<(String, String)> = ["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), "*".to_owned())).into();
        if !errand.headers.is_empty() {
            env.push((HEADERS.to_owned(), serde_json::to_string(errand.headers).unwrap_or_default()));
        }
        let mut spec = self.start.confine(&self.locked, env, None)?;
        let prelude = format!("data:text/javascript;base64,{}", STANDARD.encode(PRELUDE));
        spec.args = ["--import".to_owned(), prelude].into_iter().chain(spec.args).chain(errand.args()).collect();
        spec.net = Net::Proxy(way.socket().to_owned());
        spec.require = PROMISES.to_vec();
        let launch = crib_sandbox::command(&self.launcher, &spec)?;
        let command = CommandLine { program: launch.program, args: launch.args, env: launch.env, cwd: None };
        Ok(SuiteBegun { command, keep: Box::new(way) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_is_what_our_own_tests_are_run_with() {
        let pins: serde_json::Value = serde_json::from_str(include_str!("../../../../../xtask/pins/package-lock.json")).expect("JSON");
        let pinned = &pins["packages"][format!("node_modules/{PACKAGE}")];
        assert_eq!((pinned["version"].as_str(), pinned["integrity"].as_str()), (Some(VERSION), Some(INTEGRITY)));
    }
}
