//! The standard error of a child: the last lines are kept for people, some go to the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_model::Redaction;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio_util::sync::CancellationToken;

use super::process::DRAIN;

const LINES_KEPT: usize = 50;
const LINE_BYTES_MAX: usize = 2048;
/// Lines of one child logged per second.
const LOGGED_MAX: u32 = 20;

/// The last lines.
#[derive(Debug, Default)]
pub(crate) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock();
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Where lines go.
pub(crate) struct Reader {
    tail: Arc<Tail>,
    log: Log,
    secrets: Redaction,
}

impl Reader {
    pub(crate) fn new(name: &str, tail: Arc<Tail>, secrets: Redaction) -> Self {
        Self { tail, log: Log { name: name.to_owned(), since: Instant::now(), logged: 0, dropped: 0 }, secrets }
    }

    fn take(&mut self, line: String) {
        let line = if self.secrets.is_empty() { line } else { self.secrets.text(&line).into_owned() };
        self.log.line(&line);
        self.tail.push(line);
    }
}

/// Reads until the end of the stream, or shortly beyond the exit of the process.
pub(crate) async fn read(mut stderr: ChildStderr, mut reader: Reader, exited: CancellationToken) {
    let mut cutter = Cutter::default();
    let reading = async {
        let mut buffer = Vec::with_capacity(8 * 1024);
        while let Ok(1..) = stderr.read_buf(&mut buffer).await {
            cutter.push(&buffer).into_iter().for_each(|line| reader.take(line));
            buffer.clear();
        }
    };
    tokio::select! {
        () = reading => {}
        () = async { exited.cancelled().await; tokio::time::sleep(DRAIN).await } => {}
    }
    if let Some(line) = cutter.last() {
        reader.take(line);
    }
}

/// Splits into lines and cuts each to size.
#[derive(Debug, Default)]
struct Cutter(Vec<u8>);

impl Cutter {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = LINE_BYTES_MAX - self.0.len().min(LINE_BYTES_MAX);
            self.0.extend_from_slice(part.get(..room).unwrap_or(part));
            if parts.peek().is_some() {
                lines.extend(self.last());
            }
        }
        lines
    }

    fn last(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        (!text.is_empty()).then(|| escape(&text))
    }
}

/// Makes control characters visible, so that a server cannot play with the terminal of whoever reads.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Passes a limited number of lines per second to the log.
struct Log {
    name: String,
    since: Instant,
    logged: u32,
    dropped: u64,
}

impl Log {
    fn line(&mut self, line: &str) {
        if self.since.elapsed() >= Duration::from_secs(1) {
            if self.dropped > 0 {
                tracing::debug!(server = self.name, lines = self.dropped, "more on standard error");
            }
            (self.since, self.logged, self.dropped) = (Instant::now(), 0, 0);
        }
        if self.logged < LOGGED_MAX {
            self.logged += 1;
            tracing::debug!(server = self.name, line, "standard error");
        } else {
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_escaped() {
        let mut cutter = Cutter::default();
        assert_eq!(cutter.push(b"one\r\ntw"), ["one"]);
        assert_eq!(cutter.push(b"o\n\n\x1b[31mred\n"), ["two", "\\u{1b}[31mred"]);
        assert_eq!(cutter.push(&[b'x'; 3000]), Vec::<String>::new());
        assert_eq!(cutter.push(b"yyy\nz"), ["x".repeat(LINE_BYTES_MAX)]);
        assert_eq!(cutter.last().as_deref(), Some("z"));
    }

    #[test]
    fn the_oldest_lines_go_first() {
        let tail = Tail::default();
        for n in 0..60 {
            tail.push(n.to_string());
        }
        assert_eq!((tail.lines().len(), tail.lines().first().map(String::as_str)), (50, Some("10")));
    }
}
