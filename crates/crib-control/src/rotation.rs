//! Logs that are rotated by moving the file away.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// Tells whether another file than the open one, or none, goes by the path now.
///
/// # Errors
/// What the system says, but for a file that is not there.
pub fn is_moved_away(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok(!is_one_file(&named, &open)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_one_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Files have no number here that can be asked for: two that began at one moment and are of one length are one.
#[cfg(windows)]
fn is_one_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt as _;
    (a.creation_time(), a.file_size()) == (b.creation_time(), b.file_size())
}
