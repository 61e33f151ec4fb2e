//! The access log: one JSON line for every call. The caller formats it, a thread of its own writes many at once.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crib_control::AccessLog as Where;
use crib_model::{Code, Entry, Fault};
use parking_lot::{Condvar, Mutex};

/// Text that may wait for the disk; lines beyond it are dropped and counted.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the writer lets lines gather: waking it for each would cost more than the call.
const LINGER: Duration = Duration::from_millis(20);
/// A buffer that a burst has made larger is given back.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// The handle of the log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    desk: Arc<Desk>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

/// What callers and the writer share.
#[derive(Debug, Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    /// Rung for the first line and at the end.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    is_closed: bool,
}

/// Where lines go.
trait Out: Send {
    fn put(&mut self, text: &[u8]) -> io::Result<()>;
}

/// A file that is made anew where it was moved away.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    file: File,
}

impl Followed {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Out for Followed {
    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        if crib_control::is_moved_away(&self.file, &self.path)? {
            *self = Self::open(&self.path)?;
        }
        self.file.write_all(text)
    }
}

impl Out for io::Stderr {
    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        self.write_all(text)
    }
}

impl AccessLog {
    /// Opens the log; `None` when none is wanted.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(place: &Where) -> Result<Option<Self>, Fault> {
        let fault = |error: io::Error, what: String| Fault::new(Code::ConfigInvalid, what).because(error);
        let out: Box<dyn Out> = match place {
            Where::Off => return Ok(None),
            Where::Stderr => Box::new(io::stderr()),
            Where::File(path) => {
                Box::new(Followed::open(path).map_err(|error| fault(error, format!("cannot write the access log {}", path.display())))?)
            }
        };
        Self::start(out).map(Some).map_err(|error| fault(error, "cannot start the access log".to_owned()))
    }

    fn start(out: Box<dyn Out>) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writer = std::thread::Builder::new().name("access-log".to_owned());
        let writer = writer.spawn({
            let desk = Arc::clone(&desk);
            move || drain(&desk, out)
        })?;
        Ok(Self { desk, writer: Mutex::new(Some(writer)), dropped: AtomicU64::new(0) })
    }

    pub(super) fn write(&self, entry: &Entry) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            let is_first = format(line, entry, SystemTime::now()).is_ok().then(|| self.desk.add(line)).flatten();
            match is_first {
                Some(true) => drop(self.desk.bell.notify_one()),
                Some(false) => {}
                None => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
            }
        });
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is still waiting and ends the thread.
    pub(crate) fn close(&self) {
        let Some(writer) = self.writer.lock().take() else { return };
        self.desk.waiting.lock().is_closed = true;
        self.desk.bell.notify_one();
        if writer.join().is_err() {
            tracing::error!("the access log ended in a panic");
        }
    }
}

impl Desk {
    /// Adds a line, and tells whether it is the first; `None` when there is no room.
    fn add(&self, line: &[u8]) -> Option<bool> {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed || waiting.text.len() + line.len() > WAITING_BYTES_MAX {
            return None;
        }
        let is_first = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        Some(is_first)
    }

    /// Waits for lines, lets more gather, and takes them all; true when no more will come.
    fn take(&self, text: &mut Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.text.is_empty() && !waiting.is_closed {
            self.bell.wait(&mut waiting);
        }
        if !waiting.is_closed {
            // Nothing rings before the end, for there are lines already.
            self.bell.wait_for(&mut waiting, LINGER);
        }
        std::mem::swap(&mut waiting.text, text);
        waiting.is_closed
    }
}

fn drain(desk: &Desk, mut out: Box<dyn Out>) {
    let mut text = Vec::new();
    loop {
        text.clear();
        text.shrink_to(KEPT_BYTES_MAX);
        let is_last = desk.take(&mut text);
        // A full disk must not end the gateway; the next lines may find room.
        drop(out.put(&text));
        if is_last {
            return;
        }
    }
}

/// Writes an entry as a line of JSON.
fn format(line: &mut Vec<u8>, entry: &Entry, at: SystemTime) -> io::Result<()> {
    line.push(b'{');
    crib_control::write_call(line, entry, at.duration_since(UNIX_EPOCH).unwrap_or_default())?;
    line.extend_from_slice(b"}\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Out for Page {
        fn put(&mut self, text: &[u8]) -> io::Result<()> {
            self.0.lock().extend_from_slice(text);
            Ok(())
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = std::env::temp_dir().join(format!("crib-access-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (path, old) = (folder.join("calls.log"), folder.join("calls.1"));
        let mut out = Followed::open(&path).unwrap();
        out.put(b"one\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        out.put(b"two\n").unwrap();
        assert_eq!([old, path].map(|path| std::fs::read_to_string(path).unwrap()), ["one\n", "two\n"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_call_is_one_line_and_closing_writes_the_last() {
        let page = Page::default();
        let log = AccessLog::start(Box::new(page.clone())).unwrap();
        log.write(&entry("demo", "add", crib_model::Ending::Ok));
        log.write(&entry("demo", "add", crib_model::Ending::Failed(Code::DeadlineExceeded)));
        log.close();
        let text = String::from_utf8(page.0.lock().clone()).unwrap();
        let lines: Vec<String> = text.lines().map(|line| line.split_once(',').unwrap().1.to_owned()).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert_eq!(log.dropped(), 0);
    }
    #[test]
    fn lines_that_nobody_writes_are_dropped_and_counted() {
        let desk = Desk::default();
        assert_eq!(desk.add(b"first"), Some(true));
        assert_eq!(desk.add(b"second"), Some(false));
        assert_eq!(desk.add(&vec![b'x'; WAITING_BYTES_MAX]), None);
        let mut text = Vec::new();
        assert!(!desk.take(&mut text));
        assert_eq!((text.as_slice(), desk.add(b"third")), (b"firstsecond".as_slice(), Some(true)));
    }
}
