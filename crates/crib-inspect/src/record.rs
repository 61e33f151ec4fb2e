//! Recordings: one message per line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crib_mcp::Json;
use crib_model::{Code, Fault};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mask::Mask;
use crate::tap::{Body, Direction, Seen, Sink};

/// The first line's `schema`.
const SCHEMA: &str = "toolcrib/v1/recording";
/// Largest recording that is written or read.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What stands in the first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub schema: String,
    pub server: String,
    pub toolcrib: String,
    /// Whether secrets of bodies are masked.
    #[serde(default)]
    pub masked: bool,
}

/// A message of a recording.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    pub direction: Direction,
    #[serde(default)]
    pub connection: u64,
    #[serde(default)]
    pub at_ms: f64,
    /// Absent for what was no message.
    #[serde(default)]
    pub message: Option<Value>,
}

/// A recording that was read.
#[derive(Clone, Debug)]
pub struct Recording {
    pub head: Head,
    pub messages: Vec<Recorded>,
}

/// Returns a sink that writes every message to a file, without the secrets that the mask finds.
///
/// # Errors
/// TC0460 when the file cannot be written.
pub fn recorder(path: &Path, server: &str, mask: Option<Mask>) -> Result<Sink, Fault> {
    let failed = |error: &io::Error| unusable(path, error);
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(path).map_err(|error| failed(&error))?);
    let head = Head {
        schema: SCHEMA.to_owned(),
        server: server.to_owned(),
        toolcrib: env!("CARGO_PKG_VERSION").to_owned(),
        masked: mask.is_some(),
    };
    write_line(&mut file, &head).map_err(|error| failed(&error))?;
    let state = Mutex::new((file, 0_u64));
    Ok(Arc::new(move |seen: &Seen| {
        let mut state = state.lock();
        let (file, written) = &mut *state;
        if *written < FILE_BYTES_MAX {
            let masked = mask.as_ref().and_then(|mask| without_secrets(seen, mask));
            *written += write_line(file, masked.as_ref().unwrap_or(seen)).unwrap_or(FILE_BYTES_MAX);
        }
    }))
}

/// Returns the message as it is written where it holds a secret.
fn without_secrets(seen: &Seen, mask: &Mask) -> Option<Seen> {
    let body = match &seen.body {
        Body::Json(json) => Body::Json(Json::parse(&Bytes::from(mask.json(json.as_str())?)).ok()?),
        Body::Text(text) => Body::Text(mask.text(text).into_owned()),
    };
    Some(Seen { body, ..seen.clone() })
}

fn write_line<T: Serialize>(file: &mut BufWriter<File>, value: &T) -> io::Result<u64> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)?;
    // A recording is most wanted where the program did not end well.
    file.flush()?;
    Ok(line.len() as u64)
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// TC0460 when the file cannot be read, TC0461 when it is no recording.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|error| unusable(path, &error))?;
        if file.metadata().is_ok_and(|data| data.len() > FILE_BYTES_MAX) {
            return Err(Fault::new(Code::RecordingInvalid, format!("`{}` is too large", path.display())));
        }
        let invalid = |number: usize, why: String| {
            let fault = Fault::new(Code::RecordingInvalid, format!("`{}` is no recording", path.display()));
            fault.because(format!("line {number}: {why}")).hint("record one: toolcrib inspect SERVER --record FILE")
        };
        let mut lines = BufReader::new(file).lines().enumerate();
        let Some((_, first)) = lines.next() else { return Err(invalid(1, "it is empty".to_owned())) };
        let first = first.map_err(|error| unusable(path, &error))?;
        let head: Head = serde_json::from_str(&first).map_err(|error| invalid(1, error.to_string()))?;
        if head.schema != SCHEMA {
            return Err(invalid(1, format!("the schema is `{}`", head.schema)));
        }
        let mut messages = Vec::new();
        for (at, line) in lines {
            let line = line.map_err(|error| unusable(path, &error))?;
            if !line.trim().is_empty() {
                messages.push(serde_json::from_str(&line).map_err(|error| invalid(at + 1, error.to_string()))?);
            }
        }
        Ok(Self { head, messages })
    }
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::RecordingUnusable, format!("`{}` cannot be used", path.display())).because(error)
}
