//! Finding a place inside a root by a name that a stranger has given.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Hostile, RootError};

/// How deep folders may be.
pub(super) const DEPTH_MAX: usize = 60;
/// Links that are walked for one name.
const LINKS_MAX: usize = 40;
const NAME_BYTES_MAX: usize = 4096;

/// How a folder is opened: never through a link.
pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The parts of a name, none of which leads upwards.
pub(super) struct Names(VecDeque<OsString>);

impl Names {
    /// Takes a name apart; one that begins at a root begins at this one.
    pub(super) fn read(name: &[u8]) -> Result<Self, Hostile> {
        if name.len() > NAME_BYTES_MAX || name.contains(&0) {
            return Err(Hostile::new(name, "this is not a name"));
        }
        let parts: VecDeque<OsString> = parts(name).map(OsString::from).collect();
        if parts.iter().any(|part| part == "..") {
            return Err(Hostile::new(name, "it leads out of the image"));
        }
        if parts.len() > DEPTH_MAX {
            return Err(Hostile::new(name, "it lies too deep"));
        }
        Ok(Self(parts))
    }

    pub(super) fn last(&self) -> Option<&OsStr> {
        self.0.back().map(OsString::as_os_str)
    }

    pub(super) fn pop(&mut self) -> Option<OsString> {
        self.0.pop_back()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn parts(name: &[u8]) -> impl DoubleEndedIterator<Item = &OsStr> {
    name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(OsStr::from_bytes)
}

/// A name in a folder that is open.
pub(super) struct Place {
    pub(super) folder: OwnedFd,
    /// The folder's real name inside the root.
    inside: PathBuf,
    pub(super) name: OsString,
}

impl Place {
    /// Returns the real name inside the root.
    pub(super) fn path(&self) -> PathBuf {
        self.inside.join(&self.name)
    }

    pub(super) fn failed(&self, error: Errno) -> RootError {
        RootError::Io { path: self.path(), error: error.into() }
    }
}

/// Finds the folder that a name is in; none where it is not there and shall not be made.
pub(super) fn place(root: BorrowedFd<'_>, mut names: Names, make: bool) -> Result<Option<Place>, RootError> {
    let Some(name) = names.pop() else { return Ok(None) };
    Ok(folder(root, names, make)?.map(|(folder, inside)| Place { folder, inside, name }))
}

/// Walks to a folder. `make` makes what is missing on the way.
pub(super) fn folder(root: BorrowedFd<'_>, names: Names, make: bool) -> Result<Option<(OwnedFd, PathBuf)>, RootError> {
    let mut way: Vec<(OwnedFd, OsString)> = Vec::new();
    let mut pending = names.0;
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            // Of a link: above a root is the root.
            way.pop();
            continue;
        }
        let path = || way.iter().map(|(_, name)| name).chain([&name]).collect::<PathBuf>();
        let failed = |error: Errno| RootError::Io { path: path(), error: error.into() };
        if way.len() >= DEPTH_MAX {
            return Err(Hostile::new(name.as_bytes(), "it lies too deep").into());
        }
        let here = way.last().map_or(root, |(fd, _)| fd.as_fd());
        match rustix::fs::openat(here, &name, FOLDER, Mode::empty()) {
            Ok(fd) => way.push((fd, name)),
            Err(Errno::NOENT) if make => {
                self::make(here, &name).map_err(failed)?;
                pending.push_front(name);
            }
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR | Errno::MLINK) => {
                let not_a_folder = |_plain| Hostile::new(path().as_os_str().as_bytes(), "it is no folder, and something is in it");
                let target = rustix::fs::readlinkat(here, &name, Vec::new()).map_err(not_a_folder)?.into_bytes();
                links += 1;
                if links > LINKS_MAX {
                    return Err(Hostile::new(&target, "links that lead on and on").into());
                }
                if target.first() == Some(&b'/') {
                    way.clear();
                }
                parts(&target).rev().for_each(|part| pending.push_front(part.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let inside = way.iter().map(|(_, name)| name).collect();
    let last = match way.pop() {
        Some((fd, _)) => fd,
        None => {
            rustix::io::fcntl_dupfd_cloexec(root, 0).map_err(|error| RootError::Io { path: PathBuf::from("/"), error: error.into() })?
        }
    };
    Ok(Some((last, inside)))
}

pub(super) fn make(folder: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755))
}

/// A link may lead anywhere: inside it leads where the image is, and outside nobody follows it.
pub(super) fn check_target(name: &[u8], target: &[u8]) -> Result<(), Hostile> {
    let is_one = !target.is_empty() && target.len() <= NAME_BYTES_MAX && !target.contains(&0);
    if is_one { Ok(()) } else { Err(Hostile::new(name, "a link to what is no name")) }
}
