//! Where calls stand when the gateway is gone: in the log it was told to write, else in two files of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crib_control::{AccessLog, Compiled};
use crib_mcp::Method;
use crib_model::Entry;
use serde::Deserialize;

use super::{Call, Told, is_call};
use crate::pins;

/// The file that is written, and the one before it.
const FILES: [&str; 2] = ["calls.jsonl", "calls.1.jsonl"];
/// Size at which another file is begun: together they have more than is kept in memory.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How much of somebody's log is read, from its end.
const TAIL_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Where calls are written down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Book {
    /// An access log or an audit log, which somebody else writes.
    Log(PathBuf),
    /// The data directory.
    Own(PathBuf),
    Nowhere,
}

/// Writes the book.
#[derive(Debug)]
pub(super) struct Pen {
    folder: PathBuf,
    file: File,
    size: u64,
    lines: Vec<u8>,
    has_complained: bool,
}

/// A line of an access log or an audit log. Other lines of theirs are no calls.
#[derive(Deserialize)]
struct Line {
    time: f64,
    principal: String,
    client: Option<String>,
    method: String,
    server: Option<String>,
    target: Option<String>,
    outcome: String,
    #[serde(default)]
    code: String,
    latency_ms: f64,
    trace_id: Option<String>,
}

impl Book {
    /// Names the book of a configuration.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        match (&compiled.access_log, &compiled.audit) {
            (AccessLog::File(log), _) | (AccessLog::Off | AccessLog::Stderr, Some(log)) => Self::Log(log.clone()),
            (AccessLog::Off | AccessLog::Stderr, None) => pins::data_directory().map_or(Self::Nowhere, Self::Own),
        }
    }

    /// Reads the calls of gateways that are gone, the oldest first. What cannot be read is not there.
    pub(crate) fn read(&self) -> Vec<Told> {
        let mut told: Vec<Told> = match self {
            Self::Log(log) => tail(log, TAIL_BYTES_MAX),
            Self::Own(folder) => FILES.iter().rev().flat_map(|name| tail(&folder.join(name), FILE_BYTES_MAX)).collect(),
            Self::Nowhere => Vec::new(),
        };
        for (number, told) in told.iter_mut().enumerate() {
            told.call.number = u64::try_from(number).unwrap_or(u64::MAX);
        }
        told
    }

    pub(super) fn pen(&self) -> Option<Pen> {
        let Self::Own(folder) = self else { return None };
        let pen = Pen::new(folder).inspect_err(|error| tracing::warn!("calls are kept in memory only: {error}"));
        pen.ok()
    }
}

/// Reads the calls at the end of a file.
fn tail(path: &Path, bytes_max: u64) -> Vec<Told> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let skipped = file.metadata()?.len().saturating_sub(bytes_max);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    // The first line may be the end of one, and no JSON then.
    bytes.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

fn parse(line: &[u8]) -> Option<Told> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if !is_call(&Method::parse(&line.method)) {
        return None;
    }
    let time = Duration::try_from_secs_f64(line.time).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let Line { principal, client, method, server, target, outcome, code, latency_ms, trace_id, .. } = line;
    Some(Told { principal, call: Call { number: 0, time, client, method, server, target, outcome, code, latency_ms, trace_id } })
}

// === impl Pen ===

impl Pen {
    fn new(folder: &Path) -> io::Result<Self> {
        crate::shop::private_folder(folder)?;
        let file = open(folder)?;
        let size = file.metadata()?.len();
        Ok(Self { folder: folder.to_owned(), file, size, lines: Vec::new(), has_complained: false })
    }

    pub(super) fn write(&mut self, entry: &Entry, at: SystemTime) {
        self.lines.push(b'{');
        // Memory takes what it is given.
        drop(crib_control::write_call(&mut self.lines, entry, at.duration_since(UNIX_EPOCH).unwrap_or_default()));
        self.lines.extend_from_slice(b"}\n");
        if self.lines.len() > 64 * 1024 {
            self.put_down();
        }
    }

    /// Writes what has gathered. A full disk costs these calls, and is said once.
    pub(super) fn put_down(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.put(&lines)
            && !std::mem::replace(&mut self.has_complained, true)
        {
            tracing::warn!("calls cannot be written down: {error}");
        }
    }

    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.size + length > FILE_BYTES_MAX {
            let [now, before] = FILES.map(|name| self.folder.join(name));
            fs::rename(now, before)?;
            self.file = open(&self.folder)?;
            self.size = 0;
        }
        self.file.write_all(lines)?;
        self.size += length;
        Ok(())
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.put_down();
    }
}

/// Opens the file that is written, for this user alone.
fn open(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let [now, _] = FILES;
    options.open(folder.join(now))
}

#[cfg(test)]
mod tests {
    use crib_model::Ending;

    use super::super::super::tests::entry;
    use super::*;

    #[test]
    fn a_book_is_bounded_and_has_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::Own(folder.path().to_owned());
        let mut pen = book.pen().unwrap();
        let many = 3 * FILE_BYTES_MAX / 200;
        for number in 0..many {
            pen.write(&entry("demo", &number.to_string(), Ending::Ok), UNIX_EPOCH);
        }
        drop(pen);
        let sizes: u64 = FILES.iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len()).sum();
        assert!(sizes <= 2 * FILE_BYTES_MAX, "{sizes}");
        let read = book.read();
        assert!(read.len() > super::super::CALLS_MAX, "{}", read.len());
        assert_eq!(read.last().unwrap().call.target, Some((many - 1).to_string()));
        assert!(read.windows(2).all(|two| two[0].call.number + 1 == two[1].call.number));
    }

    #[test]
    fn the_logs_of_others_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        let lines = "half a line\"}\n\
            {\"seq\":1,\"event\":\"begin\"}\n\
            {\"time\":1795234829.014090,\"principal\":\"alice\",\"revision\":\"2026-07-28\",\"method\":\"tools/call\",\"server\":\"demo\",\"target\":\"add\",\"outcome\":\"failed\",\"code\":\"TC0203\",\"latency_ms\":1.500,\"event\":\"call\",\"hash\":\"00\"}\n\
            {\"time\":1795234829.1,\"principal\":\"alice\",\"method\":\"tools/list\",\"outcome\":\"ok\",\"latency_ms\":1.5}\n";
        fs::write(&log, lines).unwrap();
        let read = Book::Log(log).read();
        let call = &read[0].call;
        assert_eq!((read.len(), call.time, call.code.as_str(), call.latency_ms), (1, 1_795_234_829_014, "TC0203", 1.5));
        assert!(Book::Log(folder.path().join("gone")).read().is_empty());
    }
}
