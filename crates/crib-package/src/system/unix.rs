//! Names are bytes, rights are bits, and an environment of Python is made of links.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{PythonStart, Stamp};

/// Returns the bytes by which a name is listed.
pub(crate) fn bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Borrowed(path.as_os_str().as_bytes())
}

/// Reads a name that was listed.
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Returns whether anybody may run a file.
pub(crate) fn can_run(_: &Path, meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o111 != 0
}

/// Gives a new file the usual rights.
pub(crate) fn set_can_run(path: &Path, can_run: bool) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(if can_run { 0o755 } else { 0o644 }))
}

/// Makes a folder that is this user's alone.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Takes the right to write from a file.
pub(crate) fn seal(path: &Path, meta: &Metadata) -> io::Result<()> {
    let can_run = can_run(path, meta);
    fs::set_permissions(path, Permissions::from_mode(if can_run { 0o555 } else { 0o444 }))
}

/// Returns the stamp of a file.
pub(crate) fn stamp(meta: &Metadata) -> Stamp {
    Stamp { inode: meta.ino(), size: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()), changed: (meta.ctime(), meta.ctime_nsec()) }
}

/// Returns whether a file is as it was when it was given its stamp.
pub(crate) fn is_untouched(meta: &Metadata, since: &Stamp) -> bool {
    stamp(meta) == *since
}

/// Makes the links of an environment whose modules are the tree beside it.
pub(crate) fn link_python(made: &Path, interpreter: &Path, series: &str) -> io::Result<()> {
    let library = made.join("lib").join(format!("python{series}"));
    fs::create_dir_all(made.join("bin"))?;
    fs::create_dir_all(&library)?;
    symlink(interpreter, made.join("bin/python"))?;
    symlink("python", made.join("bin/python3"))?;
    symlink("../../../tree", library.join("site-packages"))
}

/// The link in the environment leads to the interpreter, and the interpreter from there to its modules.
pub(crate) fn python(_: &Path, made: &Path, _: &Path) -> PythonStart {
    PythonStart { program: made.join("bin/python"), flags: &[], prelude: String::new() }
}
