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
use super::chain::Mark;
use super::desk::{Desk, Visit};
use super::file::{Book, Change, Opened};
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

struct Writer {
    book: Book,
    mark: Mark,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    /// Lines that are in the chain and not yet in the file.
    sealed: Vec<u8>,
    sealed_lines: u64,
    /// Those of them that are calls.
    sealed_calls: u64,
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
        let Opened { book, last, torn } = Book::open(path)?;
        let (desk, counts) = (Arc::new(Desk::default()), Arc::new(Counts::default()));
        let synced = clock.now();
        let mut writer = Writer {
            book,
            mark: last.unwrap_or(Mark::START),
            clock: Arc::clone(&clock),
            counts: Arc::clone(&counts),
            sealed: Vec::new(),
            sealed_lines: 0,
            sealed_calls: 0,
            complained: None,
            synced,
            is_dirty: false,
        };
        tracing::info!(mark = %writer.mark, "the audit log {} goes on", path.display());
        writer.begin(torn);
        let thread = std::thread::Builder::new().name("audit-log".to_owned());
        let thread = thread.spawn({
            let desk = Arc::clone(&desk);
            move || writer.run(&desk)
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

// === impl Writer ===

impl Writer {
    fn run(mut self, desk: &Desk) {
        let mut bodies = Vec::new();
        loop {
            bodies.clear();
            bodies.shrink_to(KEPT_BYTES_MAX);
            let Visit { lost, is_last } = desk.take(&mut bodies);
            self.look();
            self.seal(&bodies);
            if lost > 0 {
                tracing::error!(lost, "the audit log lost calls: the disk is too slow for them");
                self.event(&format!("\"event\":\"lost\",\"lost\":{lost}"));
            }
            if is_last {
                self.event("\"event\":\"stop\"");
            }
            while let Err(error) = self.flush(is_last) {
                self.complain(&error);
                if desk.pause(RETRY) {
                    return self.give_up(desk);
                }
            }
            if is_last {
                return tracing::info!(mark = %self.mark, "the audit log {} ends", self.book.path().display());
            }
        }
    }

    /// Writes down that the log goes on, and what an earlier end left behind.
    fn begin(&mut self, torn: u64) {
        if torn > 0 {
            tracing::warn!("the last line of the audit log {} was not complete and is gone", self.book.path().display());
        }
        let torn = if torn > 0 { format!(",\"torn_bytes\":{torn}") } else { String::new() };
        self.event(&format!("\"event\":\"start\",\"version\":\"{}\"{torn}", env!("CARGO_PKG_VERSION")));
        if let Err(error) = self.flush(false) {
            self.complain(&error);
        }
    }

    /// Adds the calls in `bodies` to the chain.
    fn seal(&mut self, bodies: &[u8]) {
        for body in bodies.split(|byte| *byte == b'\n').filter(|body| !body.is_empty()) {
            self.mark.seal(body, &mut self.sealed);
            self.sealed_lines += 1;
            self.sealed_calls += 1;
        }
    }

    /// Adds a line about the log itself.
    fn event(&mut self, members: &str) {
        let unix = self.clock.unix();
        let body = format!("\"time\":{}.{:06},{members}", unix.as_secs(), unix.subsec_micros());
        self.mark.seal(body.as_bytes(), &mut self.sealed);
        self.sealed_lines += 1;
    }

    /// Looks at what became of the file: moved away to be kept, or touched by somebody.
    fn look(&mut self) {
        match self.book.look() {
            Ok(Change::None) => {}
            Ok(Change::Moved) => self.rotate(),
            Ok(Change::Touched { expected, found }) => {
                tracing::error!("somebody changed the audit log {}: {expected} bytes became {found}", self.book.path().display());
                self.event(&format!("\"event\":\"touched\",\"expected_bytes\":{expected},\"found_bytes\":{found}"));
            }
            Err(error) => self.complain(&error),
        }
    }

    /// Goes over to a new file; the chain goes on.
    fn rotate(&mut self) {
        if let Err(error) = self.flush(true) {
            // The old file is away; what it did not take goes to the new one.
            self.complain(&error);
        }
        match Book::open(self.book.path()) {
            Ok(Opened { book, last, .. }) => {
                tracing::info!(mark = %self.mark, "the audit log {} goes on in a new file", book.path().display());
                // A file that has lines has a chain; lines that are sealed already belong to the old one.
                if let Some(last) = last.filter(|_| self.sealed.is_empty()) {
                    self.mark = last;
                }
                self.book = book;
            }
            Err(error) => self.complain(&io::Error::other(error)),
        }
    }

    fn flush(&mut self, must_sync: bool) -> io::Result<()> {
        if !self.sealed.is_empty() {
            self.book.write(&self.sealed)?;
            self.counts.written.fetch_add(self.sealed_lines, Ordering::Relaxed);
            self.sealed.clear();
            self.sealed.shrink_to(KEPT_BYTES_MAX);
            (self.sealed_lines, self.sealed_calls) = (0, 0);
            (self.is_dirty, self.complained) = (true, None);
        }
        let now = self.clock.now();
        if self.is_dirty && (must_sync || now.saturating_duration_since(self.synced) >= SYNC) {
            self.book.sync()?;
            (self.synced, self.is_dirty) = (now, false);
        }
        Ok(())
    }

    /// Says that the disk does not do its part, but not a thousand times.
    fn complain(&mut self, error: &io::Error) {
        let now = self.clock.now();
        if self.complained.is_none_or(|then| now.saturating_duration_since(then) >= COMPLAIN) {
            let waiting = self.sealed_lines;
            tracing::error!(waiting, "the audit log {} cannot be written: {error}", self.book.path().display());
            self.complained = Some(now);
        }
    }

    /// The end has come and the disk still takes nothing.
    fn give_up(&mut self, desk: &Desk) {
        let mut rest = Vec::new();
        let Visit { lost, .. } = desk.take(&mut rest);
        self.look();
        self.seal(&rest);
        if let Err(error) = self.flush(true) {
            self.counts.lost.fetch_add(self.sealed_calls, Ordering::Relaxed);
            let lost = lost + self.sealed_calls;
            tracing::error!(lost, "the audit log {} lost its last lines: {error}", self.book.path().display());
        }
    }
}
