//! PyPI packages: reference servers and the Python SDK, in a virtual environment of the checkout.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{Ready, is_current};
use crate::sh;

const REQUIREMENTS: &str = include_str!("../../pins/requirements.txt");

/// Installs the pinned packages into `.cache/py`.
pub(super) fn prepare(ready: &mut Ready) {
    match install(&sh::cache().join("py")) {
        Ok(bin) => ready.env.extend(env(&bin)),
        Err(error) => ready.skipped.push(format!("PyPI packages (Python servers and clients): {error:#}")),
    }
}

/// Returns the variables of what is installed already.
pub(super) fn installed() -> Option<Vec<(&'static str, PathBuf)>> {
    let folder = sh::cache().join("py");
    is_current(&folder.join("stamp"), REQUIREMENTS).then(|| env(&folder.join("bin")))
}

fn env(bin: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![("TOOLCRIB_PYTHON", bin.join("python3"))]
}

fn install(folder: &Path) -> Result<PathBuf> {
    let bin = folder.join("bin");
    let stamp = folder.join("stamp");
    if is_current(&stamp, REQUIREMENTS) && bin.join("python3").exists() {
        return Ok(bin);
    }
    if sh::which("python3").is_none() {
        bail!("there is no python3");
    }
    sh::say("pypi: installing the pinned packages into .cache/py");
    std::fs::create_dir_all(sh::cache())?;
    sh::output(&mut sh::command("python3", [Path::new("-m"), Path::new("venv"), Path::new("--clear"), folder]))?;
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)?;
    let args = ["-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", "-r"];
    sh::output(sh::patiently(bin.join("python3"), args).arg(requirements))?;
    std::fs::write(stamp, REQUIREMENTS)?;
    Ok(bin)
}
