//! PyPI packages: reference servers and the Python SDK, in virtual environments of the checkout.
//!
//! The SDK's two major versions cannot be in one environment, so each has its own.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{Ready, is_current};
use crate::sh;

/// One virtual environment.
struct Environment {
    /// Its folder below `.cache/`.
    folder: &'static str,
    /// The variable that names its Python.
    variable: &'static str,
    pins: &'static str,
    /// What a package would install at its first use, done now: two servers that start at once would disturb each other.
    finish: Option<&'static str>,
}

const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        folder: "py",
        variable: "TOOLCRIB_PYTHON",
        pins: include_str!("../../pins/requirements.txt"),
        // Readability.js, which mcp-server-fetch takes the text of a page out with.
        finish: Some("from readabilipy.utils import run_npm_install; run_npm_install()"),
    },
    Environment { folder: "py1", variable: "TOOLCRIB_PYTHON1", pins: include_str!("../../pins/requirements-v1.txt"), finish: None },
];

/// Installs the pinned packages into `.cache/py` and `.cache/py1`.
pub(super) fn prepare(ready: &mut Ready) {
    for environment in &ENVIRONMENTS {
        match environment.install() {
            Ok(()) => ready.env.push(environment.env()),
            Err(error) => ready.skipped.push(format!("PyPI packages in {} (Python servers and clients): {error:#}", environment.folder)),
        }
    }
}

/// Returns the variables of what is installed already.
pub(super) fn installed() -> Option<Vec<(&'static str, PathBuf)>> {
    let found: Vec<_> = ENVIRONMENTS.iter().filter(|environment| environment.is_installed()).map(Environment::env).collect();
    (!found.is_empty()).then_some(found)
}

impl Environment {
    /// Returns the folder by its true path, which the installed commands have written into them.
    fn root(&self) -> PathBuf {
        let cache = sh::cache();
        cache.canonicalize().unwrap_or(cache).join(self.folder)
    }

    fn python(&self) -> PathBuf {
        self.root().join("bin/python3")
    }

    fn env(&self) -> (&'static str, PathBuf) {
        (self.variable, self.python())
    }

    /// Returns the pins and where they are: what is installed knows its own folder, so a checkout that moved installs again.
    fn stamp(&self) -> String {
        format!("# {}\n# {}\n{}", self.root().display(), self.finish.unwrap_or_default(), self.pins)
    }

    fn is_installed(&self) -> bool {
        is_current(&self.root().join("stamp"), &self.stamp()) && self.python().exists()
    }

    fn install(&self) -> Result<()> {
        if self.is_installed() {
            return Ok(());
        }
        if sh::which("python3").is_none() {
            bail!("there is no python3");
        }
        sh::say(&format!("pypi: installing the pinned packages into .cache/{}", self.folder));
        std::fs::create_dir_all(sh::cache())?;
        let root = self.root();
        sh::output(&mut sh::command("python3", [Path::new("-m"), Path::new("venv"), Path::new("--clear"), &root]))?;
        let requirements = root.join("requirements.txt");
        std::fs::write(&requirements, self.pins)?;
        let args = ["-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", "-r"];
        sh::output(sh::patiently(self.python(), args).arg(requirements))?;
        if let Some(finish) = self.finish {
            sh::output(&mut sh::patiently(self.python(), ["-c", finish]))?;
        }
        Ok(std::fs::write(root.join("stamp"), self.stamp())?)
    }
}
