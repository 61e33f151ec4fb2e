//! Grades that were measured on this machine, kept by the digest of the package.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use serde::{Deserialize, Serialize};

use super::Grade;

/// Largest grade that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The folder of grades in the data directory.
#[derive(Clone, Debug)]
pub struct Grades(PathBuf);

/// What lists show of a grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub letter: String,
    pub score: f64,
    pub measured_unix_ms: u64,
    /// The version that measured it.
    pub toolcrib: String,
}

// === impl Grades ===

impl Grades {
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self(data.join("grades"))
    }

    /// Keeps a grade, if its package has a digest; returns the file.
    ///
    /// # Errors
    /// TC0465 when it cannot be written.
    pub fn keep(&self, grade: &Grade) -> Result<Option<PathBuf>, Fault> {
        let Some(digest) = &grade.digest else { return Ok(None) };
        let path = self.path(digest);
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.0)?;
            let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
            let mut file = fs::File::create(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(grade)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| Fault::new(Code::GradeUnusable, format!("`{}` cannot be written", path.display())).because(error))?;
        Ok(Some(path))
    }

    /// Returns what was measured of a package, if it was.
    #[must_use]
    pub fn read(&self, digest: &str) -> Option<Kept> {
        serde_json::from_slice(&self.bytes(digest)?).ok()
    }

    /// Returns a grade with its evidence.
    #[must_use]
    pub fn read_all(&self, digest: &str) -> Option<Grade> {
        serde_json::from_slice(&self.bytes(digest)?).ok()
    }

    fn bytes(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let is_sane = fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= FILE_BYTES_MAX);
        if is_sane { fs::read(path).ok() } else { None }
    }

    fn path(&self, digest: &str) -> PathBuf {
        let name: String = digest.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(140).collect();
        self.0.join(format!("{name}.json"))
    }
}
