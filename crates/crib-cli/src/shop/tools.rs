//! Packages that are no servers: what this program itself runs, in a lockfile of its own.

use std::path::PathBuf;

use crib_model::Fault;
use crib_package::{Lock, Locked, Owner};

use super::Shop;

impl Shop {
    /// Returns what a tool is locked to.
    pub(crate) fn tool(&self, name: &str) -> Result<Option<Locked>, Fault> {
        Ok(Lock::load(&self.tools())?.servers.remove(name))
    }

    /// Locks a tool.
    pub(crate) fn keep_tool(&self, name: &str, locked: Locked) -> Result<(), Fault> {
        let mut lock = Lock::load(&self.tools())?;
        lock.put(&Owner::Own, name, locked);
        lock.save(&self.tools())
    }

    /// Reads everything that is needed: by servers, and by this program itself.
    pub(crate) fn needed(&self) -> Result<Lock, Fault> {
        let (mut lock, tools) = (self.lock()?, self.tools());
        for (name, locked) in Lock::load(&tools)?.servers {
            lock.put(&Owner::File(tools.clone()), &name, locked);
        }
        Ok(lock)
    }

    fn tools(&self) -> PathBuf {
        self.data.join("tools.lock")
    }
}
