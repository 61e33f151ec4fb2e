//! A root directory that is put together from layers.
//!
//! Names are walked folder by folder, and a link on the way is read and walked again from this root, as the image's own
//! programs would see it: the system never follows one.

#[cfg(not(unix))]
mod none;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod walk;

use std::io;
use std::path::PathBuf;

#[cfg(not(unix))]
pub(crate) use none::Rootfs;
#[cfg(unix)]
pub(crate) use unix::Rootfs;

/// Bounds of one image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// An entry that no honest image has.
#[derive(Debug, thiserror::Error)]
#[error("`{name}`: {why}")]
pub(crate) struct Hostile {
    name: String,
    why: &'static str,
}

impl Hostile {
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no root directory to put it into"))]
    pub(crate) fn new(name: &[u8], why: &'static str) -> Self {
        let name = String::from_utf8_lossy(name).chars().take(200).collect::<String>().escape_debug().to_string();
        Self { name, why }
    }
}

/// Why an entry is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    #[error(transparent)]
    Hostile(#[from] Hostile),
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no root directory to put it into"))]
    #[error("it has more than {entries} files or {bytes} bytes", entries = .0.entries, bytes = .0.bytes)]
    TooLarge(Budget),
    #[error("`{path}`: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// What an entry of a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File {
        can_run: bool,
        size: u64,
    },
    Link {
        target: Vec<u8>,
    },
    /// Another name of a file that is there.
    Same {
        target: Vec<u8>,
    },
    /// A device, a pipe: nothing that a server could not have from its own `/dev`.
    Special,
}
