//! A root directory on a system of which images are: every place in it is opened from the folder it is in.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use super::walk::{self, FOLDER, Names, Place};
use super::{Budget, Hostile, Kind, RootError};

/// Marks what a layer takes away.
const WHITEOUT: &[u8] = b".wh.";
/// Marks a folder whose older content goes.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Notes of a file system of old.
const NOTES: &[u8] = b".wh..wh.";

const BUFFER_BYTES: usize = 64 * 1024;
/// Of a file that is read whole.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// A root directory that is written.
pub(crate) struct Rootfs {
    root: OwnedFd,
    limit: Budget,
    left: Budget,
    /// What the present layer has brought, by its real name.
    brought: BTreeSet<PathBuf>,
}

impl Rootfs {
    /// Begins with an empty folder that is there.
    pub(crate) fn open(folder: &Path, limit: Budget) -> Result<Self, RootError> {
        let failed = |error: rustix::io::Errno| RootError::Io { path: folder.to_owned(), error: error.into() };
        let root = rustix::fs::openat(CWD, folder, FOLDER, Mode::empty()).map_err(failed)?;
        Ok(Self { root, limit, left: limit, brought: BTreeSet::new() })
    }

    /// Makes a folder where there is nothing.
    pub(crate) fn have_folder(&self, path: &Path) -> Result<(), RootError> {
        walk::folder(self.root.as_fd(), Names::read(path.as_os_str().as_bytes())?, true).map(drop)
    }

    /// Reads a small file, through no link at its end.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, RootError> {
        let Some(place) = walk::place(self.root.as_fd(), Names::read(path.as_os_str().as_bytes())?, false)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(fd) = rustix::fs::openat(&place.folder, &place.name, flags, Mode::empty()) else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = File::from(fd).take(SMALL_BYTES_MAX).read_to_end(&mut bytes);
        Ok(read.is_ok().then_some(bytes))
    }

    /// Begins the next layer.
    pub(crate) fn next_layer(&mut self) {
        self.brought.clear();
    }

    /// Puts one entry where it belongs.
    pub(crate) fn put(&mut self, name: &[u8], kind: &Kind, content: &mut dyn Read) -> Result<(), RootError> {
        self.left.entries = self.left.entries.checked_sub(1).ok_or(RootError::TooLarge(self.limit))?;
        let names = Names::read(name)?;
        let Some(last) = names.last().map(OsString::from) else { return Ok(()) };
        if last.as_bytes().starts_with(WHITEOUT) {
            return self.take_away(names, last.as_bytes());
        }
        if *kind == Kind::Special {
            return Ok(());
        }
        let place = walk::place(self.root.as_fd(), names, true)?.ok_or_else(|| Hostile::new(name, "it is nowhere"))?;
        match kind {
            Kind::Special => {}
            Kind::Folder => folder(&place)?,
            Kind::File { can_run, size } => self.file(&place, *can_run, *size, content)?,
            Kind::Link { target } => {
                remove(place.folder.as_fd(), &place.name, 0).map_err(|error| place.failed(error))?;
                walk::check_target(name, target)?;
                rustix::fs::symlinkat(OsStr::from_bytes(target), &place.folder, &place.name).map_err(|error| place.failed(error))?;
            }
            Kind::Same { target } => self.same(&place, target)?,
        }
        self.brought.insert(place.path());
        Ok(())
    }

    fn file(&mut self, place: &Place, can_run: bool, size: u64, content: &mut dyn Read) -> Result<(), RootError> {
        self.left.bytes = self.left.bytes.checked_sub(size).ok_or(RootError::TooLarge(self.limit))?;
        remove(place.folder.as_fd(), &place.name, 0).map_err(|error| place.failed(error))?;
        // Who runs a file is never changed by it: of its rights only that to run stays.
        let mode = Mode::from_raw_mode(if can_run { 0o755 } else { 0o644 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&place.folder, &place.name, flags, mode).map_err(|error| place.failed(error))?;
        let mut file = File::from(fd);
        let failed = |error| RootError::Io { path: place.path(), error };
        let written = io::copy(&mut io::BufReader::with_capacity(BUFFER_BYTES, content.take(size)), &mut file).map_err(failed)?;
        if written != size {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        // What a mask has taken from it.
        rustix::fs::fchmod(&file, mode).map_err(|error| place.failed(error))
    }

    fn same(&self, place: &Place, target: &[u8]) -> Result<(), RootError> {
        let names = Names::read(target)?;
        let missing = || Hostile::new(target, "a second name of what is not there");
        let of = walk::place(self.root.as_fd(), names, false)?.ok_or_else(missing)?;
        let found = rustix::fs::statat(&of.folder, &of.name, AtFlags::SYMLINK_NOFOLLOW).map_err(|_gone| missing())?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            return Err(Hostile::new(target, "a folder has one name").into());
        }
        if of.path() == place.path() {
            return Ok(());
        }
        remove(place.folder.as_fd(), &place.name, 0).map_err(|error| place.failed(error))?;
        // Without a flag a link is not followed, but gets a second name itself.
        rustix::fs::linkat(&of.folder, &of.name, &place.folder, &place.name, AtFlags::empty()).map_err(|error| place.failed(error))
    }

    /// Removes what layers below have brought.
    fn take_away(&self, mut names: Names, mark: &[u8]) -> Result<(), RootError> {
        if mark == OPAQUE {
            names.pop();
            let Some((folder, path)) = walk::folder(self.root.as_fd(), names, false)? else { return Ok(()) };
            return self.clear(folder.as_fd(), &path);
        }
        if mark.starts_with(NOTES) {
            return Ok(());
        }
        let name = mark.strip_prefix(WHITEOUT).unwrap_or_default();
        // What is left is a name of its own, and may be none.
        let one = Names::read(name)?;
        if one.len() != 1 {
            return Err(Hostile::new(mark, "it takes away nothing that has a name").into());
        }
        names.pop();
        names.extend(one);
        let Some(place) = walk::place(self.root.as_fd(), names, false)? else { return Ok(()) };
        if self.has_brought(&place.path()) {
            return Ok(());
        }
        remove(place.folder.as_fd(), &place.name, 0).map_err(|error| place.failed(error))
    }

    /// Tells whether the present layer has brought this, or something in it.
    fn has_brought(&self, path: &Path) -> bool {
        self.brought.range(path.to_owned()..).next().is_some_and(|first| first.starts_with(path))
    }

    /// Empties a folder of everything older.
    fn clear(&self, folder: BorrowedFd<'_>, path: &Path) -> Result<(), RootError> {
        let failed = |error: rustix::io::Errno| RootError::Io { path: path.to_owned(), error: error.into() };
        for (name, is_folder) in children(folder).map_err(failed)? {
            let below = path.join(&name);
            if !self.has_brought(&below) {
                remove(folder, &name, 0).map_err(failed)?;
            } else if is_folder {
                let inner = rustix::fs::openat(folder, &name, FOLDER, Mode::empty()).map_err(failed)?;
                self.clear(inner.as_fd(), &below)?;
            }
        }
        Ok(())
    }
}

/// Makes a folder, or keeps the one that is there; a link to one gives way.
fn folder(place: &Place) -> Result<(), RootError> {
    if let Ok(found) = rustix::fs::statat(&place.folder, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            return Ok(());
        }
        rustix::fs::unlinkat(&place.folder, &place.name, AtFlags::empty()).map_err(|error| place.failed(error))?;
    }
    walk::make(place.folder.as_fd(), &place.name).map_err(|error| place.failed(error))
}

/// Removes a file, a link, or a folder with all that is in it; what is not there is removed already.
fn remove(folder: BorrowedFd<'_>, name: &OsStr, depth: usize) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) if depth <= walk::DEPTH_MAX => {}
        Err(error) => return Err(error),
    }
    let inner = rustix::fs::openat(folder, name, FOLDER, Mode::empty())?;
    for (child, _) in children(inner.as_fd())? {
        remove(inner.as_fd(), &child, depth + 1)?;
    }
    rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)
}

/// Returns what is in a folder, and which of it are folders.
fn children(folder: BorrowedFd<'_>) -> rustix::io::Result<Vec<(OsString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            let meta = rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            found.push((name, FileType::from_raw_mode(meta.st_mode) == FileType::Directory));
        }
    }
    Ok(found)
}
