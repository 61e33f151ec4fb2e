//! What this program keeps: pins of tools, and secrets.

use std::path::PathBuf;
use std::sync::Arc;

use crib_control::Compiled;
use crib_control::pins::{FilePins, PinFile};
use crib_control::secrets::{NoSecrets, SecretSource};
use crib_model::Fault;
use crib_policy::SecretString;
use crib_registry::pins::{InMemory, Mode, Pins, Unpinned};
use crib_store::Secrets;

use crate::failure::Failure;
use crate::machine::Machine;
use crate::places;
use crate::world::variable;

/// Holds the passphrase of the encrypted file, for programs nobody sits in front of.
pub(crate) const PASSPHRASE: &str = "TOOLCRIB_PASSPHRASE";

/// Returns the directory of what this program keeps; `None` where there is no home.
pub(crate) fn data_directory() -> Option<PathBuf> {
    places::places().ok().map(|places| places::own(&places).data)
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

/// Names the secrets of this user.
pub(crate) fn secrets() -> Result<Secrets, Failure> {
    secrets_with(variable(PASSPHRASE).filter(|text| !text.is_empty()).map(SecretString::from))
}

pub(crate) fn secrets_with(passphrase: Option<SecretString>) -> Result<Secrets, Failure> {
    let directory = data_directory().ok_or_else(|| Failure::usage("there is no home directory").hint("set the variable HOME"))?;
    Ok(Secrets::new(&directory, passphrase))
}

/// Returns where the values of a configuration come from.
pub(crate) fn source() -> Arc<dyn SecretSource> {
    match secrets() {
        Ok(secrets) => Arc::new(secrets),
        Err(_) => Arc::new(NoSecrets),
    }
}

/// Returns the file that changes when a secret does, where the configuration has any.
pub(crate) fn watched(compiled: &Compiled) -> Option<PathBuf> {
    if compiled.secrets().is_empty() && compiled.inputs.is_empty() {
        return None;
    }
    Some(secrets().ok()?.path().to_owned())
}
