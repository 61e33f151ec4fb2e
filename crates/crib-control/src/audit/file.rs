//! The file of an audit log: opened, continued, rotated.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::AuditError;
use super::chain::{LINE_BYTES_MAX, Mark};

/// A file that lines are added to, and nobody else writes to.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    file: File,
    /// Length of what was written whole; `None` for a pipe or a device, which has no end to go on from.
    len: Option<u64>,
}

/// A file as it was found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) book: Book,
    /// Its last line; `None` where it has none.
    pub(super) last: Option<Mark>,
    /// Bytes of a line that was not written to its end, taken off.
    pub(super) torn: u64,
}

/// What happened to a file between two visits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Another file, or none, goes by the path now.
    Moved,
    /// Somebody wrote to it or cut it.
    Touched {
        expected: u64,
        found: u64,
    },
}

impl Book {
    /// Opens a file to go on where it ends.
    pub(super) fn open(path: &Path) -> Result<Opened, AuditError> {
        let fault = |error| AuditError::Open { path: path.to_owned(), error };
        // Who did what is for the owner's eyes.
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::Busy(path.to_owned())),
            // Some file systems have no locks.
            Err(TryLockError::Error(error)) => tracing::warn!("the audit log {} cannot be locked: {error}", path.display()),
        }
        let is_regular = file.metadata().map_err(fault)?.is_file();
        let mut book = Self { path: path.to_owned(), file, len: None };
        if !is_regular {
            return Ok(Opened { book, last: None, torn: 0 });
        }
        let (last, torn) = book.end().map_err(fault)?.ok_or_else(|| AuditError::Foreign(path.to_owned()))?;
        Ok(Opened { book, last, torn })
    }

    /// Finds the last line, and takes off what was not written to its end; `None` where there is no line of ours.
    fn end(&mut self) -> io::Result<Option<(Option<Mark>, u64)>> {
        let whole = self.file.metadata()?.len();
        let start = whole.saturating_sub(2 * LINE_BYTES_MAX as u64);
        self.file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::take(&mut self.file, 2 * LINE_BYTES_MAX as u64).read_to_end(&mut tail)?;
        let complete = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = (tail.len() - complete) as u64;
        let lines = tail.get(..complete.saturating_sub(1)).unwrap_or_default();
        let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let last = Mark::of_line(line);
        // A lone beginning of a line is ours too: `{"seq":1,...` that never came to its end.
        let is_ours = last.is_some() || (complete == 0 && start == 0 && (tail.is_empty() || tail.starts_with(b"{\"seq\":")));
        if !is_ours {
            return Ok(None);
        }
        self.len = Some(whole - torn);
        if torn > 0 {
            self.file.set_len(whole - torn)?;
        }
        Ok(Some((last, torn)))
    }

    /// Tells what happened to the file since the last line was written.
    pub(super) fn look(&mut self) -> io::Result<Change> {
        let Some(expected) = self.len else { return Ok(Change::None) };
        let own = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(named) if (named.dev(), named.ino()) == (own.dev(), own.ino()) => {}
            Ok(_) => return Ok(Change::Moved),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Change::Moved),
            Err(error) => return Err(error),
        }
        let found = own.len();
        self.len = Some(found);
        Ok(if expected == found { Change::None } else { Change::Touched { expected, found } })
    }

    /// Adds lines: all of them, or none.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        let Some(len) = &mut self.len else { return written };
        if written.is_ok() {
            *len += lines.len() as u64;
        } else if self.file.set_len(*len).is_err() {
            // The torn line stays; `verify` will point at it.
            tracing::error!("the audit log {} ends in the middle of a line", self.path.display());
        }
        written
    }

    /// Waits until the disk has everything.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.len.is_some() { self.file.sync_data() } else { Ok(()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
