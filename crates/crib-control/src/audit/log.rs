//! The log: calls are formatted by who settles them, a thread of its own chains and writes many at once.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crib_model::{Clock, Code, Ending, Entry, Ledger};
use parking_lot::Mutex;

use super::AuditError;
use super::chain::{Mark, Sheet};
use super::desk::{Desk, Visit};
use super::file::{Book, Note};
use crate::record::{write_call, write_text};

/// How long the writer waits before it tries a disk again that took nothing.
const RETRY: Duration = Duration::from_secs(1);
/// How often a disk that takes nothing is complained about.
const COMPLAIN: Duration = Duration::from_secs(60);
/// Longest time that what the system has taken is not on the disk.
const SYNC: Duration = Duration::from_secs(1);
/// A buffer that a burst has made larger is given back.
const KEPT_BYTES_MAX: usize = 512 * 1024;

/// The handle of the log.
pub struct AuditLog {
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    lost: AtomicU64,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Batch {
    /// Bodies of lines, each with a line break.
    calls: Vec<u8>,
    /// Calls for which there was no room.
    lost: u64,
    /// What is to be said about the log itself, before and after the calls.
    begin: Option<String>,
    end: Option<&'static str>,
}

struct Writer {
    book: Book,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    complained: Option<Instant>,
    synced: Instant,
    is_dirty: bool,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl AuditLog {
    /// Opens the log, to go on where the file ends, and starts its writer.
    ///
    /// # Errors
    /// The file cannot be opened, is in use, or is something else.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, AuditError> {
        let (book, note) = Book::open(path, Mark::START)?;
        let (desk, counts) = (Arc::new(Desk::default()), Arc::new(Counts::default()));
        tracing::info!(mark = %book.mark(), "the audit log {} goes on", path.display());
        let synced = clock.now();
        let mut writer = Writer { book, clock: Arc::clone(&clock), counts: Arc::clone(&counts), complained: None, synced, is_dirty: false };
        let start = format!("\"event\":\"start\",\"version\":\"{}\"{}", env!("CARGO_PKG_VERSION"), note.map(members).unwrap_or_default());
        let mut batch = Batch { begin: Some(start), ..Batch::default() };
        // Before the first call comes; a disk that is full now may take it later.
        if let Err(error) = writer.write(&batch) {
            writer.complain(&error);
        } else {
            batch.begin = None;
        }
        let thread = std::thread::Builder::new().name("audit-log".to_owned());
        let thread = thread.spawn({
            let desk = Arc::clone(&desk);
            move || writer.run(&desk, batch)
        });
        let writer = Mutex::new(Some(thread.map_err(AuditError::Writer)?));
        Ok(Self { desk, clock, counts, writer })
    }

    /// Goes over to a new file, if the old one was moved away; it does so before the next line anyhow.
    pub fn reopen(&self) {
        self.desk.nudge();
    }

    /// Returns how many lines are in the file since the start.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }

    /// Returns how many calls were not written down.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Writes what is still waiting and ends the thread.
    pub fn close(&self) {
        let Some(writer) = self.writer.lock().take() else { return };
        self.desk.close();
        if writer.join().is_err() {
            tracing::error!("the writer of the audit log ended in a panic");
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Ledger for AuditLog {
    fn settle(&self, entry: &Entry) {
        thread_local! {
            static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        BODY.with_borrow_mut(|body| {
            body.clear();
            if format(body, entry, self.clock.unix()).is_err() || !self.desk.add(body) {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

fn format(body: &mut Vec<u8>, entry: &Entry, unix: Duration) -> io::Result<()> {
    write_call(body, entry, unix)?;
    write_text(body, "event", "call")?;
    write_text(body, "tenant", entry.principal.tenant.as_str())?;
    match decision(entry) {
        Some(decision) => write_text(body, "decision", decision),
        None => Ok(()),
    }
}

/// What was decided about who asked; nothing where it did not come to that.
fn decision(entry: &Entry) -> Option<&'static str> {
    let is_denied = matches!(entry.ending, Ending::Failed(Code::Unauthenticated | Code::Forbidden | Code::OriginRefused));
    let is_open = matches!(entry.ending, Ending::Failed(Code::UnknownTarget | Code::ArgumentsInvalid | Code::BodyTooLarge));
    match (is_denied, is_open || entry.upstream.is_none()) {
        (true, _) => Some("deny"),
        (false, true) => None,
        (false, false) => Some("allow"),
    }
}

/// The members that tell of a note.
fn members(note: Note) -> String {
    match note {
        Note::Torn { bytes } => format!(",\"torn_bytes\":{bytes}"),
        Note::Touched { expected, found } => format!(",\"expected_bytes\":{expected},\"found_bytes\":{found}"),
    }
}

// === impl Batch, Writer ===

impl Batch {
    /// Adds all lines, and returns how many.
    fn write(&self, now: Duration, notes: &[Note], sheet: &mut Sheet) -> u64 {
        let begin = sheet.mark.seq;
        let event = |sheet: &mut Sheet, members: &str| {
            let body = format!("\"time\":{}.{:06},{members}", now.as_secs(), now.subsec_micros());
            sheet.line(body.as_bytes());
        };
        for note in notes {
            event(sheet, &format!("\"event\":\"touched\"{}", members(*note)));
        }
        if let Some(begin) = &self.begin {
            event(sheet, begin);
        }
        self.bodies().for_each(|body| sheet.line(body));
        if self.lost > 0 {
            event(sheet, &format!("\"event\":\"lost\",\"lost\":{}", self.lost));
        }
        if let Some(end) = self.end {
            event(sheet, end);
        }
        sheet.mark.seq - begin
    }

    fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.calls.split(|byte| *byte == b'\n').filter(|body| !body.is_empty())
    }
}

impl Writer {
    fn run(mut self, desk: &Desk, mut batch: Batch) {
        loop {
            while let Err(error) = self.write(&batch) {
                self.complain(&error);
                if desk.pause(RETRY) {
                    return self.give_up(desk, batch);
                }
            }
            if batch.end.is_some() {
                return tracing::info!(mark = %self.book.mark(), "the audit log {} ends", self.book.path().display());
            }
            let mut calls = std::mem::take(&mut batch.calls);
            calls.clear();
            calls.shrink_to(KEPT_BYTES_MAX);
            let Visit { lost, is_last } = desk.take(&mut calls, self.is_dirty.then_some(SYNC));
            if lost > 0 {
                tracing::error!(lost, "the audit log lost calls: the disk is too slow for them");
            }
            batch = Batch { calls, lost, begin: None, end: is_last.then_some("\"event\":\"stop\"") };
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.book.follow().map_err(io::Error::other)?;
        let is_last = batch.end.is_some();
        if is_last || batch.begin.is_some() || batch.lost > 0 || !batch.calls.is_empty() {
            let (mut lines, now) = (0, self.clock.unix());
            self.book.append(|notes, sheet| lines = batch.write(now, notes, sheet))?;
            self.counts.written.fetch_add(lines, Ordering::Relaxed);
            (self.is_dirty, self.complained) = (true, None);
        }
        let now = self.clock.now();
        if self.is_dirty && (is_last || now.saturating_duration_since(self.synced) >= SYNC) {
            // What was written is written: another attempt would write it twice.
            if let Err(error) = self.book.sync() {
                self.complain(&error);
            }
            (self.synced, self.is_dirty) = (now, false);
        }
        Ok(())
    }

    /// Says that the disk does not do its part, but not a thousand times.
    fn complain(&mut self, error: &io::Error) {
        let now = self.clock.now();
        if self.complained.is_none_or(|then| now.saturating_duration_since(then) >= COMPLAIN) {
            tracing::error!("the audit log {} cannot be written: {error}", self.book.path().display());
            self.complained = Some(now);
        }
    }

    /// The end has come and the disk still takes nothing.
    fn give_up(&mut self, desk: &Desk, mut batch: Batch) {
        let mut rest = Vec::new();
        let Visit { lost, .. } = desk.take(&mut rest, None);
        batch.calls.extend_from_slice(&rest);
        batch.lost += lost;
        batch.end = Some("\"event\":\"stop\"");
        if let Err(error) = self.write(&batch) {
            let calls = batch.bodies().count() as u64;
            self.counts.lost.fetch_add(calls, Ordering::Relaxed);
            let lost = batch.lost + calls;
            tracing::error!(lost, "the audit log {} lost its last lines: {error}", self.book.path().display());
        }
    }
}
