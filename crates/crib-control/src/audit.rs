//! The audit log: one line of JSON for every call, in a chain that shows what was changed afterwards.
//!
//! Each line has a number and the BLAKE3 hash of the line before it. To change, add or take out a line without a trace
//! one would have to write everything after it anew; so whoever keeps the hash of a last line elsewhere can tell. The
//! chain goes on over restarts, over files, and over several programs that write to one file.
//!
//! A call does not wait for the disk. What cannot be kept is counted, said in the program's log, and written down as a
//! line of the chain: a gap is never silent.

mod chain;
mod desk;
mod file;
mod log;
mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use chain::Mark;
pub use log::AuditLog;
pub use verify::{Verified, verify};

/// Why an audit log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("cannot open the audit log {}: {error}", path.display())]
    Open { path: PathBuf, error: io::Error },
    #[error("{} does not end in a line of an audit log: move it away, or name another file", .0.display())]
    Foreign(PathBuf),
    #[error("cannot start the writer of the audit log: {0}")]
    Writer(io::Error),
    #[error("cannot read the audit log: {0}")]
    Read(#[from] io::Error),
    #[error("line {line} {why}")]
    Broken { line: u64, why: &'static str },
}
