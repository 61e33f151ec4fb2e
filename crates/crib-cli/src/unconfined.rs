//! Packages on a machine that confines nothing: none is started before its user has agreed.

use std::sync::OnceLock;

use crib_model::{Code, Fault};
use crib_package::{Engine, Grants};
use crib_sandbox::{Holds, Promise, Spec};

use crate::world;

/// Says that this machine has no sandbox. It only adds a question: what there is confines as before.
const MISSING: &str = "TOOLCRIB_SANDBOX_MISSING";
const NONE: &str = "there is no sandbox for this operating system yet";

/// Says why this machine keeps the user's files from no server; `None` where it does. Starts a process, once.
pub(crate) fn why() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| if world::variable(MISSING).is_some() { Some(NONE.to_owned()) } else { measured() }).as_deref()
}

fn measured() -> Option<String> {
    // What cannot be tried out cannot start a server either, and says so then.
    let report = crib_sandbox::measure(&std::env::current_exe().ok()?, &Spec::new("/bin/true")).ok()?;
    match report.holds(Promise::Files)? {
        Holds::No { why } => Some(why.clone()),
        Holds::Yes { .. } | Holds::Partly { .. } => None,
    }
}

/// Refuses to start a package that would run unconfined, and that nobody agreed to run so.
///
/// # Errors
/// TC0509 with the way to agree.
pub(crate) fn check(grants: &Grants, server: &str) -> Result<(), Fault> {
    let is_allowed = grants.unconfined || grants.engine == Engine::Container;
    match why() {
        Some(why) if !is_allowed => Err(refused(server, why)),
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn refused(server: &str, why: &str) -> Fault {
    Fault::new(Code::SandboxFailed, format!("`{server}` would run without a sandbox, and nobody agreed to that")).because(why).hint(
        format!(
            "it could read and change your files, and use the network, as you can; agree to that: toolcrib run {server} --sandbox none"
        ),
    )
}
