//! The real environment and file system, for the configuration.

use std::io;
use std::path::{Path, PathBuf};

use crib_control::{Misnamed, Package, World};
use crib_policy::ExposeSecret as _;
use crib_store::SecretName;

use crate::market;

/// The process's own surroundings.
#[derive(Debug)]
pub(crate) struct System {
    directory: PathBuf,
}

impl System {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { directory: std::env::current_dir()? })
    }
}

impl World for System {
    fn variable(&self, name: &str) -> Option<String> {
        variable(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path == Path::new("/dev/stdin") || path.ends_with("-") {
            return io::read_to_string(io::stdin().lock());
        }
        if path.extension().is_some_and(|kind| kind == "mcpb") {
            return market::file::bundle(path);
        }
        let text = std::fs::read_to_string(path)?;
        market::file::configuration(&text).unwrap_or(Ok(text))
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn misnamed(&self, package: &Package) -> Option<Misnamed> {
        crate::instance::package::misnamed(package)
    }

    fn answer(&self, name: &SecretName) -> Option<String> {
        let mut values = crate::pins::secrets().ok()?.values([name.clone()]).ok()?;
        values.remove(name).map(|value| value.expose_secret().to_owned())
    }
}

/// Returns an environment variable that is set and has text in it.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}
