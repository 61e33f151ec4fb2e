//! The file of an audit log: opened, continued, rotated, and shared with other writers.
//!
//! Whoever writes holds the file's lock meanwhile, and goes on from what others have written since; so a program that
//! ends and the one that takes its place, or a gateway and a command line, can write to one file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::AuditError;
use super::chain::{LINE_BYTES_MAX, Mark, Sheet};
use super::verify::verify;
use crate::rotation::is_moved_away;

/// How often a lock that somebody holds is asked for.
const LOCK_STEP: Duration = Duration::from_millis(2);
/// How many times; writers hold it for a write.
const LOCK_STEPS: u32 = 1000;

/// A file that lines are added to.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    file: File,
    /// Length of what was written whole; `None` for a pipe or a device, which has no end to go on from.
    len: Option<u64>,
    mark: Mark,
}

/// Something found in the file that is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A line that was not written to its end was taken off.
    Torn { bytes: u64 },
    /// Somebody wrote what is no line of the chain, or cut the file.
    Touched { expected: u64, found: u64 },
}

/// The lock on a file, given back when dropped.
struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!("an audit log stays locked: {error}");
        }
    }
}

fn hold(file: &File) -> io::Result<Held<'_>> {
    for _ in 0..LOCK_STEPS {
        match file.try_lock() {
            Ok(()) => return Ok(Held(file)),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_STEP),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another program holds its lock"))
}

impl Book {
    /// Opens a file to go on where it ends; one that has no line goes on from `before`.
    pub(super) fn open(path: &Path, before: Mark) -> Result<(Self, Option<Note>), AuditError> {
        let fault = |error| AuditError::Open { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // Who did what is for the owner's eyes.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(fault)?;
        let mut book = Self { path: path.to_owned(), file, len: None, mark: before };
        if !book.file.metadata().map_err(fault)?.is_file() {
            return Ok((book, None));
        }
        let end = {
            let _held = hold(&book.file).map_err(fault)?;
            End::find(&book.file).map_err(fault)?
        };
        let End { len, last, torn } = end.ok_or_else(|| AuditError::Foreign(path.to_owned()))?;
        (book.len, book.mark) = (Some(len), last.unwrap_or(before));
        Ok((book, (torn > 0).then_some(Note::Torn { bytes: torn })))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the last line that was written or seen.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Adds lines: all of them, or none.
    pub(super) fn append(&mut self, write: impl FnOnce(&[Note], &mut Sheet)) -> io::Result<()> {
        let file = self.file.try_clone()?;
        let _held = if self.len.is_some() { Some(hold(&file)?) } else { None };
        let note = self.catch_up()?;
        let mut sheet = Sheet::after(self.mark);
        if matches!(note, Some(Note::Touched { .. })) {
            // What was left there may be the beginning of a line.
            sheet.text.push(b'\n');
        }
        write(note.as_slice(), &mut sheet);
        let written = self.file.write_all(&sheet.text);
        let Some(len) = &mut self.len else {
            self.mark = sheet.mark;
            return written;
        };
        if written.is_ok() {
            *len += sheet.text.len() as u64;
            self.mark = sheet.mark;
        } else if self.file.set_len(*len).is_err() {
            // The torn line stays; `verify` will point at it.
            tracing::error!("the audit log {} ends in the middle of a line", self.path.display());
        }
        written
    }

    /// Goes over to a new file where the old one was moved away; the chain goes on.
    pub(super) fn follow(&mut self) -> Result<(), AuditError> {
        if self.len.is_none() || !is_moved_away(&self.file, &self.path)? {
            return Ok(());
        }
        {
            let file = self.file.try_clone()?;
            let _held = hold(&file)?;
            self.catch_up()?;
            self.file.sync_data()?;
        }
        let (next, _) = Self::open(&self.path, self.mark)?;
        tracing::info!(mark = %self.mark, "the audit log {} goes on in a new file", self.path.display());
        *self = next;
        Ok(())
    }

    /// Waits until the disk has everything.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.len.is_some() { self.file.sync_data() } else { Ok(()) }
    }

    /// Reads what others have written since. What does not follow from the last line is none of the chain, and the
    /// chain goes on without it, so that `verify` points there.
    fn catch_up(&mut self) -> io::Result<Option<Note>> {
        let Some(expected) = self.len else { return Ok(None) };
        let found = self.file.metadata()?.len();
        if found == expected {
            return Ok(None);
        }
        self.len = Some(found);
        if found > expected {
            self.file.seek(SeekFrom::Start(expected))?;
            if let Ok(others) = verify(BufReader::new(&self.file), Some(self.mark)) {
                self.mark = others.last;
                return Ok(None);
            }
        }
        tracing::error!("somebody changed the audit log {}: {expected} bytes became {found}", self.path.display());
        Ok(Some(Note::Touched { expected, found }))
    }
}

/// Where a file ends.
struct End {
    len: u64,
    /// The last line; `None` where there is none.
    last: Option<Mark>,
    /// Bytes of a line that was not written to its end, taken off.
    torn: u64,
}

impl End {
    /// Finds the last line; `None` where it is none of ours.
    fn find(mut file: &File) -> io::Result<Option<Self>> {
        let whole = file.metadata()?.len();
        let start = whole.saturating_sub(2 * LINE_BYTES_MAX as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::take(file, 2 * LINE_BYTES_MAX as u64).read_to_end(&mut tail)?;
        let complete = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = (tail.len() - complete) as u64;
        let lines = tail.get(..complete.saturating_sub(1)).unwrap_or_default();
        let last = Mark::of_line(lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default());
        // A lone beginning of a line is ours too: `{"seq":1,...` that never came to its end.
        let is_ours = last.is_some() || (complete == 0 && start == 0 && (tail.is_empty() || tail.starts_with(b"{\"seq\":")));
        if !is_ours {
            return Ok(None);
        }
        if torn > 0 {
            file.set_len(whole - torn)?;
        }
        Ok(Some(Self { len: whole - torn, last, torn }))
    }
}
