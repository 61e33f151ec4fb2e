//! Files of other programs: read with care, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crib_clients::Places;
use crib_model::Code;

use crate::failure::Failure;
use crate::places::shown;

/// Largest file that is read. Claude Code keeps histories in its settings.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file as it was found.
#[derive(Debug)]
pub(in crate::command) struct Found {
    /// Where the bytes are, behind any links.
    pub(in crate::command) real: PathBuf,
    pub(in crate::command) bytes: Vec<u8>,
}

/// Reads a file, `None` if there is none.
///
/// # Errors
/// It is something else than a plain file, lies behind a link that leaves its directory, or cannot be read.
pub(in crate::command) fn read(path: &Path, places: &Places) -> Result<Option<Found>, Failure> {
    let Some(real) = locate(path, places)? else { return Ok(None) };
    let refused = |why: String| refuse(path, places, &why);
    let meta = fs::metadata(&real).map_err(|error| refused(error.to_string()))?;
    if !meta.is_file() {
        return Err(refused("it is not a file".to_owned()));
    }
    if meta.len() > BYTES_MAX {
        return Err(refused(format!("it is larger than {} MB", BYTES_MAX >> 20)));
    }
    let mut bytes = Vec::new();
    let read = File::open(&real).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| refused(error.to_string()))?;
    Ok(Some(Found { real, bytes }))
}

/// Follows links, as long as they stay below the directory the path was meant to be in.
fn locate(path: &Path, places: &Places) -> Result<Option<PathBuf>, Failure> {
    let refused = |why: &str| Err(refuse(path, places, why));
    match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // A new file comes to where its directory really is.
            let directory = path.ancestors().skip(1).find(|directory| directory.symlink_metadata().is_ok());
            let real = directory.and_then(|directory| Some((directory, fs::canonicalize(directory).ok()?)));
            return match real {
                Some((directory, real)) if is_inside_its_base(directory, &real, places) => Ok(None),
                Some((_, real)) => refused(&format!("its directory is a link to {}, outside of your home directory", real.display())),
                None => refused("its directory is a link that leads nowhere"),
            };
        }
        Err(error) => return refused(&error.to_string()),
        Ok(_) => {}
    }
    let Ok(real) = fs::canonicalize(path) else { return refused("it is a link that leads nowhere") };
    if is_inside_its_base(path, &real, places) {
        Ok(Some(real))
    } else {
        refused(&format!("it is a link to {}, outside of your home directory", real.display()))
    }
}

/// Returns whether a path, with all links followed, is still where it was meant to be.
fn is_inside_its_base(path: &Path, real: &Path, places: &Places) -> bool {
    let bases = [&places.home, &places.config, &places.roaming, &places.local, &places.project];
    // Whoever stands in `/` does not mean that everything below it is one place.
    let bases = bases.into_iter().filter(|base| path.starts_with(base) && (*base == &places.home || !places.home.starts_with(base)));
    let mut bases = bases.peekable();
    if bases.peek().is_none() {
        // A place of its own, by a variable: the file itself is no link.
        return !path.is_symlink();
    }
    bases.any(|base| fs::canonicalize(base).is_ok_and(|base| real.starts_with(base)))
}

/// Says no before anything is written, if writing is bound to fail.
pub(in crate::command) fn check_writable(found: &Found, path: &Path, places: &Places) -> Result<(), Failure> {
    let meta = fs::metadata(&found.real).map_err(|error| refuse(path, places, &error.to_string()))?;
    if is_read_only(&meta) { Err(refuse(path, places, "it is read-only")) } else { Ok(()) }
}

#[cfg(unix)]
fn is_read_only(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // For root nothing is read-only; whoever took the write permission away meant something by it.
    meta.permissions().mode() & 0o200 == 0
}

#[cfg(not(unix))]
fn is_read_only(meta: &fs::Metadata) -> bool {
    meta.permissions().readonly()
}

fn refuse(path: &Path, places: &Places, why: &str) -> Failure {
    Failure::coded(Code::ClientFileRefused, format!("{} is left alone: {why}", shown(path, places)))
}

/// What a file held.
#[derive(Clone, Copy, Debug)]
pub(in crate::command) enum Before<'a> {
    Absent,
    Bytes(&'a [u8]),
}

/// Replaces a file, if it still holds what it is thought to hold. Returns the directories that were made for it.
///
/// # Errors
/// It holds something else by now, or the system refuses; the file is as it was.
pub(in crate::command) fn replace(path: &Path, before: Before<'_>, after: &[u8], places: &Places) -> Result<Vec<PathBuf>, Failure> {
    let real = locate(path, places)?.unwrap_or_else(|| path.to_owned());
    let refused = |error: &io::Error| refuse(path, places, &error.to_string());
    let made = make_directories(&real).map_err(|error| refused(&error))?;
    let written = write_beside(&real, after).and_then(|temporary| {
        let result = if holds(&real, before)? {
            fs::rename(&temporary, &real)
        } else {
            Err(io::Error::other("another program has changed it just now"))
        };
        if result.is_err() {
            drop(fs::remove_file(&temporary));
        }
        result
    });
    match written {
        Ok(()) => {
            sync_directory(&real);
            Ok(made)
        }
        Err(error) => {
            remove_directories(&made);
            Err(refused(&error))
        }
    }
}

/// Deletes a file that still holds what it is thought to hold.
pub(super) fn delete(path: &Path, before: &[u8], places: &Places) -> Result<(), Failure> {
    let refused = |error: &io::Error| refuse(path, places, &error.to_string());
    match holds(path, Before::Bytes(before)) {
        Ok(true) => fs::remove_file(path).map_err(|error| refused(&error)),
        Ok(false) => Err(refuse(path, places, "another program has changed it just now")),
        Err(error) => Err(refused(&error)),
    }
}

/// Removes directories that were made for a file, as far as nothing else is in them.
pub(super) fn remove_directories(made: &[PathBuf]) {
    for directory in made.iter().rev() {
        if fs::remove_dir(directory).is_err() {
            return;
        }
    }
}

fn holds(path: &Path, before: Before<'_>) -> io::Result<bool> {
    match (fs::read(path), before) {
        (Ok(bytes), Before::Bytes(before)) => Ok(bytes == before),
        (Ok(_), Before::Absent) => Ok(false),
        (Err(error), Before::Absent) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        (Err(error), _) => Err(error),
    }
}

fn make_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<PathBuf> = path.ancestors().skip(1).take_while(|directory| !directory.exists()).map(Path::to_owned).collect();
    let mut made = Vec::new();
    for directory in missing.into_iter().rev() {
        fs::create_dir(&directory)?;
        made.push(directory);
    }
    Ok(made)
}

/// Writes the bytes to a file beside the other one, with its permissions.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.toolcrib-{}", std::process::id()));
    let mut file = private(&temporary)?;
    let result = file.write_all(bytes).and_then(|()| copy_owner(path, &file)).and_then(|()| file.sync_all());
    match result {
        Ok(()) => Ok(temporary),
        Err(error) => {
            drop(fs::remove_file(&temporary));
            Err(error)
        }
    }
}

/// Makes a file nobody else can read.
pub(super) fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Returns who may do what with a file.
#[cfg(unix)]
pub(super) fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o7777)
}

/// Says again who may do what with a file that had to be made anew.
#[cfg(unix)]
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn mode(_: &Path) -> Option<u32> {
    None
}

#[cfg(not(unix))]
pub(super) fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn copy_owner(from: &Path, to: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(meta) = fs::metadata(from) else { return Ok(()) };
    let own = to.metadata()?;
    if (meta.uid(), meta.gid()) != (own.uid(), own.gid()) {
        std::os::unix::fs::fchown(to, Some(meta.uid()), Some(meta.gid()))?;
    }
    to.set_permissions(meta.permissions())
}

#[cfg(not(unix))]
fn copy_owner(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the new name survive a power cut; without it only the old bytes could come back.
fn sync_directory(path: &Path) {
    if cfg!(unix)
        && let Some(directory) = path.parent()
    {
        drop(File::open(directory).and_then(|directory| directory.sync_all()));
    }
}
