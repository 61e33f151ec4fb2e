//! What was measured: one line of JSON each, kept in `bench/results/`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

/// One measurement of one peer.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Record {
    pub(crate) round: usize,
    pub(crate) cell: String,
    pub(crate) peer: String,
    pub(crate) conns: usize,
    /// Calls answered rightly in the counted window, and calls that were not.
    pub(crate) ok: u64,
    pub(crate) errors: u64,
    pub(crate) rps: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Microseconds on a core per call: of the gateway, and with the processes it started.
    pub(crate) cpu_us: f64,
    pub(crate) tree_cpu_us: f64,
    /// What part of its core the gateway used, and the load with the backends of theirs.
    pub(crate) busy: f64,
    pub(crate) load_busy: f64,
    /// Figures of other kinds: milliseconds to the first call, MiB, KiB per session.
    pub(crate) value: f64,
    pub(crate) load_average: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
}

pub(crate) struct Records {
    pub(crate) all: Vec<Record>,
    pub(crate) notes: Vec<String>,
    pub(crate) round: usize,
    file: File,
}

impl Records {
    pub(crate) fn create(root: &Path) -> Result<Self> {
        let folder = root.join("bench/results");
        fs::create_dir_all(&folder)?;
        let seconds = std::time::UNIX_EPOCH.elapsed()?.as_secs();
        let file = File::create(folder.join(format!("{seconds}.jsonl")))?;
        Ok(Self { all: Vec::new(), notes: Vec::new(), round: 0, file })
    }

    /// Keeps a measurement, on disk at once: a run that is cut short keeps what it had.
    pub(crate) fn add(&mut self, mut record: Record) -> Result<()> {
        record.round = self.round;
        record.load_average = crate::machine::Machine::load_average();
        writeln!(self.file, "{}", serde_json::to_string(&record)?)?;
        let Record { cell, peer, conns, rps, p50_us, cpu_us, errors, value, error, .. } = &record;
        eprintln!(
            "  {cell:<24} {conns:>4}  {peer:<9} {rps:>9.0}/s  p50 {p50_us:>8.1} µs  cpu {cpu_us:>6.2} µs  {value:>8.2}  {errors} errors {error}"
        );
        self.all.push(record);
        Ok(())
    }

    /// Keeps a figure that is not of calls.
    pub(crate) fn add_value(&mut self, cell: &str, peer: &str, value: f64) -> Result<()> {
        self.add(Record { cell: cell.to_owned(), peer: peer.to_owned(), value, ..Record::default() })
    }

    /// Says what could not be measured, once.
    pub(crate) fn note(&mut self, text: String) {
        eprintln!("  {text}");
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}
