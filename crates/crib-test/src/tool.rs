//! Programs of this machine.

use std::io::Write as _;
use std::path::PathBuf;

/// Finds a program; a shim that only knows where the program is counts as what it stands for.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Tells that a test cannot be made here, and says so.
#[must_use]
pub fn lacks(tool: &str) -> bool {
    let is_missing = find(tool).is_none();
    if is_missing {
        drop(writeln!(std::io::stderr(), "skipped: `{tool}` is not on this machine"));
    }
    is_missing
}
