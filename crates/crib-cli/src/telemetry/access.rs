//! The access log: one JSON line for every call, written by a thread of its own.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crib_control::AccessLog as Where;
use crib_model::{Code, Entry, Fault, Slug};
use parking_lot::Mutex;
use serde::Serialize;

use super::outcome;

/// Lines that may wait for the disk; beyond it they are dropped and counted.
const QUEUE: usize = 16 * 1024;
/// Longest time a line stays in memory.
const FLUSH: Duration = Duration::from_millis(200);

/// The handle of the log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    sender: SyncSender<Line>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

enum Line {
    Call(Box<Entry>, SystemTime),
    End,
}

#[derive(Serialize)]
struct Fields<'a> {
    /// Seconds since 1970.
    time: f64,
    principal: &'a str,
    revision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    code: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    side: &'static str,
    latency_ms: f64,
    request_bytes: usize,
    reply_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl AccessLog {
    /// Opens the log; `None` when none is wanted.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(place: &Where) -> Result<Option<Self>, Fault> {
        let fault = |error: io::Error, what: String| Fault::new(Code::ConfigInvalid, what).because(error);
        let out: Box<dyn Write + Send> = match place {
            Where::Off => return Ok(None),
            Where::Stderr => Box::new(io::stderr()),
            Where::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Box::new(file.map_err(|error| fault(error, format!("cannot write the access log {}", path.display())))?)
            }
        };
        Self::start(out).map(Some).map_err(|error| fault(error, "cannot start the access log".to_owned()))
    }

    fn start(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let (sender, queue) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || drain(&queue, out))?;
        Ok(Self { sender, writer: Mutex::new(Some(writer)), dropped: AtomicU64::new(0) })
    }

    pub(super) fn write(&self, entry: &Entry) {
        if self.sender.try_send(Line::Call(Box::new(entry.clone()), SystemTime::now())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is still waiting and ends the thread.
    pub(crate) fn close(&self) {
        let Some(writer) = self.writer.lock().take() else { return };
        if self.sender.send(Line::End).is_ok() && writer.join().is_err() {
            tracing::error!("the access log ended in a panic");
        }
    }
}

fn drain(queue: &Receiver<Line>, out: Box<dyn Write + Send>) {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    loop {
        let line = match queue.recv_timeout(FLUSH) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                drop(out.flush());
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let Line::Call(entry, at) = line else { break };
        // A full disk must not end the gateway; the next line may find room.
        drop(write(&mut out, &entry, at));
    }
    drop(out.flush());
}

fn write(out: &mut impl Write, entry: &Entry, at: SystemTime) -> io::Result<()> {
    let outcome = outcome::describe(outcome::index(&entry.ending));
    let fields = Fields {
        time: at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as f64 / 1e6,
        principal: &entry.principal.name,
        revision: entry.client.as_str(),
        client: entry.client_name.as_deref(),
        method: entry.method.as_str(),
        server: entry.upstream.as_ref().map(Slug::as_str),
        target: entry.target.as_deref(),
        outcome: outcome.name,
        code: outcome.code,
        side: outcome.side,
        latency_ms: millis(entry.latency),
        request_bytes: entry.request_bytes,
        reply_bytes: entry.reply_bytes,
        trace_id: entry.trace.map(|trace| format!("{:032x}", trace.trace_id)),
    };
    serde_json::to_writer(&mut *out, &fields)?;
    out.write_all(b"\n")
}

/// Milliseconds with three digits: microseconds are what a clock is good for.
fn millis(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::entry;
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
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
}
