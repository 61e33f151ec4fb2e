//! Where what is known of tools is kept.

use std::path::PathBuf;
use std::sync::Arc;

use crib_control::Compiled;
use crib_control::pins::{FilePins, PinFile};
use crib_model::Fault;
use crib_registry::pins::{InMemory, Mode, Pins, Unpinned};

use crate::machine::Machine;
use crate::world::variable;

/// Returns the directory of what this program keeps; `None` where there is no home.
pub(crate) fn data_directory() -> Option<PathBuf> {
    let directory = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(home) = directory("TOOLCRIB_HOME") {
        return Some(home.join("data"));
    }
    if cfg!(windows) {
        return Some(directory("APPDATA")?.join("toolcrib").join("data"));
    }
    let share = || Some(directory("HOME")?.join(".local").join("share"));
    Some(directory("XDG_DATA_HOME").or_else(share)?.join("toolcrib"))
}

/// Returns the file with the pins; `None` where there is no home.
pub(crate) fn file() -> Option<PinFile> {
    data_directory().map(|directory| PinFile::of(&directory))
}

/// Opens what the tools of these servers are compared with.
pub(crate) fn open(compiled: &Compiled) -> Result<Arc<dyn Pins>, Fault> {
    if compiled.servers.iter().all(|server| server.pins.mode == Mode::Off) {
        return Ok(Arc::new(Unpinned));
    }
    let policies = compiled.pin_policies();
    match file() {
        Some(file) => Ok(Arc::new(FilePins::open(file, policies, Arc::new(Machine)).map_err(|error| error.fault())?)),
        None => Ok(Arc::new(InMemory::new(policies, Arc::new(Machine)))),
    }
}
