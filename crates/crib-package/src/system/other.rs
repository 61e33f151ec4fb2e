//! Where names are no bytes, files have no right to be run, and links are for few.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::{PythonStart, Stamp};

/// Returns the bytes by which a name is listed. One that is no text is listed as what it cannot be read back from, so
/// that a package with such a name is never taken for unchanged.
pub(crate) fn bytes(path: &Path) -> Cow<'_, [u8]> {
    let text = path.to_string_lossy();
    Cow::Owned(text.replace(std::path::MAIN_SEPARATOR, "/").into_bytes())
}

/// Reads a name that was listed.
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).split('/').collect()
}

/// A folder in a user's own is a user's own.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// What can be run is told by its name, which is listed.
pub(crate) fn can_run(_: &Path, _: &Metadata) -> bool {
    false
}

pub(crate) fn set_can_run(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

/// Nothing is taken: a file that is read-only cannot be removed either.
pub(crate) fn seal(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Every time that can be read can be set, so that there is nothing to keep.
pub(crate) fn stamp(_: &Metadata) -> Stamp {
    Stamp::default()
}

/// Nobody knows: files are read at every start.
pub(crate) fn is_untouched(_: &Metadata, _: &Stamp) -> bool {
    false
}

/// There is nothing to link.
pub(crate) fn link_python(made: &Path, _: &Path, _: &str) -> io::Result<()> {
    fs::create_dir_all(made)
}

/// The interpreter itself, without modules that are not of the package.
pub(crate) fn python(interpreter: &Path, _: &Path, tree: &Path) -> PythonStart {
    let tree = tree.display().to_string();
    let prelude = format!("import site; site.setquit(); site.addsitedir({tree:?}); ");
    PythonStart { program: interpreter.to_owned(), flags: &["-S"], prelude }
}
