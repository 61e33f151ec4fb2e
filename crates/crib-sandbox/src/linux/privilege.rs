//! Privileges: none are left, and none can be had again.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::{Holds, Promise, Report};

/// Lets the inner process keep what this one has in its new user namespace, where neither is root.
pub(super) fn hand_down() -> io::Result<()> {
    let has = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: has.permitted, ..has })?;
    for capability in has.permitted.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Gives up every privilege of this process and of what it starts.
pub(super) fn drop_all(report: &mut Report) -> io::Result<()> {
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    // Without the right to change the bounding set there are no privileges to be bounded either.
    let mut is_bounded = true;
    for (_, capability) in CapabilitySet::all().iter_names() {
        is_bounded &= remove_capability_from_bounding_set(capability).is_ok();
    }
    let none = CapabilitySets { effective: CapabilitySet::empty(), permitted: CapabilitySet::empty(), inheritable: CapabilitySet::empty() };
    set_capabilities(None, none)?;
    let by = if is_bounded { "no_new_privs, an empty bounding set and no capabilities" } else { "no_new_privs and no capabilities" };
    let is_root = rustix::process::geteuid().is_root();
    let holds = if is_root && !is_bounded {
        Holds::partly(by, "it runs as root, which gets capabilities back by starting a program")
    } else {
        Holds::yes(by)
    };
    report.set(Promise::Privilege, holds);
    Ok(())
}
