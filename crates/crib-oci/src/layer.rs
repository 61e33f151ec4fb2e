//! One layer: unpacked from its archive into a root directory, and hashed on the way.

mod archive;
mod stream;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crib_model::{Code, Fault};

use crate::Digest;
use crate::digest::Hasher;
use crate::manifest::broken;
use crate::rootfs::{RootError, Rootfs};

pub(crate) use archive::ArchiveError;

const BUFFER_BYTES: usize = 64 * 1024;

/// A layer that has been downloaded.
pub(crate) struct Layer<'a> {
    pub(crate) file: &'a Path,
    /// The digest of what is in it, unpacked.
    pub(crate) content: &'a Digest,
}

/// What is read, counted and hashed.
struct Counted<R> {
    inner: R,
    hasher: Hasher,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        let bytes = u64::try_from(read).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(bytes).ok_or_else(|| io::Error::other("unpacked it is larger than any image may be"))?;
        Ok(read)
    }
}

/// Unpacks a layer; `goes_on` is asked before each entry whether somebody still waits for it.
pub(crate) fn apply(layer: &Layer<'_>, to: &mut Rootfs, most: u64, goes_on: &dyn Fn() -> bool) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::new(Code::PullFailed, "a layer of the image cannot be unpacked").because(error);
    let file = File::open(layer.file).map_err(failed)?;
    let inner = stream::open(file).map_err(failed)?;
    let mut counted = Counted { inner, hasher: Hasher::default(), left: most };
    to.next_layer();
    archive::unpack(&mut counted, to, goes_on).map_err(fault)?;
    // What comes after the end of an archive is part of the digest.
    let mut rest = vec![0; BUFFER_BYTES];
    while counted.read(&mut rest).map_err(failed)? > 0 {}
    let found = counted.hasher.finish();
    if found == *layer.content {
        return Ok(());
    }
    Err(broken(format!("a layer has {found} unpacked, and should have {}", layer.content)))
}

fn fault(error: ArchiveError) -> Fault {
    match error {
        ArchiveError::Root(RootError::Io { .. }) | ArchiveError::Read(_) | ArchiveError::Unwanted => {
            Fault::new(Code::PullFailed, "a layer of the image cannot be unpacked").because(error)
        }
        ArchiveError::Root(RootError::Hostile(_) | RootError::TooLarge(_)) | ArchiveError::Odd(_) => {
            Fault::new(Code::PackageUnverified, "the image is not one that can be trusted").because(error)
        }
    }
}
