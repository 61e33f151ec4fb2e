//! A small file with a head that says what it is and a checksum of the rest.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another program may hold the lock: it only ever reads and writes one file.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_STEP: Duration = Duration::from_millis(5);

/// A file of the data directory.
#[derive(Clone, Debug)]
pub struct Document {
    path: PathBuf,
    /// What the file is, in its first line: `toolcrib-pins`.
    kind: &'static str,
    bytes_max: usize,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {act} {}: {error}", path.display())]
    Io { act: &'static str, path: PathBuf, error: io::Error },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: &'static str },
    #[error("{} would become larger than {max} bytes", path.display())]
    TooLarge { path: PathBuf, max: usize },
    #[error("another program keeps {} locked", path.display())]
    Locked { path: PathBuf },
}

impl Document {
    #[must_use]
    pub fn new(path: PathBuf, kind: &'static str, bytes_max: usize) -> Self {
        Self { path, kind, bytes_max }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is not as it was written.
    pub fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io("read", error)),
        };
        let end = text.iter().take(256).position(|b| *b == b'\n').ok_or_else(|| self.damaged("it has no head"))?;
        let body = text.split_off(end + 1);
        let head = std::str::from_utf8(&text).ok().and_then(|head| head.trim_end().split_once(' '));
        let (kind, hash) = head.ok_or_else(|| self.damaged("its head is not of this program"))?;
        if kind != self.kind {
            return Err(self.damaged("it is something else"));
        }
        // Against accidents, not against people who may write here: they may write the sum, too.
        if hash != blake3::hash(&body).to_hex().as_str() {
            return Err(self.damaged("its checksum does not fit"));
        }
        Ok(Some(body))
    }

    /// Replaces the file with what `change` makes of it, with all other programs kept out; `None` leaves it as it is.
    ///
    /// # Errors
    /// What `change` says, or that the file cannot be read, locked or written.
    pub fn update<T, E: From<StoreError>>(&self, change: impl FnOnce(Option<Vec<u8>>) -> Result<(Option<Vec<u8>>, T), E>) -> Result<T, E> {
        let _lock = self.lock()?;
        let (body, result) = change(self.read()?)?;
        if let Some(body) = body {
            self.write(&body)?;
        }
        Ok(result)
    }

    /// Returns a figure that is another one after the file was changed.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let Ok(meta) = fs::metadata(&self.path) else { return 0 };
        let modified = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&modified.as_nanos().to_le_bytes()).update(&meta.len().to_le_bytes()).update(&node(&meta).to_le_bytes());
        let hash = hasher.finalize();
        hash.as_bytes().first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes)).max(1)
    }

    /// Removes the file.
    ///
    /// # Errors
    /// What the system says, but for a file that is not there.
    pub fn remove(&self) -> Result<(), StoreError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("remove", error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn write(&self, body: &[u8]) -> Result<(), StoreError> {
        if body.len() > self.bytes_max {
            return Err(StoreError::TooLarge { path: self.path.clone(), max: self.bytes_max });
        }
        let beside = self.beside("new");
        let write = || -> io::Result<()> {
            let mut file = private().truncate(true).open(&beside)?;
            writeln!(file, "{} {}", self.kind, blake3::hash(body).to_hex())?;
            file.write_all(body)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            // The name is on the disk when its directory is.
            self.path.parent().map_or(Ok(()), sync_directory)
        };
        write().map_err(|error| {
            // What was half written is of no use to anyone.
            drop(fs::remove_file(&beside));
            self.io("write", error)
        })
    }

    /// Keeps other programs out until the file is dropped.
    fn lock(&self) -> Result<File, StoreError> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        private_directory(directory).map_err(|error| StoreError::Io { act: "create", path: directory.to_owned(), error })?;
        let path = self.beside("lock");
        let file = private().open(&path).map_err(|error| StoreError::Io { act: "open", path: path.clone(), error })?;
        let end = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::park_timeout(LOCK_STEP),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: self.path.clone() }),
                Err(TryLockError::Error(error)) => return Err(StoreError::Io { act: "lock", path, error }),
            }
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(ending);
        self.path.with_file_name(name)
    }

    fn io(&self, act: &'static str, error: io::Error) -> StoreError {
        StoreError::Io { act, path: self.path.clone(), error }
    }

    fn damaged(&self, why: &'static str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why }
    }
}

/// Opens for writing, for nobody but the user.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn node(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn node(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(test: &str) -> Document {
        let directory = std::env::temp_dir().join(format!("crib-store-{}-{test}", std::process::id()));
        drop(fs::remove_dir_all(&directory));
        Document::new(directory.join("deep").join("a.json"), "toolcrib-test", 1024)
    }

    fn put(document: &Document, body: &[u8]) -> Result<(), StoreError> {
        document.update(|_| Ok((Some(body.to_vec()), ())))
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let document = document("read");
        assert!(document.read().unwrap().is_none());
        put(&document, b"one\ntwo").unwrap();
        assert_eq!(document.read().unwrap().unwrap(), b"one\ntwo");
        let other = Document { kind: "toolcrib-other", ..document };
        assert!(matches!(other.read(), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let document = document("flip");
        put(&document, b"{\"a\":1}").unwrap();
        let whole = fs::read(document.path()).unwrap();
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            fs::write(document.path(), bytes).unwrap();
            assert!(document.read().is_err(), "bit {at}");
        }
        for end in 0..whole.len() {
            fs::write(document.path(), &whole[..end]).unwrap();
            assert!(document.read().is_err(), "cut at {end}");
        }
    }

    #[test]
    fn changes_of_many_writers_are_all_kept() {
        let document = document("many");
        let add = |body: Option<Vec<u8>>| {
            let count: usize = body.map_or(0, |body| String::from_utf8(body).unwrap().parse().unwrap());
            Ok::<_, StoreError>((Some((count + 1).to_string().into_bytes()), ()))
        };
        let write = || (0..25).for_each(|_| document.update(add).unwrap());
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(write))));
        assert_eq!(document.read().unwrap().unwrap(), b"100");
    }

    #[test]
    fn what_would_be_too_large_changes_nothing() {
        let document = document("large");
        put(&document, b"small").unwrap();
        let stamp = document.stamp();
        assert!(matches!(put(&document, &[b'x'; 1025]), Err(StoreError::TooLarge { max: 1024, .. })));
        assert_eq!((document.read().unwrap().unwrap(), document.stamp()), (b"small".to_vec(), stamp));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let document = document("mode");
        put(&document, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(document.path()), mode(document.path().parent().unwrap())), (0o600, 0o700));
    }
}
