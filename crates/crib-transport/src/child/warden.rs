//! What ends the children of a gateway that was killed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::path::PathBuf;

#[cfg(unix)]
pub(crate) use unix::{OWNER, add, owner, remove};
#[cfg(unix)]
pub use unix::{run_warden, unwatch_children, watch_children};
#[cfg(windows)]
pub(crate) use windows::{OWNER, add, owner, remove};
#[cfg(windows)]
pub use windows::{run_warden, unwatch_children, watch_children};

/// How to start this program so that it calls [`run_warden`].
#[derive(Clone, Debug)]
pub struct WardenCommand {
    pub program: PathBuf,
    pub args: Vec<String>,
}
