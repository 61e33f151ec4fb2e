//! What registries answered, on the disk: one file per address, and never more than a bounded number of them.
//!
//! Nothing here is precious. What cannot be read is asked for again, and what cannot be written is not kept.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The folder in the data directory.
const FOLDER: &str = "market";
/// Most answers kept of one registry; the oldest go first.
const ANSWERS_MAX: usize = 600;
/// How many go at once, so that not every answer has to count the others.
const SPARE: usize = 60;

/// The answers of one registry.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// An answer that was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// When it was true, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) etag: Option<String>,
    pub(crate) max_age: Option<u64>,
    pub(crate) value: Value,
}

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    url: String,
    at: u64,
    etag: Option<String>,
    max_age: Option<u64>,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Cache {
    /// Names the folder of a registry. One at another address is another registry.
    pub(crate) fn of(data: &Path, url: &str) -> Self {
        Self { folder: data.join(FOLDER).join(key(url)) }
    }

    pub(crate) fn read(&self, url: &str) -> Option<Kept> {
        let bytes = fs::read(self.path(url)).ok()?;
        let form: Form<'_> = serde_json::from_slice(&bytes).ok().filter(|form: &Form<'_>| form.url == url)?;
        let value = serde_json::from_str(form.body.get()).ok()?;
        Some(Kept { at: form.at, etag: form.etag, max_age: form.max_age, value })
    }

    pub(crate) fn write(&self, url: &str, kept: &Kept) {
        let write = || -> io::Result<()> {
            let body = serde_json::value::to_raw_value(&kept.value)?;
            let form = Form { url: url.to_owned(), at: kept.at, etag: kept.etag.clone(), max_age: kept.max_age, body: &body };
            private_folder(&self.folder)?;
            let path = self.path(url);
            let beside = path.with_extension(format!("{}.new", std::process::id()));
            let mut file = private_file(&beside)?;
            file.write_all(&serde_json::to_vec(&form)?)?;
            drop(file);
            fs::rename(&beside, &path)?;
            self.prune()
        };
        if let Err(error) = write() {
            tracing::debug!(%error, "an answer of a registry is not kept");
        }
    }

    /// Returns every answer that is kept, the newest first.
    pub(crate) fn all(&self) -> Vec<Value> {
        let mut files = self.files().unwrap_or_default();
        files.sort_by(|(one, _), (other, _)| other.cmp(one));
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).ok()?;
            let form: Form<'_> = serde_json::from_slice(&bytes).ok()?;
            serde_json::from_str(form.body.get()).ok()
        };
        files.iter().take(ANSWERS_MAX).filter_map(|(_, path)| read(path)).collect()
    }

    fn files(&self) -> io::Result<Vec<(std::time::SystemTime, PathBuf)>> {
        let entries = fs::read_dir(&self.folder)?.flatten();
        let dated = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
        Ok(dated.collect())
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = self.files()?;
        if files.len() > ANSWERS_MAX {
            files.sort();
            files.iter().take(files.len() - ANSWERS_MAX + SPARE).for_each(|(_, path)| drop(fs::remove_file(path)));
        }
        Ok(())
    }

    fn path(&self, url: &str) -> PathBuf {
        self.folder.join(format!("{}.json", key(url)))
    }
}

fn key(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().as_str().chars().take(32).collect()
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
