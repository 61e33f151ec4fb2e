//! Whether a configuration that was written can be read, by the gateway's own reading of it.

use std::path::Path;

use crib_control::{Misnamed, Package, World, compile};

use crate::failure::Failure;

/// A world in which every variable is set: whether they are is a matter of the day.
#[derive(Debug)]
struct Anything<'a> {
    text: &'a str,
    path: &'a Path,
    system: crate::world::System,
    value: &'a str,
}

impl World for Anything<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        Some(self.system.variable(name).unwrap_or_else(|| self.value.to_owned()))
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        if path == self.path { Ok(self.text.to_owned()) } else { self.system.read(path).or_else(|_| Ok("x=x".to_owned())) }
    }

    fn directory(&self) -> &Path {
        self.system.directory()
    }

    fn misnamed(&self, package: &Package) -> Option<Misnamed> {
        self.system.misnamed(package)
    }
}

/// Reads the new configuration the way the gateway will.
pub(in crate::command) fn verify(path: &Path, after: &str) -> Result<(), Failure> {
    let mut result = Ok(());
    // A variable may stand for a part of a text, or for a URL as a whole.
    for value in ["x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x", "http://127.0.0.1/x-x-x-x-x-x-x-x"] {
        let world = Anything { text: after, path, system: crate::world::System::new()?, value };
        match compile(&[path.to_owned()], &world) {
            Ok(_) => return Ok(()),
            Err(problems) => result = Err(Failure::problems(&problems)),
        }
    }
    result
}
