//! A gateway in the background leads a session of its own.

use std::path::Path;
use std::process::Command;

/// Returns whether a file was written by this user, and can be by nobody else.
pub(super) fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    path.symlink_metadata()
        .is_ok_and(|meta| meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0)
}

/// A gateway detaches itself.
pub(super) fn let_go(command: &mut Command) -> &mut Command {
    command
}

/// Leaves the terminal of whoever started this.
pub(crate) fn detach() {
    // It leads a group already where a service manager started it.
    let _led_a_group = rustix::process::setsid().is_err();
}
