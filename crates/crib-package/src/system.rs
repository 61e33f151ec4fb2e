//! What differs between systems of the files of a package: their names, rights and stamps, and how Python finds them.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::{bytes, can_run, is_untouched, link_python, path, private_folder, python, seal, set_can_run, stamp};
#[cfg(unix)]
pub(crate) use unix::{bytes, can_run, is_untouched, link_python, path, private_folder, python, seal, set_can_run, stamp};

/// What tells that a file was not touched since it was hashed: no program can set the time of its change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: (i64, i64),
    pub(crate) changed: (i64, i64),
}

/// How a Python is started so that it finds the modules of a package and no others.
pub(crate) struct PythonStart {
    pub(crate) program: std::path::PathBuf,
    /// Before all other arguments.
    pub(crate) flags: &'static [&'static str],
    /// Before all other statements; each ends with a semicolon.
    pub(crate) prelude: String,
}
