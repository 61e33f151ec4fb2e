//! Grants that count in one configuration and not in another: whoever gave them may wonder why they do not.

use std::path::{Path, PathBuf};

use crib_control::{CompiledServer, Package, Source};
use crib_package::{Grants, Lock, NetGrant, Owner};

use super::source;
use crate::shop;

/// Returns the file of a server of another configuration, which has none of what the server of its name was granted.
pub(crate) fn of(server: &CompiledServer, lock: &Lock) -> Option<PathBuf> {
    let Source::Package(package) = &server.source else { return None };
    let owner = shop::owner(server);
    let wanted = source(package).ok()?;
    let own = lock.get(&Owner::Own, &server.name).filter(|own| shop::is_same(own, &wanted))?;
    let here = lock.get(&owner, &server.name).map(|locked| locked.grants.clone()).unwrap_or_default();
    match owner {
        Owner::File(file) if are(package, &own.grants, &here) => Some(file),
        Owner::File(_) | Owner::Own => None,
    }
}

/// Tells whether a server was granted something in the user's own configuration, and nothing by anybody here.
pub(super) fn are(package: &Package, own: &Grants, here: &Grants) -> bool {
    let has_some = |one: &Grants| !one.read.is_empty() || !one.write.is_empty() || !one.env.is_empty() || one.net != NetGrant::None;
    // Whoever was asked here has said what counts here.
    package.sandbox.is_none() && has_some(own) && !has_some(here) && here.declined.is_empty()
}

/// Says it of a server, and what grants it where the server is.
pub(crate) fn told(file: &Path) -> String {
    format!("what `toolcrib run` granted it counts in your own configuration alone; `sandbox` in {} grants it there", file.display())
}
