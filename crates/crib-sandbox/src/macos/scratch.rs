//! Folders that are a server's own, and gone with it.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A home and a `/tmp`, in a folder that only this user reads. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    home: PathBuf,
    tmp: PathBuf,
}

impl Scratch {
    pub(super) fn make() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("toolcrib-{}", std::process::id()));
        // A launcher that was killed had this number before. A longer name would leave too little to those of sockets.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let folder = folder.canonicalize()?;
        let (home, tmp) = (folder.join("home"), folder.join("tmp"));
        std::fs::create_dir(&home)?;
        std::fs::create_dir(&tmp)?;
        Ok(Self { folder, home, tmp })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn tmp(&self) -> &Path {
        &self.tmp
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up, as other temporary files.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
